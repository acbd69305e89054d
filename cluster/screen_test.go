package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

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
	meta, content := c.snapshot(lead)
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

	request := installation(leader, meta)
	var response raft.InstallSnapshotResponse
	id, address := target(follower)
	err := leader.transport.InstallSnapshot(id, address, request, &response, content)
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

// slowSnapshot holds up the first snapshot that is taken once it is armed.
type slowSnapshot struct {
	systemDisk
	armed      atomic.Bool
	began, end chan struct{}
}

func (d *slowSnapshot) Open(path string, flag int) (File, error) {
	if filepath.Base(path) == "state.bin" && flag == os.O_WRONLY && d.armed.CompareAndSwap(true, false) {
		close(d.began)
		<-d.end
	}
	return d.systemDisk.Open(path, flag)
}

// A snapshot of the leader that comes while the follower takes one itself is what counts in
// the end.
func TestSnapshotDuringSnapshot(t *testing.T) {
	disk := &slowSnapshot{began: make(chan struct{}), end: make(chan struct{})}
	c := newCluster(t, 3, func(config *Config) { config.Disk = disk })
	lead := c.leader()
	leader, follower := c.nodes[lead], c.nodes[(lead+1)%3]
	c.write(lead, "SET k v")
	c.same()
	meta, content := c.snapshot(lead)

	disk.armed.Store(true)
	saved := make(chan error, 1)
	go func() { saved <- follower.snapshots.save() }()
	<-disk.began
	request := installation(leader, meta)
	request.LastLogIndex = follower.raft().LastIndex() + 1000 // the follower has missed all of it
	installed := make(chan error, 1)
	go func() {
		id, address := target(follower)
		var response raft.InstallSnapshotResponse
		err := leader.transport.InstallSnapshot(id, address, request, &response, content)
		if err == nil && !response.Success {
			err = errors.New("refused")
		}
		installed <- err
	}()
	select {
	case err := <-installed: // before the other one has ended
		installed <- err
	case <-time.After(200 * time.Millisecond): // it waits, or is on its way
	}
	close(disk.end)
	if err := errors.Join(<-saved, <-installed); err != nil {
		t.Fatal(err)
	}
	if last := follower.raft().LastIndex(); last < request.LastLogIndex {
		t.Errorf("the follower has a snapshot up to entry %d, and goes on from %d", request.LastLogIndex, last)
	}
}

// What a follower has in its log beyond the entries that the leader has shown to be its own
// is not committed, however far the leader's commit index is. Such entries are left where a
// leader has come back that could not commit them.
func TestUncommittedSuffix(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	leader, follower := c.nodes[lead], c.nodes[(lead+1)%3]
	c.write(lead, "SET k v")
	c.same()
	index, term := leader.raft().LastIndex(), leader.raft().CurrentTerm()
	send := func(request *raft.AppendEntriesRequest) {
		t.Helper()
		request.RPCHeader, request.Term = header(leader), term
		id, address := target(follower)
		var response raft.AppendEntriesResponse
		if err := leader.transport.AppendEntries(id, address, request, &response); err != nil || !response.Success {
			t.Fatalf("the follower answers %+v, %v", response, err)
		}
	}
	before := raft.Log{}
	if err := leader.storage.log.GetLog(index, &before); err != nil {
		t.Fatal(err)
	}
	// Three entries without the leader's own log knowing of them.
	request := &raft.AppendEntriesRequest{PrevLogEntry: index, PrevLogTerm: before.Term, LeaderCommitIndex: index}
	for k := range uint64(3) {
		request.Entries = append(request.Entries, &raft.Log{Index: index + 1 + k, Term: term, Type: raft.LogNoop})
	}
	send(request)
	// Some of them are shown to be the leader's once more, and its commit index is beyond all.
	entries := request.Entries
	for _, shown := range []int{0, 1, 3} {
		request.Entries, request.LeaderCommitIndex = entries[:shown], index+100
		send(request)
		if got := follower.raft().CommitIndex() - index; got != uint64(shown) {
			t.Errorf("%d entries are committed where %d were shown", got, shown)
		}
	}
}

