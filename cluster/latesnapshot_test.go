package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// A snapshot that was held up on its way is not taken by a follower which has come further
// meanwhile: to install it would be to lose what has been acknowledged since.
func TestLateSnapshot(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	leader, follower := c.nodes[lead], c.nodes[(lead+1)%3]
	for k := range 20 {
		c.write(lead, fmt.Sprintf("SET k%d v", k))
	}
	if err := leader.Save(context.Background()); err != nil {
		t.Fatal(err)
	}
	list, err := leader.storage.snapshots.List()
	if err != nil || len(list) == 0 {
		t.Fatalf("no snapshot: %v", err)
	}
	meta, content, err := leader.storage.snapshots.Open(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	for k := range 20 {
		c.write(lead, fmt.Sprintf("SET later%d v", k))
	}
	last := leader.raft().LastIndex()
	c.eventually(func() error {
		if at, err := follower.storage.log.LastIndex(); err != nil || at < last {
			return fmt.Errorf("the follower has entries up to %d of %d: %v", at, last, err)
		}
		return nil
	})

	id, address := raft.ServerID(leader.identity.NodeID), raft.ServerAddress(leader.advertised())
	request := &raft.InstallSnapshotRequest{
		RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(address)},
		SnapshotVersion: meta.Version, Term: leader.raft().CurrentTerm(), Leader: []byte(address),
		LastLogIndex: meta.Index, LastLogTerm: meta.Term, Size: meta.Size,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
	}
	var response raft.InstallSnapshotResponse
	err = leader.transport.InstallSnapshot(raft.ServerID(follower.identity.NodeID), raft.ServerAddress(follower.advertised()), request, &response, content)
	if err != nil || !response.Success {
		t.Errorf("the follower has all that is in the snapshot, and answers %+v, %v", response, err)
	}
	if at, err := follower.storage.log.LastIndex(); err != nil || at < last {
		t.Errorf("the follower's log ends at %d, and ended at %d: %v", at, last, err)
	}
	if at := follower.machine.Index(); at < meta.Index {
		t.Errorf("the follower's machine is at %d, the snapshot is of %d", at, meta.Index)
	}
	c.write(lead, "SET k v")
	c.same()
}
