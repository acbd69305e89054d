package cluster

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// maxForwarded bounds the frames of other nodes that wait at the leader. Each node
// has one on its way, and a second after it has taken another leader for a while.
const maxForwarded = 256

// proposer packs what waits at the leader, from its own outbox and from the other
// nodes', into one log entry at a time. While that entry is on its way the next one
// gathers, so the load sets the size of an entry and an idle cluster commits a lone
// command at once. One entry in flight measured faster than two or four: more of them
// are smaller, and each costs every node an fsync.
type proposer struct {
	n    *Node
	wake chan struct{}

	mu        sync.Mutex
	forwarded []forwarded
	control   []control
	reap      bool // an entry is wanted for its stamp alone

	// Used by run alone.
	gathering gathering
	memory    []byte // for requests on their way from the outbox into an entry
}

// forwarded is a frame of another node.
type forwarded struct {
	section fsm.Section
	answer  func(replies []fsm.Reply, err error)
}

// control is an entry of the cluster's own: a registration, or the end of formation.
type control struct {
	encode func(at fsm.Millis) []byte
	done   func(err error)
}

func newProposer(n *Node) *proposer { return &proposer{n: n, wake: make(chan struct{}, 1)} }

func (p *proposer) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// forward takes a frame of another node; answer is called once.
func (p *proposer) forward(section fsm.Section, answer func([]fsm.Reply, error)) {
	p.mu.Lock()
	full := len(p.forwarded) >= maxForwarded
	if !full && p.n.route.leading() {
		p.forwarded = append(p.forwarded, forwarded{section, answer})
		p.mu.Unlock()
		p.kick()
		return
	}
	p.mu.Unlock()
	answer(nil, errNotLeader)
}

// propose takes an entry of the cluster's own; done is called once, from another
// goroutine, when it has been applied here or this node turned out not to lead.
func (p *proposer) propose(encode func(at fsm.Millis) []byte, done func(error)) {
	p.mu.Lock()
	p.control = append(p.control, control{encode, done})
	p.mu.Unlock()
	p.kick()
}

// wantReap asks for an entry even if nothing waits: its stamp reaps what is due.
func (p *proposer) wantReap() {
	p.mu.Lock()
	p.reap = true
	p.mu.Unlock()
	p.kick()
}

// run proposes until the node closes.
func (p *proposer) run() {
	for {
		select {
		case <-p.wake:
		case <-p.n.closing:
			p.refuse()
			return
		}
		for p.n.route.leading() && p.step() {
		}
		if !p.n.route.leading() {
			p.refuse()
		}
	}
}

// refuse sends back what waits here: this node does not lead.
func (p *proposer) refuse() { p.sendBack(errNotLeader) }

func (p *proposer) sendBack(why error) {
	p.mu.Lock()
	frames, controls := p.forwarded, p.control
	p.forwarded, p.control, p.reap = nil, nil, false
	p.mu.Unlock()
	for _, f := range frames {
		f.answer(nil, why)
	}
	for _, c := range controls {
		c.done(why)
	}
}

// turnAway refuses what waits here, as no majority has room for it.
func (p *proposer) turnAway() { p.sendBack(ErrDiskFull) }

// step proposes one entry and waits until it has been applied; false when there is
// nothing to propose.
func (p *proposer) step() bool {
	if p.n.disk.isFull() || p.n.disks.crammed.Load() {
		return false // leadership goes to another node, or else what waits is turned away
	}
	if !p.n.clocks.known() {
		return false // nobody can say what time it is
	}
	if c, ok := p.takeControl(); ok {
		_, err := p.commit(c.encode(p.n.now()), 0)
		c.done(err)
		return true
	}
	if !p.n.formed() {
		return false // nothing of clients before the cluster is complete
	}

	p.gathering.wait(p.waiting, p.wake)
	own := p.n.outbox.take(p.n.config.MaxEntryBytes, &p.memory)
	sections := make([]fsm.Section, 0, 4)
	if own.id != 0 {
		sections = append(sections, own.Section)
	}
	frames := p.takeForwarded(p.n.config.MaxEntryBytes - len(own.Requests))
	for _, f := range frames {
		sections = append(sections, f.section)
	}
	p.mu.Lock()
	reap := p.reap
	p.reap = false
	p.mu.Unlock()
	if len(sections) == 0 && !reap {
		return false
	}

	size, count := 64, 0
	for _, s := range sections {
		size += len(s.Requests) + 64
		count += s.Count
	}
	entry := fsm.AppendEntry(make([]byte, 0, size), p.n.now(), rand.Uint64(), sections)
	start := time.Now()
	results, err := p.commit(entry, count)
	if err != nil {
		p.gathering = gathering{}
		if own.id != 0 {
			p.n.outbox.resend(own.id)
		}
		for _, f := range frames {
			f.answer(nil, errNotLeader)
		}
		return true
	}
	p.gathering.answered(len(own.numbers)+len(frames), start)
	results = results[own.Count:] // the outbox took its own when they were applied
	for _, f := range frames {
		replies := make([]fsm.Reply, f.section.Count)
		for i := range replies {
			replies[i] = results[i].Reply
		}
		results = results[len(replies):]
		f.answer(replies, nil)
	}
	return true
}

// waiting is how many groups and frames wait.
func (p *proposer) waiting(enough int) int {
	p.mu.Lock()
	frames := len(p.forwarded)
	p.mu.Unlock()
	return frames + p.n.outbox.gather(enough-frames)
}

func (p *proposer) takeControl() (c control, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.control) == 0 {
		return c, false
	}
	c = p.control[0]
	p.control = p.control[1:]
	return c, true
}

// takeForwarded takes frames up to a number of bytes, at least one.
func (p *proposer) takeForwarded(bytes int) []forwarded {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for ; n < len(p.forwarded); n++ {
		bytes -= len(p.forwarded[n].section.Requests)
		if bytes < 0 && n > 0 {
			break
		}
	}
	taken := p.forwarded[:n:n]
	p.forwarded = p.forwarded[n:]
	return taken
}

// commit replicates an entry with count requests and returns their results. An error
// does not say whether the entry will be applied after all: requests carry ids for that.
func (p *proposer) commit(entry []byte, count int) ([]fsm.Result, error) {
	r := p.n.raft()
	if r == nil {
		return nil, errNotLeader
	}
	future := r.Apply(entry, 0)
	if err := future.Error(); err != nil {
		if errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			// Leadership is on its way: what waits goes to the new leader in a moment.
			p.n.route.waitChange(5 * time.Millisecond)
		}
		return nil, err
	}
	results, _ := future.Response().([]fsm.Result)
	if len(results) != count {
		// It was applied when this node had just heard that it leads no longer, and such a
		// node keeps no results. The next leader's machine has them, under the ids.
		return nil, errNotLeader
	}
	return results, nil
}

// now is the stamp of the next entry. The machine takes no stamp before its last one.
func (n *Node) now() fsm.Millis { return max(n.clocks.now(), n.machine.Clock()) }
