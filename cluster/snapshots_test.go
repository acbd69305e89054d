package cluster

import (
	"testing"

	"holdfast/fsm"
)

// A node that is behind puts its snapshot off, but not for ever.
func TestSnapshotWaitsForCatchingUp(t *testing.T) {
	n := &Node{config: Config{SnapshotBytes: 100}, machine: fsm.New(), route: &route{}, storage: &storage{}}
	s := &snapshots{n: n}
	for _, test := range []struct {
		bytes  int64
		commit uint64
		due    bool
	}{
		{99, 0, false}, {100, 0, true}, {100, behindEntries, true},
		{100, behindEntries + 1, false}, {199, behindEntries + 1, false}, {200, behindEntries + 1, true},
	} {
		n.appliedBytes.Store(test.bytes)
		n.leaderCommit.Store(test.commit)
		if got := s.due(); got != test.due {
			t.Errorf("%d bytes applied, %d entries to come: due %v", test.bytes, test.commit, got)
		}
	}
}
