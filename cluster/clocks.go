package cluster

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// clocks is how far the nodes' clocks are apart. Every node asks all others what time it
// is, over and over, and keeps the answers against its own monotonic time, which nobody can
// set: when a clock is moved, its own included, that shows at once.
//
// What a leader takes for the time is its own clock, but no further from the median of the
// voters' clocks than half of Config.MaxClockSkew. So a deadline is not early by more than
// that bound, through changes of leader as well: one leader may have been half of it behind
// and the next one half of it ahead.
type clocks struct {
	own     func() int64
	bound   int64         // MaxClockSkew, in milliseconds
	longest time.Duration // trip of an answer that says something: see answer
	start   time.Time

	// middle is the median's at; unknown before a majority of the voters' clocks was known
	// at the same time. With fewer it is carried on.
	middle atomic.Int64

	mu     sync.Mutex
	latest int64 // the last stamp in the log, as a clock
	median clock
	peers  map[string]*peerClock
	warned map[string]time.Duration // when it was last said that a node's clock is off

	handedOver time.Duration // the last try; used by watchClocks alone
}

// peerClock is what is known of another node's clock.
type peerClock struct {
	open    bool // a question is on its way
	trip    time.Duration
	samples samples
}

const (
	unknown = math.MinInt64

	clockInterval = 500 * time.Millisecond // between two questions to a peer
	warnInterval  = time.Minute            // between two warnings of one clock

	// handOverPause is the least time between two tries of a node whose clock is off to be
	// rid of leadership. Nodes that judge clocks differently pass it on no faster.
	handOverPause = 5 * time.Second
)

func newClocks(config *Config) *clocks {
	c := &clocks{
		own: config.Clock, bound: config.MaxClockSkew.Milliseconds(), longest: config.ElectionTimeout, start: time.Now(),
		peers: map[string]*peerClock{}, warned: map[string]time.Duration{},
	}
	c.middle.Store(unknown)
	return c
}

// elapsed is the monotonic time.
func (c *clocks) elapsed() time.Duration { return time.Since(c.start) }

// ownClock is this node's own one at a moment.
func (c *clocks) ownClock(now time.Duration) clock {
	at := c.own() - now.Milliseconds()
	return clock{at, at, at}
}

// known reports whether now may be used as a stamp.
func (c *clocks) known() bool { return c.middle.Load() != unknown }

// now is the own clock, limited to what the voters' clocks allow; 0 before they are known.
func (c *clocks) now() fsm.Millis {
	middle := c.middle.Load()
	if middle == unknown {
		return 0
	}
	middle += c.elapsed().Milliseconds()
	return fsm.Millis(min(max(c.own(), middle-c.bound/2), middle+c.bound/2))
}

// ask begins a question to a peer, unless one is on its way.
func (c *clocks) ask(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[id]
	if p == nil {
		p = &peerClock{}
		c.peers[id] = p
	}
	if p.open {
		return false
	}
	p.open = true
	return true
}

// answer ends it. One that took longer than an election timeout was held up, as where trips
// are that long nobody stays leader; nothing is learned from it.
func (c *clocks) answer(id string, asked time.Duration, told int64, err error) {
	answered := c.elapsed()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[id]
	if p == nil {
		return // it is no member any more
	}
	p.open = false
	if err != nil {
		return
	}
	if p.trip = answered - asked; p.trip <= c.longest {
		p.samples = p.samples.add(newSample(asked, answered, told))
	}
}

// trip is how long the last question to a peer took there and back.
func (c *clocks) trip(id string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.peers[id]; p != nil {
		return p.trip
	}
	return 0
}

// compare finds the median of the voters' clocks. It reports whether it is the first one.
func (c *clocks) compare(self string, servers []raft.Server, latest fsm.Millis) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.elapsed()
	c.latest = max(c.latest, int64(latest)-now.Milliseconds())
	members, voters := map[string]bool{}, 0
	var known []clock
	for _, server := range servers {
		id := string(server.ID)
		members[id] = true
		if server.Suffrage != raft.Voter {
			continue
		}
		voters++
		if at, ok := c.clockOf(id, self, now); ok {
			known = append(known, at)
		}
	}
	for id := range c.peers {
		if !members[id] {
			delete(c.peers, id)
			delete(c.warned, id)
		}
	}
	if voters == 0 || len(known) <= voters/2 {
		return false
	}
	first = !c.known()
	c.median = median(known, c.latest, c.bound)
	c.middle.Store(c.median.at)
	return first
}

