package cluster

import (
	"context"
	"log/slog"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// What the leader told of as committed decides what is applied with low priority: raft's own
// commit index is never far ahead, and a heartbeat has none. No thread is left at the end.
func TestCatchUpGivesWay(t *testing.T) {
	config := DefaultConfig() // of a node that finds no cluster, so that raft applies nothing beside this
	config.Dir, config.Bus, config.Join = t.TempDir(), "127.0.0.1:0", []string{"127.0.0.1:1"}
	config.Logger = slog.New(slog.NewTextHandler(testLog(), nil))
	n, err := Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	from, to := make(chan raft.RPC), make(chan raft.RPC)
	go n.screen(from, to)
	tell := func(commit uint64) {
		from <- raft.RPC{Command: &raft.AppendEntriesRequest{LeaderCommitIndex: commit}}
		<-to
	}
	const committed = 10 * behindEntries
	steps := []struct {
		index uint64
		gives bool
	}{
		{1, true}, {2, true}, {committed - behindEntries - 1, true}, {committed - behindEntries, false}, {committed, false},
	}
	tell(committed)
	for _, step := range steps {
		tell(0)
		stateMachine{n}.Apply(&raft.Log{Index: step.index, Data: fsm.AppendCheck(nil, 1)})
		if got := n.giveWay.jobs != nil; got != step.gives {
			t.Errorf("entry %d of %d gives way: %v", step.index, committed, got)
		}
	}
}
