package cluster

import (
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// A dead leader is noticed in one of two ways. By silence: raft's election timer,
// long enough to stay calm under load. By certainty, here: when its process is gone
// the kernel closes its connections and refuses new ones, so that the other nodes can
// stand for election at once.
//
// Only a refused connection, or a new process behind the address, proves death. A
// connection that is answered by the same process, or that times out, proves nothing.
const (
	proofAttempts = 20
	proofDial     = 100 * time.Millisecond
	standBy       = 30 * time.Millisecond // for the better log to win before this one tries
)

// suspect is called when the link to the leader broke.
func (n *Node) suspect(leader string, boot uint64) {
	r := n.raft()
	if r == nil || r.State() != raft.Follower {
		return
	}
	term := r.CurrentTerm()
	if !n.provenDead(leader, boot) {
		return
	}
	n.log.Info("leader's process is gone", "leader", leader, "term", term)

	mine, err := n.logState()
	if err != nil {
		return
	}
	if best := n.betterLog(leader, mine); best != nil {
		var e encoder
		e.string(leader)
		e.uint(term)
		best.ask(askCampaign, e.buf, func([]byte, error) {})
		// Raft waits an election timeout before it tries again after a lost
		// election, so this node stands by instead of relying on the other.
		time.Sleep(standBy + rand.N(standBy/2))
	}
	n.campaign(leader, term)
}

// provenDead finds out whether the process that a broken link led to has ended.
func (n *Node) provenDead(id string, boot uint64) bool {
	address := n.peers.address(id)
	for range proofAttempts {
		l, err := n.dialLink(address, id, proofDial)
		var refused *refusal
		switch {
		case err == nil:
			l.close()
			return l.peer.Boot != boot
		case errors.Is(err, syscall.ECONNREFUSED):
			return true
		case errors.As(err, &refused):
			return false
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			time.Sleep(time.Millisecond) // its listener is about to close
		default:
			return false
		}
	}
	return false
}

// betterLog returns the link to the voter whose log should win the election, nil when
// that is this node's own. Logs that are equal are ordered by the nodes' ids.
func (n *Node) betterLog(dead string, mine logState) *link {
	others, _, err := n.otherVoters(n.raft())
	if err != nil {
		return nil
	}
	type answer struct {
		link  *link
		state logState
	}
	answers := make(chan answer, len(others))
	asked := 0
	for _, id := range others {
		l := n.peers.link(id)
		if l == nil || id == dead {
			continue
		}
		asked++
		l.ask(askLogState, nil, func(b []byte, err error) {
			state, decodeErr := decodeLogState(b)
			if err != nil || decodeErr != nil {
				answers <- answer{}
				return
			}
			answers <- answer{l, state}
		})
	}
	best, bestState, bestID := (*link)(nil), mine, n.identity.NodeID
	timeout := time.After(standBy)
	for range asked {
		select {
		case a := <-answers:
			if a.link == nil {
				continue
			}
			id := a.link.peer.NodeID
			if bestState.before(a.state) || !a.state.before(bestState) && id < bestID {
				best, bestState, bestID = a.link, a.state, id
			}
		case <-timeout:
			return best
		}
	}
	return best
}

// campaign stands for election at once, by sending raft's TimeoutNow to this node
// itself. Raft obeys it in any state, so the conditions under which it makes sense are
// checked here: a leader would depose itself, a non-voter raise everybody's term.
func (n *Node) campaign(dead string, term uint64) {
	r := n.raft()
	if r == nil || r.State() != raft.Follower || r.CurrentTerm() != term || !n.isVoter(r) {
		return
	}
	if _, leader := r.LeaderWithID(); leader != "" && string(leader) != dead {
		return
	}
	if n.campaigned.Swap(term) == term {
		return // once a term
	}
	n.log.Info("standing for election", "term", term+1)
	if err := n.timeoutNow(); err != nil {
		n.log.Warn("standing for election", "error", err)
	}
}

func (n *Node) timeoutNow() error {
	id, address := raft.ServerID(n.identity.NodeID), raft.ServerAddress(n.advertised())
	var response raft.TimeoutNowResponse
	return n.transport.TimeoutNow(id, address, &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(address),
	}}, &response)
}

func (n *Node) isVoter(r *raft.Raft) bool {
	future := r.GetConfiguration()
	if future.Error() != nil {
		return false
	}
	for _, server := range future.Configuration().Servers {
		if string(server.ID) == n.identity.NodeID {
			return server.Suffrage == raft.Voter
		}
	}
	return false
}