// A follower whose log begins behind a snapshot, with entries there that were never committed,
// takes those of the next leader, who asks from where the snapshot ends or from before that.
func TestStaleSuffixBehindSnapshot(t *testing.T) {
	for _, back := range []uint64{0, 500} {
		c := newCluster(t, 3, nil)
		lead := c.leader()
		leader, follower, other := c.nodes[lead], c.nodes[(lead+1)%3], c.nodes[(lead+2)%3]
		c.write(lead, "SET k v")
		c.same()
		meta, content := c.snapshot(lead)
		id, address := target(follower)
		snapshot := installation(leader, meta)
		snapshot.LastLogIndex = leader.raft().LastIndex() + 1000
		end := snapshot.LastLogIndex
		var installed raft.InstallSnapshotResponse
		if err := leader.transport.InstallSnapshot(id, address, snapshot, &installed, content); err != nil || !installed.Success {
			t.Fatalf("the follower answers %+v, %v", installed, err)
		}
		send := func(from *Node, term, after, upTo uint64) {
			t.Helper()
			request := &raft.AppendEntriesRequest{RPCHeader: header(from), Term: term, PrevLogEntry: after, PrevLogTerm: snapshot.LastLogTerm}
			for i := after + 1; i <= upTo; i++ {
				request.Entries = append(request.Entries, &raft.Log{Index: i, Term: term, Type: raft.LogNoop})
			}
			var response raft.AppendEntriesResponse
			if err := leader.transport.AppendEntries(id, address, request, &response); err != nil || !response.Success {
				t.Fatalf("with entries after %d, where the snapshot ends at %d, the follower answers %+v, %v", after, end, response, err)
			}
		}
		// As a full disk leaves it, on which raft could not clear the log.
		old := []*raft.Log{{Index: 5, Term: 1}, {Index: 6, Term: 1}}
		if last, err := follower.storage.log.LastIndex(); err != nil || last > 0 {
			t.Fatalf("the log ends at %d behind the snapshot, %v", last, err)
		}
		if err := follower.storage.log.StoreLogs(old); err != nil {
			t.Fatal(err)
		}
		send(leader, snapshot.Term, end, end+3)
		later := snapshot.Term + 10
		send(other, later, end-back, end+2)
		var l raft.Log
		if err := follower.storage.log.GetLog(end+1, &l); err != nil || l.Term != later || follower.raft().LastIndex() != end+2 {
			t.Errorf("entry %d is of term %d, %v, and the last is %d: want term %d, and %d", end+1, l.Term, err, follower.raft().LastIndex(), later, end+2)
		}
	}
}

// A leader that hears of another one, of a later term, proposes nothing more: least of all in
// that term, in which the other one does.
func TestHeartbeatOfLaterTerm(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	leader, other := c.nodes[lead], c.nodes[(lead+1)%3]
	c.write(lead, "SET k v")
	c.same()
	last, later := leader.raft().LastIndex(), leader.raft().CurrentTerm()+10 // nobody is elected in so late a term
	id, address := target(leader)
	heartbeat := &raft.AppendEntriesRequest{RPCHeader: header(other), Term: later}
	var response raft.AppendEntriesResponse
	if err := other.transport.AppendEntries(id, address, heartbeat, &response); err != nil || !response.Success {
		t.Fatalf("the leader answers %+v, %v", response, err)
	}
	leader.raft().Barrier(0).Error()
	var proposed raft.Log
	if err := leader.storage.log.GetLog(last+1, &proposed); err == nil && proposed.Term == later {
		t.Errorf("entry %d is of term %d, which another node leads", proposed.Index, proposed.Term)
	}
	c.write(lead, "SET k v")
	c.same()
}

// snapshot has a node take one and opens it.
func (c *testCluster) snapshot(i int) (*raft.SnapshotMeta, io.Reader) {
	c.t.Helper()
	n := c.nodes[i]
	if err := n.Save(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	list, err := n.storage.snapshots.List()
	if err != nil || len(list) == 0 {
		c.t.Fatalf("no snapshot: %v", err)
	}
	meta, content, err := n.storage.snapshots.Open(list[0].ID)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { content.Close() })
	return meta, content
}

// installation is how a leader sends a snapshot.
func installation(leader *Node, meta *raft.SnapshotMeta) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{
		RPCHeader:       header(leader),
		SnapshotVersion: meta.Version, Term: leader.raft().CurrentTerm(), Leader: []byte(leader.advertised()),
		LastLogIndex: meta.Index, LastLogTerm: meta.Term, Size: meta.Size,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
	}
}

func header(n *Node) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.identity.NodeID), Addr: []byte(n.advertised())}
}

func target(n *Node) (raft.ServerID, raft.ServerAddress) {
	return raft.ServerID(n.identity.NodeID), raft.ServerAddress(n.advertised())
}
