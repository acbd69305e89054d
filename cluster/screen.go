package cluster

import (
	"io"

	"github.com/hashicorp/raft"
)

// screen passes requests of other nodes on to raft, and stands between it and those that it
// would take amiss.
func (n *Node) screen(from <-chan raft.RPC, to chan<- raft.RPC) {
	for {
		select {
		case rpc := <-from:
			switch request := rpc.Command.(type) {
			case *raft.AppendEntriesRequest:
				if n.leaderCommit.Load() < request.LeaderCommitIndex { // a heartbeat has none
					n.leaderCommit.Store(request.LeaderCommitIndex)
				}
				boundCommit(request)
				n.skipCovered(request)
			case *raft.InstallSnapshotRequest:
				if n.isPast(request) {
					io.Copy(io.Discard, rpc.Reader) // raft reads the next request behind it
					rpc.Respond(&raft.InstallSnapshotResponse{Term: n.raft().CurrentTerm(), Success: true}, nil)
					continue
				}
				n.install(rpc, to)
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

// install passes on a snapshot when this node is not taking one itself, and returns when raft has
// it. Raft would do both at once, and go back to the one that it has finished last.
func (n *Node) install(rpc raft.RPC, to chan<- raft.RPC) {
	select {
	case n.snapshots.turn <- struct{}{}:
		defer n.snapshots.turn.give()
	case <-n.closing:
		return
	}
	installed := make(chan raft.RPCResponse, 1)
	answer := rpc.RespChan
	rpc.RespChan = installed
	select {
	case to <- rpc:
	case <-n.closing:
		return
	}
	select {
	case response := <-installed:
		answer <- response
	case <-n.closing:
	}
}

// boundCommit has a request commit nothing beyond the entries that it shows to be the
// leader's (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm",
// figure 2). Raft takes the leader's commit index for as much of the log as there is. A node
// that led before may have entries there that were never committed, and would apply them:
// a leader that has lost contact asks it first, without any entries, how far its log agrees.
func boundCommit(request *raft.AppendEntriesRequest) {
	last := request.PrevLogEntry + uint64(len(request.Entries))
	request.LeaderCommitIndex = min(request.LeaderCommitIndex, last)
}

// skipCovered has raft not compare what only a snapshot of this node has any more. All of that is
// committed, so that whoever leads has the same (Raft's leader completeness property).
//
// Raft looks up the entry before the new ones in its log, and finds none there once a snapshot has
// taken its place: it refuses, also where the snapshot ends with that entry, if some of an earlier
// leader's follow it that were never committed. The leader goes back entry by entry, sends a
// snapshot in the end, which may be older than this node's own, and begins anew: without a third
// node nothing would ever be committed again. What raft could not clear when it installed a
// snapshot is cleared before.
func (n *Node) skipCovered(request *raft.AppendEntriesRequest) {
	r := n.raft()
	if r == nil || request.PrevLogEntry == 0 {
		return
	}
	applied := r.AppliedIndex()
	first, err := n.storage.dropOld(applied)
	if err != nil || request.PrevLogEntry > applied || first > 0 && request.PrevLogEntry >= first {
		return
	}
	for len(request.Entries) > 0 && request.Entries[0].Index <= applied {
		request.Entries = request.Entries[1:]
	}
	request.PrevLogEntry, request.PrevLogTerm = 0, 0 // raft compares nothing
}

// isRoutine reports whether a heartbeat of a term tells this node nothing new. Raft handles
// heartbeats beside its main thread (github.com/hashicorp/raft/issues/695). One of a later term
// would change term and state under it: a leader that waits for the next entry would write that
// with the new term, which is another leader's, so that two entries have the same index and
// term; and a voter that has just promised a still later term would go back behind it.
func (n *Node) isRoutine(term uint64) bool {
	r := n.raft()
	return r != nil && r.State() == raft.Follower && term <= r.CurrentTerm()
}

// isPast reports whether this node has all that is in a snapshot: it has applied it, or
// its log has the snapshot's last entry and thereby all before it (Raft's log matching
// property).
//
// The leader sends a snapshot to a follower that is behind; held up on its way, by a network
// that stood still, it may arrive when the follower has come further, by another snapshot
// and by the log. Raft would install it all the same: it would go back, and drop every entry
// since, acknowledged or not.
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
