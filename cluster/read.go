package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// readPoint is where and when a read has to be evaluated to be current: on a state
// that includes the entry at index, at the leader's clock now.
type readPoint struct {
	index uint64
	now   fsm.Millis
}

// Read runs commands on the local copy as of a point that covers every write
// acknowledged before the call: a quorum has answered a question asked after it that
// the leader still leads (Ongaro, "Consensus: Bridging Theory and Practice", section
// 6.4). It returns a reply to each command, all as of one state; or, once they are as
// long as limit, in bytes, to the first ones only. The replies are the caller's.
func (n *Node) Read(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	start := time.Now()
	for {
		leader, changed := n.route.get()
		var replies []fsm.Reply
		err := error(ErrNoLeader)
		switch {
		case !n.formed():
			err = ErrNotFormed
		case leader == n.identity.NodeID:
			replies, err = n.readLeading(ctx, calls, limit)
		case leader != "":
			replies, err = n.readFollowing(ctx, leader, changed, calls, limit)
		}
		if err == nil {
			return replies, nil
		}
		// Reads have no effect, so that trying again is always right.
		if time.Since(start) > n.config.CommitTimeout || n.route.pause(ctx, changed, 5*time.Millisecond) != nil || n.isClosing() {
			if errors.Is(err, ErrNotFormed) {
				return nil, ErrNotFormed
			}
			return nil, ErrNoLeader
		}
	}
}

// ReadLocal is Read on this node's copy as it is, at this node's clock; in quarantine it is
// Read.
func (n *Node) ReadLocal(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	if n.quarantine.on() {
		return n.Read(ctx, calls, limit)
	}
	replies, _ := n.machine.ReadSome(n.now(), rand.Uint64(), calls, limit)
	return replies, nil
}

func (n *Node) readLeading(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	for {
		point, err := n.rounds.confirm(ctx)
		if err != nil {
			return nil, err
		}
		if err := n.waitApplied(ctx, point.index, 0); err != nil {
			return nil, err
		}
		replies, due := n.machine.ReadSome(point.now, rand.Uint64(), calls, limit)
		if due == 0 {
			return replies, nil
		}
		// A key's time is up, but the log does not say so yet.
		n.proposer.wantReap()
		if err := n.waitApplied(ctx, 0, due); err != nil {
			return nil, err
		}
	}
}

