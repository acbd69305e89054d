package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// silence is how long a follower has heard nothing from its leader: that is paused or
// cut off, or its host is gone. Raft's own way needs two timers in a row, since whoever
// first has waited an election timeout is refused by those who still wait. Here the
// followers ask each other: when a majority of the voters has heard nothing for too
// long, the one with the best log stands at once. What too long is they measure, as a
// network's delays and a busy machine's are part of what is usual.
//
// A follower that alone does not hear the leader is not agreed with, so that a link
// which comes and goes deposes nobody.
type silence struct {
	timeout time.Duration // the election timeout

	mu      sync.Mutex
	leader  string
	contact time.Time     // with it, the last one that is known of
	looked  time.Time     // when that was
	quiet   time.Duration // since then, in time that this process was awake
	usual   time.Duration // the longest quiet between two contacts lately
	trip    time.Duration // of a question to the leader and back
}

const (
	looksPerTimeout = 20   // how often a follower looks after its leader
	usualFades      = 1024 // looks, until a long quiet counts for a third of what it did
)

// tooLong is twice what is usual, between three quarters and all of the election timeout.
// Raft sends a heartbeat up to a fifth of that after the answer to the last one. At a half,
// followers of a machine that others kept busy as well agreed once in twenty minutes.
func (s *silence) tooLong() time.Duration {
	return min(max(2*s.usual, 3*s.timeout/4+s.trip), s.timeout)
}

// look takes note of when the leader was last heard, and reports whether that is too
// long ago. Time in which this process was not run itself hardly counts: the leader's
// words may wait to be read.
func (s *silence) look(leader string, contact, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	awake := min(now.Sub(s.looked), 2*s.timeout/looksPerTimeout)
	s.looked = now
	s.usual -= s.usual / usualFades
	switch {
	case leader == "" || leader != s.leader: // a node that leads hears nobody
		s.leader, s.contact, s.quiet = leader, contact, 0
	case contact.After(s.contact):
		s.usual = max(s.usual, s.quiet)
		s.contact, s.quiet = contact, min(now.Sub(contact), awake)
	default:
		s.quiet += awake
	}
	return leader != "" && s.quiet >= s.tooLong()
}

// of reports whether a leader is silent.
func (s *silence) of(leader string, contact time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return leader == s.leader && !contact.After(s.contact) && s.quiet >= s.tooLong()
}

// took takes note of how long a question to the leader takes there and back.
func (s *silence) took(trip time.Duration) {
	s.mu.Lock()
	s.trip = trip
	s.mu.Unlock()
}

// watchSilence looks after the leader for as long as the node runs.
func (n *Node) watchSilence(r *raft.Raft) {
	ticker := time.NewTicker(n.config.ElectionTimeout / looksPerTimeout)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			leader, _ := n.route.get()
			n.silence.took(n.clocks.trip(leader))
			if r.State() == raft.Leader {
				leader = ""
			}
			if !n.silence.look(leader, r.LastContact(), now) {
				continue
			}
			switch r.State() {
			case raft.Follower:
				n.replaceSilent(r, leader)
			case raft.Candidate:
				n.forget(leader)
			}
		case <-n.closing:
			return
		}
	}
}

// replaceSilent asks the others about a leader that this node does not hear.
func (n *Node) replaceSilent(r *raft.Raft, leader string) {
	term := r.CurrentTerm()
	mine, err := n.silentLog(leader, term)
	if err != nil || n.campaigned.Load() == term || !n.isVoter(r) {
		return
	}
	var e encoder
	e.string(leader)
	e.uint(term)
	if err := n.replace(leader, term, mine, poll{askSilent, e.buf, n.config.ElectionTimeout / 4}); err != nil {
		n.log.Debug("leader is not heard", "leader", leader, "term", term, "but", err)
		return
	}
	n.log.Info("leader is silent", "leader", leader, "term", term)
}

// forget has a candidate forget a leader. One that raft was told to become keeps the name
// of a leader that it hears of in its own term; when that leader dies it would refuse its
// vote to everybody else for ever. TimeoutNow is what makes raft forget.
func (n *Node) forget(leader string) {
	n.log.Info("leader is silent: forgetting it", "leader", leader)
	if err := n.timeoutNow(); err != nil {
		n.log.Warn("forgetting the leader", "error", err)
	}
}

var errNotSilent = errors.New("the leader of the term is not silent")

// silentLog returns how far this node's log goes if it, too, does not hear the leader
// of a term.
func (n *Node) silentLog(leader string, term uint64) (logState, error) {
	state, err := n.logState()
	if err != nil || state.term > term || state.stands {
		return state, err // which ends the matter
	}
	if !n.silence.of(leader, n.raft().LastContact()) {
		return state, errNotSilent
	}
	return state, nil
}
