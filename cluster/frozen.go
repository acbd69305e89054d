package cluster

import (
	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// frozen is a fsm.Snapshot seen as a raft.FSMSnapshot.
type frozen struct{ *fsm.Snapshot }

func (f frozen) Persist(sink raft.SnapshotSink) (err error) {
	var g giveWay
	defer g.end()
	g.run(func() { _, err = f.WriteTo(sink) })
	if err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}