// waitApplied is progress.wait for at most the commit timeout.
func (n *Node) waitApplied(ctx context.Context, index uint64, clock fsm.Millis) error {
	if n.machine.Index() >= index && n.machine.Clock() >= clock {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	return n.progress.wait(ctx, n.machine, index, clock)
}

func (n *Node) readFollowing(ctx context.Context, leader string, changed <-chan struct{}, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	point, err := n.asks.confirm(ctx)
	if err != nil {
		return nil, err
	}
	if n.machine.Index() >= point.index && !n.quarantine.on() {
		replies, due := n.machine.ReadSome(point.now, rand.Uint64(), calls, limit)
		if due == 0 {
			return replies, nil
		}
	}
	// A quiet cluster learns late what has been committed: the leader knows. And it knows
	// the right state.
	ctx, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	l := n.peers.link(leader)
	if l == nil {
		return nil, errLinkDown
	}
	var e encoder
	e.uint(uint64(limit))
	e.calls(calls)
	type outcome struct {
		replies []fsm.Reply
		err     error
	}
	done := make(chan outcome, 1)
	l.ask(askRead, e.buf, func(answer []byte, err error) {
		d := decoder{buf: answer}
		replies := d.replies()
		if err == nil {
			err = d.err
		}
		done <- outcome{replies, err}
	})
	select {
	case o := <-done:
		return o.replies, o.err
	case <-changed:
		return nil, errNotLeader
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readIndex is the index that a current read at the leader has to include: the last
// committed entry that the machine gets to see. Raft's commit index may be that of a
// no-op, a barrier or a configuration, which never reach it.
func (n *Node) readIndex(r *raft.Raft) uint64 {
	applied := n.machine.Index()
	var l raft.Log
	for i := r.CommitIndex(); i > applied; i-- {
		if err := n.storage.log.GetLog(i, &l); err == nil && l.Type == raft.LogCommand {
			return i
		}
	}
	return applied
}

const (
	// secondPeerAfter is how long a round waits for the nodes it asked first before
	// it asks the others too.
	secondPeerAfter = 2 * time.Millisecond

	// roundTimeout ends a round without a quorum; the reads ask again.
	roundTimeout = 200 * time.Millisecond

	// askTimeout is how long a follower waits for the leader's answer.
	askTimeout = time.Second
)

// startRound begins a quorum round: has anybody voted for a later term? It fits
// batcher.start. The question is only valid for reads that arrived before it.
func (n *Node) startRound(done func(readPoint, error)) {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		done(readPoint{}, errNotLeader)
		return
	}
	term := r.CurrentTerm()
	if n.appliedTerm.Load() != term {
		// Before an entry of its own term a leader does not know what is committed.
		n.afterBarrier(r, term, func(err error) {
			if err != nil {
				done(readPoint{}, err)
				return
			}
			n.askQuorum(r, term, done)
		})
		return
	}
	n.askQuorum(r, term, done)
}

func (n *Node) askQuorum(r *raft.Raft, term uint64, done func(readPoint, error)) {
	confirmed := func() {
		if r.State() != raft.Leader || r.CurrentTerm() != term {
			done(readPoint{}, errNotLeader)
			return
		}
		done(readPoint{n.readIndex(r), n.now()}, nil)
	}
	others, need, err := n.otherVoters(r)
	if err != nil {
		done(readPoint{}, err)
		return
	}
	if need == 0 || n.config.UnsafeLocalReads {
		confirmed()
		return
	}

	round := &round{need: need, open: true}
	finish := func(err error) {
		if round.timer != nil {
			round.timer.Stop()
		}
		if err != nil {
			done(readPoint{}, err)
		} else {
			confirmed()
		}
	}
	ask := func(l *link) {
		l.ask(askTerm, nil, func(answer []byte, err error) {
			d := decoder{buf: answer}
			theirs := d.uint()
			if err != nil || d.err != nil {
				return // the others, or the timeout, decide
			}
			if theirs < term {
				return // it has lost its memory, or not heard of this term yet
			}
			if verdict, over := round.count(theirs == term); over {
				finish(verdict)
			}
		})
	}

	// Ask as many as are needed first, a different choice each time.
	links := n.peers.links(others)
	if len(links) < need {
		done(readPoint{}, ErrNoLeader)
		return
	}
	first := int(n.roundNumber.Add(1)) % len(links)
	rest := make([]*link, 0, len(links))
	for i := range links {
		l := links[(first+i)%len(links)]
		if i >= need {
			rest = append(rest, l)
		}
	}
	round.mu.Lock()
	round.timer = time.AfterFunc(secondPeerAfter, func() {
		for _, l := range rest {
			ask(l)
		}
		round.mu.Lock()
		if round.open {
			round.timer = time.AfterFunc(roundTimeout, func() {
				if round.close() {
					finish(ErrNoLeader)
				}
			})
		}
		round.mu.Unlock()
	})
	round.mu.Unlock()
	for i := 0; i < need; i++ {
		ask(links[(first+i)%len(links)])
	}
}

// round counts the answers to one question.
type round struct {
	mu    sync.Mutex
	need  int
	open  bool
	timer *time.Timer
}

// count takes an answer; over is true for the one that decides.
func (r *round) count(sameTerm bool) (verdict error, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return nil, false
	}
	if !sameTerm {
		r.open = false
		return errNotLeader, true
	}
	if r.need--; r.need > 0 {
		return nil, false
	}
	r.open = false
	return nil, true
}

func (r *round) close() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.open
	r.open = false
	return was
}

// otherVoters returns the voters beside this node, and how many of them make a
// majority together with it.
func (n *Node) otherVoters(r *raft.Raft) (others []string, need int, err error) {
	future := r.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, 0, err
	}
	voters := 0
	for _, server := range future.Configuration().Servers {
		if server.Suffrage != raft.Voter {
			continue
		}
		voters++
		if string(server.ID) != n.identity.NodeID {
			others = append(others, string(server.ID))
		}
	}
	return others, voters / 2, nil
}

// startAsk asks the leader for a read point. It fits batcher.start. A leader that is
// gone without a word does not hold up the next one: see watchLeader and expireRequests.
func (n *Node) startAsk(done func(readPoint, error)) {
	leader, _ := n.route.get()
	l := n.peers.link(leader)
	if l == nil {
		done(readPoint{}, errLinkDown)
		return
	}
	l.ask(askReadIndex, nil, func(answer []byte, err error) {
		d := decoder{buf: answer}
		point := readPoint{index: d.uint(), now: fsm.Millis(d.uint())}
		if err == nil {
			err = d.err
		}
		done(point, err)
	})
}
