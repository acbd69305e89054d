package cluster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// diskHealth is what the log's writes tell of a node's disk.
type diskHealth struct {
	took     func(event string, since time.Time)
	dead     func(error)   // told that the log takes nothing more from this process
	patience time.Duration // beyond it a write stands still

	mu     sync.Mutex
	full   error             // why there is no room, nil if there is
	rest   int               // bytes that the log takes all the same: see allow
	since  time.Time         // when the write under way began, zero without one
	writes uint64            // so far
	recent [writesKept]write // the last ones
}

type write struct {
	at   time.Time
	took time.Duration
}

const (
	writesKept  = 15
	writesCount = 5 * time.Second // for so long
)

// watchedLog has its writes watched, and makes none where there is no room: once raft-wal has
// no place for its next file, it has to be opened anew.
type watchedLog struct {
	raft.LogStore
	health *diskHealth
}

func (l watchedLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

func (l watchedLog) StoreLogs(entries []*raft.Log) error {
	bytes := 0
	for _, entry := range entries {
		bytes += len(entry.Data) + 64
	}
	begun, err := l.health.begin(bytes)
	if err != nil {
		return err
	}
	err = l.LogStore.StoreLogs(entries)
	l.health.end(begun, err)
	if errors.Is(err, wal.ErrSealed) {
		l.health.dead(fmt.Errorf("the log could not go on in a next segment, and does after a restart: %w", err))
	}
	return err
}

// DeleteRange takes entries off the end of the log only where there is room for the file
// that it then goes on in.
func (l watchedLog) DeleteRange(min, max uint64) error {
	if first, err := l.FirstIndex(); err != nil || min > first && l.health.isFull() {
		return errors.Join(err, l.health.unfit())
	}
	return l.LogStore.DeleteRange(min, max)
}

// IsMonotonic makes this a raft.MonotonicLogStore where what it writes to is one.
func (l watchedLog) IsMonotonic() bool {
	m, ok := l.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

func (h *diskHealth) begin(bytes int) (begun time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full != nil {
		if h.rest -= bytes; h.rest < 0 {
			return begun, h.full
		}
	}
	h.since = time.Now()
	return h.since, nil
}

func (h *diskHealth) end(begun time.Time, err error) {
	h.mu.Lock()
	h.since = time.Time{}
	h.recent[h.writes%writesKept] = write{time.Now(), time.Since(begun)}
	h.writes++
	h.mu.Unlock()
	h.took("aof-fsync-always", begun)
	var fault syscall.Errno
	if errors.As(err, &fault) {
		h.filled(err)
		h.allow(0)
	}
}

// allow sets how much the log takes when it is full. That it has no next file is noticed at
// the beginning of the last one, and a leader to whose log raft cannot write steps down: the
// entries that are on their way, and the few that are not of clients, find room there.
func (h *diskHealth) allow(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rest = bytes
}

// filled takes note of whether there is room, or of another reason why the disk takes nothing.
func (h *diskHealth) filled(err error) {
	switch {
	case noRoom(err):
		err = fmt.Errorf("the disk is full: %w", err)
	case err != nil:
		err = fmt.Errorf("the disk takes no writes: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = err
}

// noRoom reports whether an error tells that a disk is full.
func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func (h *diskHealth) isFull() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.full != nil
}

// standing returns the number of the write that is under way for longer than it may be, and
// for how long.
func (h *diskHealth) standing() (number uint64, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() || time.Since(h.since) <= h.patience {
		return 0, 0
	}
	return h.writes + 1, time.Since(h.since)
}

// unfit tells why this node should not lead, nil if it may.
func (h *diskHealth) unfit() error {
	if _, d := h.standing(); d > 0 {
		return fmt.Errorf("the disk stands still: a write to the log is under way for %v", d.Round(time.Millisecond))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.full
}

// usual is how long a write takes: the median of the last ones, 0 if there were few lately.
func (h *diskHealth) usual() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var took []time.Duration
	for _, w := range h.recent {
		if w.took == 0 || time.Since(w.at) > writesCount {
			return 0
		}
		took = append(took, w.took)
	}
	slices.Sort(took)
	return took[writesKept/2]
}
