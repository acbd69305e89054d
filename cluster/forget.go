package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrForgetSelf is what Forget says of the node itself, in Redis's words.
var ErrForgetSelf = &Error{"ERR", "I tried hard but I can't forget myself..."}

// Forget takes a node that does not run out of the cluster: it is no member from then on,
// and counts for no majority. It comes back as a new node, with an empty directory; what it
// had on disk is the word of one who has missed what was decided since.
func (n *Node) Forget(ctx context.Context, id string) error {
	if id == n.identity.NodeID {
		return ErrForgetSelf
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	for {
		leader, changed := n.route.get()
		err := error(errLinkDown)
		if leader == n.identity.NodeID {
			err = n.dismiss(id)
		} else if l := n.peers.link(leader); l != nil {
			var e encoder
			e.string(id)
			_, err = l.call(askForget, e.buf, n.config.CommitTimeout)
		}
		var refused *refusal
		if errors.As(err, &refused) {
			return &Error{"ERR", refused.text}
		}
		if err == nil {
			return nil
		}
		if n.route.pause(ctx, changed, retryLead) != nil {
			return ErrUncertain
		}
	}
}

// dismiss is Forget at the leader. A node that is dismissed again is gone already.
func (n *Node) dismiss(id string) error {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return errNotLeader
	}
	if n.disk.isFull() {
		return ErrDiskFull
	}
	n.admitting.take()
	defer n.admitting.give()
	switch _, member := n.server(r, raft.ServerID(id)); {
	case !member:
		return nil
	case id == n.identity.NodeID:
		return &refusal{fmt.Sprintf("node %q leads: stop it first", id)}
	case n.peers.link(id) != nil:
		return &refusal{fmt.Sprintf("node %q runs: stop it first", id)}
	}
	if err := n.change(r.RemoveServer(raft.ServerID(id), 0, configTimeout)); err != nil {
		return err
	}
	delete(n.admitted, id)
	n.log.Info("node forgotten", "node", id)
	return nil
}

// isForgotten reports whether a node that calls itself a member is none. Only the leader
// can tell: others learn late of who is one.
func (n *Node) isForgotten(h hello) bool {
	r := n.raft()
	if r == nil || r.State() != raft.Leader || h.ClusterID == "" || h.ClusterID != n.clusterID() {
		return false
	}
	_, member := n.server(r, raft.ServerID(h.NodeID))
	return !member
}
