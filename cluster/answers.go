package cluster

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// handle answers another node's question, at once or later. It is called by the
// goroutine that reads the link and must not block.
func (n *Node) handle(from *asker, kind byte, id uint64, payload []byte) {
	answer := func(payload []byte, err error) { from.answer(id, payload, err) }
	d := decoder{buf: payload}
	switch kind {
	case askTerm:
		n.answerTerm(answer)
	case askPropose:
		section := d.section()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		n.proposer.forward(section, func(replies []fsm.Reply, err error) {
			var e encoder
			e.replies(replies)
			answer(e.buf, err)
		})
	case askReadIndex:
		if !n.route.leading() {
			answer(nil, errNotLeader)
			return
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), n.config.CommitTimeout)
			defer cancel()
			point, err := n.rounds.confirm(ctx)
			var e encoder
			e.uint(point.index)
			e.uint(uint64(point.now))
			answer(e.buf, err)
		}()
	case askRead:
		limit, calls := int(d.uint()), d.calls()
		if d.err != nil || !n.route.leading() {
			answer(nil, errNotLeader)
			return
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), n.config.CommitTimeout)
			defer cancel()
			replies, err := n.readLeading(ctx, calls, limit)
			var e encoder
			e.replies(replies)
			answer(e.buf, err)
		}()
	case askLogState:
		state, err := n.logState()
		answer(state.encode(), err)
	case askDisk:
		answer(n.diskReport().encode(), nil)
	case askSteady:
		go func() {
			state, err := n.steadyLog()
			answer(state.encode(), err)
		}()
	case askFinalLog:
		boot := d.uint()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		go func() {
			state, err := n.finalLog(boot)
			answer(state.encode(), err)
		}()
	case askSilent:
		leader, term := d.string(), d.uint()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		state, err := n.silentLog(leader, term)
		answer(state.encode(), err)
	case askRegistered:
		if n.quarantine.on() {
			answer(nil, errNotLeader)
			return
		}
		registration, _ := n.machine.Registered(d.string())
		var e encoder
		e.uint(registration.Incarnation)
		e.uint(registration.Nonce)
		answer(e.buf, d.err)
	case askRegister:
		nodeID, nonce, prev := d.string(), d.uint(), d.uint()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		n.proposer.propose(func(at fsm.Millis) []byte {
			return fsm.AppendRegistration(nil, at, nodeID, nonce, prev)
		}, func(err error) { answer(nil, err) })
	case askJoin:
		theirs, err := decodeHello(payload)
		if err != nil {
			answer(nil, err)
			return
		}
		go func() {
			err := n.admit(theirs)
			answer([]byte(n.clusterID()), err)
		}()
	case askPromise:
		var e encoder
		e.bool(n.formation.promise(d.string()))
		answer(e.buf, d.err)
	case askBroadcast:
		answer(n.receive(payload), nil)
	case askClock:
		var e encoder
		e.uint(uint64(n.config.Clock()))
		answer(e.buf, nil)
	case askLead:
		id := d.string()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		go func() { answer(nil, n.leadTo(id)) }()
	case askForget:
		id := d.string()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		go func() {
			err := n.dismiss(id)
			if refused := (*refusal)(nil); err != nil && !errors.As(err, &refused) {
				err = errNotLeader // it is asked again
			}
			answer(nil, err)
		}()
	case askDigest:
		index := d.uint()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		go func() {
			sum, err := n.ownDigest(index)
			answer([]byte(sum), err)
		}()
	case askVerdict:
		c, err := decodeCheck(payload)
		answer(nil, err)
		if err == nil {
			go func() {
				mine, _ := n.ownDigest(c.index)
				n.judge(c, mine)
			}()
		}
	case askCampaign:
		dead, term := d.string(), d.uint()
		if d.err != nil {
			answer(nil, d.err)
			return
		}
		go func() {
			var e encoder
			e.bool(n.campaign(dead, term))
			answer(e.buf, nil)
		}()
	default:
		answer(nil, errMalformed)
	}
}

func (n *Node) answerTerm(answer func([]byte, error)) {
	r := n.raft()
	if r == nil {
		answer(nil, errNotLeader)
		return
	}
	var e encoder
	e.uint(r.CurrentTerm())
	answer(e.buf, nil)
}

