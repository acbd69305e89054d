package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// maxPooled is how many idle connections to each node raft's transport keeps.
const maxPooled = 3

// transport is raft's. It keeps connections for later, and learns that the process at the
// other end is gone only by using one. Raft does not ask for a vote twice, so that after
// a restart of the voter the election would be lost: here it is asked for on a fresh one.
type transport struct {
	*raft.NetworkTransport
	requests chan raft.RPC     // see screen
	routine  func(uint64) bool // see isRoutine
	closing  <-chan struct{}
	unfit    func() error // why this node should not lead
}

func (t *transport) Consumer() <-chan raft.RPC { return t.requests }

// SetHeartbeatHandler has raft handle a heartbeat at once, even while its main thread waits for
// the disk, if that changes nothing but when the leader was last heard. Any other has to wait
// for the main thread: see isRoutine.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		if heartbeat, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && t.routine(heartbeat.Term) {
			handle(rpc)
			return
		}
		select {
		case t.requests <- rpc:
		case <-t.closing:
		}
	})
}

func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return again(func() error { return t.NetworkTransport.RequestVote(id, target, args, resp) })
}

func (t *transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.unfit(); err != nil {
		return err // without it raft does not stand
	}
	return again(func() error { return t.NetworkTransport.RequestPreVote(id, target, args, resp) })
}

// again calls as often as there can be dead connections, and once more. A failure that
// took its time is not that of a connection which had ended before.
func again(call func() error) (err error) {
	for range maxPooled + 1 {
		began := time.Now()
		if err = call(); err == nil || time.Since(began) > 50*time.Millisecond {
			return err
		}
	}
	return err
}
