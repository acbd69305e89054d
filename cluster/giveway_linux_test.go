package cluster

import (
	"runtime"
	"testing"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"holdfast/fsm"
)

// Only what is run there has the low priority, and nothing of it stays.
func TestGiveWay(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual := priority(t)
	low := max(usual-niceness, 1) // there is none below
	var g giveWay
	for range 3 {
		for range 3 {
			thread, got := 0, 0
			g.run(func() { thread, got = unix.Gettid(), priority(t) })
			if thread == unix.Gettid() || got != low {
				t.Errorf("priority %d on thread %d, want %d, not on %d", got, thread, low, unix.Gettid())
			}
		}
		g.end()
		g.end()
	}
	if got := priority(t); got != usual {
		t.Errorf("priority %d, it was %d", got, usual)
	}
}

// A snapshot is written with low priority.
func TestSnapshotGivesWay(t *testing.T) {
	sink := &prioritySink{t: t}
	if err := (frozen{fsm.New().Snapshot()}).Persist(sink); err != nil {
		t.Fatal(err)
	}
	if low := max(priority(t)-niceness, 1); len(sink.seen) == 0 || sink.seen[0] != low {
		t.Errorf("written with priorities %v, want %d", sink.seen, low)
	}
}

// prioritySink notes with what priority it is written to.
type prioritySink struct {
	raft.SnapshotSink
	t    *testing.T
	seen []int
}

func (s *prioritySink) Write(p []byte) (int, error) {
	s.seen = append(s.seen, priority(s.t))
	return len(p), nil
}

func (s *prioritySink) Close() error { return nil }

// priority is that of the thread that calls: see getpriority(2).
func priority(t *testing.T) int {
	t.Helper()
	p, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return p
}
