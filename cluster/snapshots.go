package cluster

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// snapshots has raft take one whenever enough has been written to the log, so that
// neither the log nor the time of a restart grows without end.
type snapshots struct {
	n *Node

	turn baton // one is taken at a time

	mu      sync.Mutex
	saving  bool
	last    time.Time // of the newest snapshot
	index   uint64    // the last entry in it
	size    int64     // bytes
	since   int64     // Node.appliedBytes when it was taken
	lastErr error     // of the last try
	began   time.Time // the last try
	took    time.Duration
	saves   int // that were taken since the start
}

const snapshotInterval = 200 * time.Millisecond

func (s *snapshots) run() {
	ticker := time.NewTicker(snapshotInterval)
	defer ticker.Stop()
	wait := time.Duration(0)
	for {
		select {
		case <-ticker.C:
		case <-s.n.closing:
			return
		}
		if wait -= snapshotInterval; wait > 0 || !s.due() || s.n.quarantine.on() {
			continue
		}
		start := time.Now()
		if err := s.save(); err != nil {
			s.n.log.Error("snapshot", "error", err)
			wait = 10 * time.Second // a full disk does not get better by trying
			continue
		}
		s.mu.Lock()
		s.n.log.Info("snapshot taken", "index", s.index, "bytes", s.size, "duration", time.Since(start))
		s.mu.Unlock()
	}
}

// due has a node that is behind catch up first, unless its log becomes twice as long by that.
// In place of a damaged snapshot, which cannot be sent to anybody, one is due at once.
func (s *snapshots) due() bool {
	if s.n.storage.damaged.Load() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	applied, enough := s.n.appliedBytes.Load()-s.since, max(s.n.config.SnapshotBytes, s.size)
	return applied >= 2*enough || applied >= enough && !s.n.behind(s.n.machine.Index())
}

// save takes a snapshot and returns when it is on disk.
func (s *snapshots) save() error {
	r := s.n.raft()
	if r == nil {
		return ErrNotFormed
	}
	if s.n.quarantine.on() {
		return errDiverged
	}
	s.turn.take()
	defer s.turn.give()
	applied := s.n.appliedBytes.Load()
	s.mu.Lock()
	s.saving, s.began = true, time.Now()
	s.mu.Unlock()

	err := r.Snapshot().Error()
	for range 100 {
		// Raft has no name for this error. It is over as soon as a change of members that
		// was just committed has passed by the machine.
		if err == nil || !strings.HasPrefix(err.Error(), "cannot take snapshot now") {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = r.Snapshot().Error()
	}
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		err = nil
	}
	s.mu.Lock()
	s.saving, s.lastErr = false, err
	s.took = time.Since(s.began)
	if err == nil {
		s.saves++
		s.n.storage.damaged.Store(false)
		s.since, s.last = applied, time.Now()
	}
	s.mu.Unlock()
	s.load()
	return err
}

// load looks up the newest snapshot on disk.
func (s *snapshots) load() {
	list, err := s.n.storage.snapshots.List()
	if err != nil || len(list) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.size = list[0].Index, list[0].Size
	if s.last.IsZero() {
		// The id is term-index-milliseconds.
		if parts := strings.Split(list[0].ID, "-"); len(parts) == 3 {
			if ms, err := strconv.ParseInt(parts[2], 10, 64); err == nil {
				s.last = time.UnixMilli(ms)
			}
		}
	}
}
