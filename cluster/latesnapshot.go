package cluster

import (
	"io"

	"github.com/hashicorp/raft"
)

// screen passes requests of other nodes on to raft, except for snapshots of a state that
// this node is past. The leader sends one to a follower that is behind; held up on its way,
// by a network that stood still, it may arrive when the follower has come further, by
// another snapshot and by the log. Raft would install it all the same: it would go back,
// and drop every entry since, acknowledged or not. It is answered instead as one that has
// been installed: all that is in it is here.
func (n *Node) screen(from <-chan raft.RPC, to chan<- raft.RPC) {
	for {
		select {
		case rpc := <-from:
			if request, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && n.isPast(request) {
				io.Copy(io.Discard, rpc.Reader) // raft reads the next request behind it
				rpc.Respond(&raft.InstallSnapshotResponse{Term: n.raft().CurrentTerm(), Success: true}, nil)
				continue
			}
			select {
			case to <- rpc:
			case <-n.closing:
				return
			}
		case <-n.closing:
			return
		}
	}
}

// isPast reports whether this node has all that is in a snapshot: it has applied it, or
// its log has the snapshot's last entry and thereby all before it (Raft's log matching
// property).
func (n *Node) isPast(request *raft.InstallSnapshotRequest) bool {
	r := n.raft()
	if r == nil || request.Term < r.CurrentTerm() {
		return false // raft says no
	}
	// Raft handles one request after the other. It has done with those before this one when
	// it answers.
	r.VerifyLeader().Error()
	var last raft.Log
	err := n.storage.log.GetLog(request.LastLogIndex, &last)
	return err == nil && last.Term == request.LastLogTerm || r.AppliedIndex() >= request.LastLogIndex
}