// logState is how far a node's log and machine have come.
type logState struct {
	term, lastTerm, lastIndex, applied uint64
	stands                             bool // for election in this term, or it has won it
	unfit                              bool // to lead, for its disk's or its state's sake: see unfit
}

func (s logState) encode() []byte {
	var e encoder
	e.uint(s.term)
	e.uint(s.lastTerm)
	e.uint(s.lastIndex)
	e.uint(s.applied)
	e.bool(s.stands)
	e.bool(s.unfit)
	return e.buf
}

func decodeLogState(b []byte) (logState, error) {
	d := decoder{buf: b}
	s := logState{term: d.uint(), lastTerm: d.uint(), lastIndex: d.uint(), applied: d.uint(), stands: d.bool(), unfit: d.bool()}
	return s, d.err
}

// before reports whether a voter with the log t would refuse its vote to one with the
// log s (Raft, section 5.4.1).
func (s logState) before(t logState) bool {
	return s.lastTerm < t.lastTerm || s.lastTerm == t.lastTerm && s.lastIndex < t.lastIndex
}

// betterThan reports whether a node with the log s should rather stand for election than one
// with the log t; first decides between equal ones.
func (s logState) betterThan(t logState, first bool) bool {
	if s.unfit != t.unfit {
		return t.unfit
	}
	return t.before(s) || !s.before(t) && first
}

func (n *Node) logState() (logState, error) {
	r := n.raft()
	if r == nil {
		return logState{}, errNotLeader
	}
	s := logState{term: r.CurrentTerm(), lastIndex: r.LastIndex(), applied: n.machine.Index(), unfit: n.unfit() != nil}
	s.stands = r.State() == raft.Candidate || r.State() == raft.Leader
	var l raft.Log
	if err := n.storage.log.GetLog(s.lastIndex, &l); err == nil {
		s.lastTerm = l.Term
	} else if snapshots, err := n.storage.snapshots.List(); err == nil && len(snapshots) > 0 && snapshots[0].Index == s.lastIndex {
		s.lastTerm = snapshots[0].Term
	}
	return s, nil
}

// register makes this process's incarnation known in the log, so that requests can
// carry its number. It returns once that is so, or the node closes.
func (n *Node) register() {
	nonce := rand.Uint64() | 1
	for !n.isClosing() {
		leader, changed := n.route.get()
		incarnation, err := n.registerWith(leader, nonce)
		if err == nil {
			n.outbox.register(incarnation)
			return
		}
		n.route.pause(n.ctx, changed, registerRetry)
	}
}

// registerWith asks the leader for the incarnation that it knows of this node, and to
// replace just that one: should the question be held up somewhere until a later
// process of this node has registered, it comes to nothing.
func (n *Node) registerWith(leader string, nonce uint64) (uint64, error) {
	known, err := n.askRegistered(leader)
	if err != nil || known.Nonce == nonce {
		return known.Incarnation, err
	}
	if leader == n.identity.NodeID {
		done := make(chan error, 1)
		n.proposer.propose(func(at fsm.Millis) []byte {
			return fsm.AppendRegistration(nil, at, n.identity.NodeID, nonce, known.Incarnation)
		}, func(err error) { done <- err })
		err = <-done
	} else {
		l := n.peers.link(leader)
		if l == nil {
			return 0, errLinkDown
		}
		var e encoder
		e.string(n.identity.NodeID)
		e.uint(nonce)
		e.uint(known.Incarnation)
		_, err = l.call(askRegister, e.buf, n.config.CommitTimeout)
	}
	if err != nil {
		return 0, err
	}
	known, err = n.askRegistered(leader)
	if err == nil && known.Nonce != nonce {
		err = errNotLeader // somebody was faster; ask again
	}
	return known.Incarnation, err
}

func (n *Node) askRegistered(leader string) (fsm.Registration, error) {
	if leader == "" {
		return fsm.Registration{}, ErrNoLeader
	}
	if leader == n.identity.NodeID {
		registration, _ := n.machine.Registered(leader)
		return registration, nil
	}
	l := n.peers.link(leader)
	if l == nil {
		return fsm.Registration{}, errLinkDown
	}
	var e encoder
	e.string(n.identity.NodeID)
	answer, err := l.call(askRegistered, e.buf, n.config.CommitTimeout)
	if err != nil {
		return fsm.Registration{}, err
	}
	d := decoder{buf: answer}
	registration := fsm.Registration{Incarnation: d.uint(), Nonce: d.uint()}
	return registration, d.err
}