// clockOf is called with mu held.
func (c *clocks) clockOf(id, self string, now time.Duration) (clock, bool) {
	if id == self {
		return c.ownClock(now), true
	}
	if p := c.peers[id]; p != nil {
		best, ok := p.samples.best(now)
		return best.clock(), ok
	}
	return clock{}, false
}

// skew is how far a node's clock is from the median, and whether it is surely off: by more
// than half of the bound. ok is false if that is not known.
func (c *clocks) skew(id, self string) (by time.Duration, off, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.clockOf(id, self, c.elapsed())
	if !ok || !c.known() {
		return 0, false, false
	}
	surely := at.ahead(c.median)
	return time.Duration(at.at-c.median.at) * time.Millisecond, max(surely, -surely) > c.bound/2, true
}

// warns reports whether it is to be said that a clock is off, or is no longer.
func (c *clocks) warns(id string, off bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, warned := c.warned[id]
	now := c.elapsed()
	switch {
	case !off:
		delete(c.warned, id)
		return warned
	case warned && now-last < warnInterval:
		return false
	}
	c.warned[id] = now
	return true
}

// askClock asks the other side of a link for its clock.
func (n *Node) askClock(l *link) {
	id := l.peer.NodeID
	if !n.clocks.ask(id) {
		return
	}
	asked := n.clocks.elapsed()
	l.ask(askClock, nil, func(answer []byte, err error) {
		d := decoder{buf: answer}
		told := int64(d.uint())
		if err == nil {
			err = d.err
		}
		n.clocks.answer(id, asked, told, err)
		n.compareClocks()
	})
}

func (n *Node) compareClocks() {
	r := n.raft()
	if r == nil {
		return
	}
	future := r.GetConfiguration()
	if future.Error() != nil {
		return
	}
	if n.clocks.compare(n.identity.NodeID, future.Configuration().Servers, n.machine.Clock()) {
		n.proposer.kick() // it has waited for this
	}
}

// watchClocks measures, warns and hands over for as long as the node runs.
func (n *Node) watchClocks(r *raft.Raft) {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for {
		for _, p := range n.peers.all() {
			if l := p.current(); l != nil {
				n.askClock(l)
			}
		}
		n.compareClocks()
		n.warnOfClocks(r)
		n.leaveToBetterClock(r)
		n.reaper.schedule() // a clock may have been moved
		select {
		case <-ticker.C:
		case <-n.closing:
			return
		}
	}
}

func (n *Node) warnOfClocks(r *raft.Raft) {
	future := r.GetConfiguration()
	if future.Error() != nil {
		return
	}
	for _, server := range future.Configuration().Servers {
		id := string(server.ID)
		by, off, ok := n.clocks.skew(id, n.identity.NodeID)
		if !ok || !n.clocks.warns(id, off) {
			continue
		}
		if off {
			n.log.Warn("a clock is off the voters' median", "of", id, "by", by, "max-clock-skew", n.config.MaxClockSkew)
		} else {
			n.log.Info("a clock is right again", "of", id, "by", by)
		}
	}
}

// wellTimed returns those of some nodes whose clocks are known not to be off.
func (n *Node) wellTimed(ids []string) (well []string) {
	for _, id := range ids {
		if _, off, ok := n.clocks.skew(id, n.identity.NodeID); ok && !off {
			well = append(well, id)
		}
	}
	return well
}

// leaveToBetterClock hands leadership over if this node's clock is off and another voter's
// is not.
func (n *Node) leaveToBetterClock(r *raft.Raft) {
	by, off, _ := n.clocks.skew(n.identity.NodeID, n.identity.NodeID)
	now := n.clocks.elapsed()
	if !off || !n.route.leading() || n.clocks.handedOver > 0 && now-n.clocks.handedOver < handOverPause {
		return
	}
	others, _, err := n.otherVoters(r)
	if err != nil {
		return
	}
	id := n.furthest(n.wellTimed(others))
	if id == "" {
		return // here is as good as anywhere
	}
	n.clocks.handedOver = now
	n.log.Warn("this node's clock is off: another one is to lead", "by", by, "to", id)
	if err := n.leadTo(id); err != nil {
		n.log.Warn("leadership stays here", "error", err)
	}
}
