package cluster

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// A leader that is gone is noticed in one of two ways. By silence: see silence. By
// certainty, here: when its process has ended the kernel closes its connections and
// refuses new ones, so that the other nodes can stand for election at once.
//
// Only a refused connection, or a new process behind the address, proves death. A
// connection that is answered by the same process, or that times out, proves nothing.
const (
	proofAttempts = 20
	proofDial     = 100 * time.Millisecond
	lastLogs      = 30 * time.Millisecond // for logs beyond those of a majority
)

// suspect is called when a link to the leader broke.
func (n *Node) suspect(broken *link) {
	leader, boot := broken.peer.NodeID, broken.peer.Boot
	r := n.raft()
	if r == nil || r.State() != raft.Follower {
		return
	}
	term := r.CurrentTerm()
	if !n.provenDead(broken) {
		return
	}
	n.log.Info("leader's process is gone", "leader", leader, "term", term)
	mine, err := n.finalLog(boot)
	if err == nil {
		var e encoder
		e.uint(boot)
		err = n.replace(leader, term, mine, poll{askFinalLog, e.buf, n.config.ElectionTimeout})
	}
	if err != nil {
		n.log.Info("not standing for election", "reason", err)
	}
}

// provenDead finds out whether the process that a broken link led to has ended. It
// dials where the link went to: to look the node's name up takes time, and a container
// takes its name along when it ends.
func (n *Node) provenDead(broken *link) bool {
	for range proofAttempts {
		l, err := n.dialLink(broken.address(), broken.peer.NodeID, proofDial)
		var refused *refusal
		switch {
		case err == nil:
			l.close()
			return l.peer.Boot != broken.peer.Boot
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

// poll is a question about the logs of the other voters. An error for an answer is that of
// a node which is not to be counted.
type poll struct {
	kind    byte
	payload []byte
	timeout time.Duration
}

// replace has the voter with the best log stand for election in place of a leader.
func (n *Node) replace(leader string, term uint64, mine logState, question poll) error {
	best, err := n.bestLog(leader, term, mine, question)
	if err != nil {
		return err
	}
	if best != nil {
		// It may not have noticed. Once it says that it stands nothing is left to do
		// here: two candidates would split the votes, and raft waits an election
		// timeout before it tries again.
		var e encoder
		e.string(leader)
		e.uint(term)
		answer, err := best.call(askCampaign, e.buf, n.config.ElectionTimeout/2)
		if d := (decoder{buf: answer}); err == nil && d.bool() {
			return nil
		}
	}
	n.campaign(leader, term)
	return nil
}

// bestLog returns the link to the voter whose log should win the election, nil when
// that is this node's own, mine. Logs that are equal are ordered by the nodes' ids, so
// that all come to the same result. No election can be won without a majority, so that
// the logs of one are waited for. An error says that they did not come, or that there is
// nothing to do as somebody has stood since the term.
func (n *Node) bestLog(gone string, term uint64, mine logState, question poll) (*link, error) {
	others, need, err := n.otherVoters(n.raft())
	if err != nil {
		return nil, err
	}
	type answer struct {
		link  *link
		state logState
		err   error
	}
	answers := make(chan answer, len(others))
	open := 0
	for _, id := range others {
		l := n.peers.link(id)
		if l == nil || id == gone {
			continue
		}
		open++
		l.ask(question.kind, question.payload, func(b []byte, err error) {
			state, decodeErr := decodeLogState(b)
			if err == nil {
				err = decodeErr
			}
			answers <- answer{l, state, err}
		})
	}
	best, bestState, bestID := (*link)(nil), mine, n.identity.NodeID
	timeout := time.NewTimer(question.timeout)
	defer timeout.Stop()
	got := 0
	for ; open > 0; open-- {
		select {
		case a := <-answers:
			if a.err != nil {
				continue
			}
			id := a.link.peer.NodeID
			// Raft's word for who leads is no proof: a heartbeat that crosses a vote
			// can leave the old leader's name in the new term.
			if a.state.term > term || a.state.stands {
				return nil, fmt.Errorf("%s stands or leads in term %d", id, a.state.term)
			}
			if a.state.betterThan(bestState, id < bestID) {
				best, bestState, bestID = a.link, a.state, id
			}
			if got++; got == need {
				timeout.Reset(lastLogs)
			}
		case <-timeout.C:
			open = 1
		}
	}
	if got < need {
		return nil, fmt.Errorf("%d of %d other voters tell of their logs, %d are needed", got, len(others), need)
	}
	return best, nil
}

// finalLog is the state of the log once it has all that it will get of a process that is
// dead: what that has sent can still be on its way from the connection into the log.
func (n *Node) finalLog(boot uint64) (logState, error) {
	timeout := time.NewTimer(n.config.ElectionTimeout)
	defer timeout.Stop()
	select {
	case <-n.bus.raftEnded(boot):
		return n.logState()
	case <-timeout.C:
		return logState{}, errors.New("the leader's connection is still open")
	}
}

// campaign stands for election at once, by sending raft's TimeoutNow to this node
// itself. Raft obeys it in any state, so the conditions under which it makes sense are
// checked here: a leader would depose itself, a non-voter raise everybody's term. It
// reports whether this node stands, or nobody needs to: the term is over already.
func (n *Node) campaign(dead string, term uint64) bool {
	r := n.raft()
	if r == nil {
		return false
	}
	if r.CurrentTerm() > term {
		return true
	}
	if r.CurrentTerm() < term || !n.isVoter(r) || n.unfit() != nil {
		return false
	}
	if _, leader := r.LeaderWithID(); r.State() == raft.Leader || leader != "" && string(leader) != dead {
		return true
	}
	if n.campaigned.Swap(term) == term {
		return true // once a term
	}
	if r.State() == raft.Follower {
		n.log.Info("standing for election", "term", term+1)
		if err := n.timeoutNow(); err != nil {
			n.log.Warn("standing for election", "error", err)
		}
	}
	return true
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
