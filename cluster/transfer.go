package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// TransferLeadership hands leadership to the voter whose log has come furthest, if
// this node has it. Requests wait meanwhile.
func (n *Node) TransferLeadership(ctx context.Context) error {
	for {
		r := n.raft()
		if r == nil || r.State() != raft.Leader {
			return nil
		}
		_, changed := n.route.get()
		others, _, err := n.otherVoters(r)
		if err != nil {
			return err
		}
		id := n.furthest(n.wellTimed(others))
		if id == "" {
			id = n.furthest(others)
		}
		if id == "" {
			return errors.New("no other voter answers")
		}
		if server, ok := n.server(r, raft.ServerID(id)); ok {
			if err = n.handOver(r, server); err == nil {
				n.route.pause(ctx, changed, n.config.ElectionTimeout)
				return nil
			}
		}
		if n.route.pause(ctx, changed, 5*time.Millisecond) != nil {
			return fmt.Errorf("transfer leadership to %s: %w", id, err)
		}
	}
}

// transferWithin is TransferLeadership for so long.
func (n *Node) transferWithin(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return n.TransferLeadership(ctx)
}

// furthest returns which of some nodes has the longest log, "" when none answers. Those
// that are unfit to lead are left out.
func (n *Node) furthest(ids []string) string {
	best, bestID := logState{}, ""
	for _, l := range n.peers.links(ids) {
		answer, err := l.call(askLogState, nil, 100*time.Millisecond)
		if err != nil {
			continue
		}
		if state, err := decodeLogState(answer); err == nil && !state.unfit && (bestID == "" || best.before(state)) {
			best, bestID = state, l.peer.NodeID
		}
	}
	return bestID
}

var (
	// ErrLeads is what Lead says at the leader, in Redis's words.
	ErrLeads = &Error{"ERR", "You should send CLUSTER FAILOVER to a replica"}

	// ErrNotVoter is what Lead says at a node that is no voter, or not yet.
	ErrNotVoter = &Error{"ERR", "this node is not a voter, and cannot lead"}

	// ErrUnfit is what Lead says at a node whose disk is full or stands still.
	ErrUnfit = &Error{"ERR", "this node's disk is full or stands still, and it cannot lead"}
)

// Lead has the leader hand over to this node, and returns when it leads, or within
// the commit timeout. Requests wait meanwhile.
func (n *Node) Lead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	for {
		leader, changed := n.route.get()
		r := n.raft()
		switch {
		case r == nil || !n.isVoter(r):
			return ErrNotVoter
		case n.disk.unfit() != nil:
			return ErrUnfit
		case leader == n.identity.NodeID:
			return ErrLeads
		case n.quarantine.on():
			return errDiverged
		}
		err := error(errLinkDown)
		if l := n.peers.link(leader); l != nil {
			var e encoder
			e.string(n.identity.NodeID)
			_, err = l.call(askLead, e.buf, 2*n.config.ElectionTimeout)
		}
		wait := retryLead
		if err == nil {
			wait = n.config.ElectionTimeout
		}
		if n.route.pause(ctx, changed, wait) != nil {
			return ErrNoLeader
		}
		if n.route.leading() {
			return nil
		}
	}
}

const retryLead = 20 * time.Millisecond

// leadTo makes another voter the leader, if this node leads.
func (n *Node) leadTo(id string) error {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return errNotLeader
	}
	server, ok := n.server(r, raft.ServerID(id))
	if !ok || server.Suffrage != raft.Voter {
		return ErrNotVoter
	}
	n.log.Info("handing over leadership", "to", id)
	return n.handOver(r, server)
}

// handOver waits until raft has handed leadership over, or for an election timeout. Raft
// never answers a transfer that it has not begun when it is shut down, so that Close holds
// the baton at that time, for good.
//
// Raft takes no entries until the other log has all of them, and where two transfers in a row
// have waited for that in vain it may never take any again: see keepsUp.
func (n *Node) handOver(r *raft.Raft, to raft.Server) error {
	select {
	case n.transferring <- struct{}{}:
		defer n.transferring.give()
	case <-n.closing:
		return ErrClosed
	}
	if !n.keepsUp(r, string(to.ID)) {
		return errBehind
	}
	return r.LeadershipTransferToServer(to.ID, to.Address).Error()
}

var errBehind = errors.New("its log does not come as far as the leader's")

// keepsUp waits until a node's log has what this leader's has now, for an election timeout.
func (n *Node) keepsUp(r *raft.Raft, id string) bool {
	term, last := r.CurrentTerm(), r.LastIndex()
	ctx, cancel := context.WithTimeout(n.ctx, n.config.ElectionTimeout)
	defer cancel()
	for {
		_, changed := n.route.get()
		if l := n.peers.link(id); l != nil {
			answer, err := l.call(askLogState, nil, n.config.ElectionTimeout)
			if state, decodeErr := decodeLogState(answer); err == nil && decodeErr == nil && state.lastTerm == term && state.lastIndex >= last {
				return true
			}
		}
		if r.State() != raft.Leader || n.route.pause(ctx, changed, 5*time.Millisecond) != nil {
			return false
		}
	}
}
