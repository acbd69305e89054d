package cluster

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// peers keeps a link to every other node that this one knows of, by id.
type peers struct {
	n *Node

	mu     sync.Mutex
	byID   map[string]*peer
	closed bool // there are no more
}

// peer is another node. Its link is dialled again for as long as the node is known.
type peer struct {
	n  *Node
	id string

	unanswered atomic.Int32 // broadcasts
	slow       atomic.Bool  // it has let one wait too long, and has answered none since

	redial chan struct{} // the node may be back, or elsewhere
	stop   chan struct{}

	mu      sync.Mutex
	address string // where to dial
	client  string
	link    *link // nil while it is down
}

func newPeers(n *Node) *peers { return &peers{n: n, byID: map[string]*peer{}} }

// add begins to keep a link to a node; an address given for one that is known
// replaces the old one.
func (ps *peers) add(id, address string) *peer {
	if id == ps.n.identity.NodeID || id == "" {
		return nil
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.byID[id]
	if ps.closed {
		return p
	}
	if p == nil {
		p = &peer{n: ps.n, id: id, address: address, redial: make(chan struct{}, 1), stop: make(chan struct{})}
		ps.byID[id] = p
		go p.run()
		return p
	}
	p.mu.Lock()
	moved := address != "" && address != p.address
	if moved {
		p.address = address
	}
	p.mu.Unlock()
	if moved {
		p.kick()
	}
	return p
}

// met takes note of a node that has introduced itself.
func (ps *peers) met(h hello) {
	if h.Boot == ps.n.boot || h.ClusterID == "" || h.ClusterID != ps.n.clusterID() {
		return // this node itself, or one that is not a member
	}
	if p := ps.add(h.NodeID, h.Bus); p != nil {
		p.mu.Lock()
		p.client = h.Client
		p.mu.Unlock()
		p.kick()
	}
}

// keep drops the nodes that are not in the list of members.
func (ps *peers) keep(members map[string]bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for id, p := range ps.byID {
		if !members[id] {
			close(p.stop)
			delete(ps.byID, id)
		}
	}
}

func (ps *peers) all() []*peer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.Collect(maps.Values(ps.byID))
}

func (ps *peers) get(id string) *peer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.byID[id]
}

// link returns the link to a node, nil while it is down.
func (ps *peers) link(id string) *link {
	if p := ps.get(id); p != nil {
		return p.current()
	}
	return nil
}

// links returns the links that are up to some nodes.
func (ps *peers) links(ids []string) []*link {
	links := make([]*link, 0, len(ids))
	for _, id := range ids {
		if l := ps.link(id); l != nil {
			links = append(links, l)
		}
	}
	return links
}

// address is where a node can be dialled, "" while that is unknown.
func (ps *peers) address(id string) string {
	if id == ps.n.identity.NodeID {
		return ps.n.advertised()
	}
	p := ps.get(id)
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// aliveElsewhere reports whether a node of h's id, but of another process, answers.
func (ps *peers) aliveElsewhere(h hello) bool {
	l := ps.link(h.NodeID)
	if l == nil || l.peer.Boot == h.Boot {
		return false
	}
	_, err := l.call(askTerm, nil, 300*time.Millisecond)
	return err == nil || errors.Is(err, errNotLeader) // its raft has not started yet
}

func (ps *peers) close() {
	ps.mu.Lock()
	ps.closed = true
	ps.mu.Unlock()
	ps.keep(nil)
}

func (p *peer) current() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

func (p *peer) set(l *link) {
	p.mu.Lock()
	p.link = l
	if l != nil {
		p.client = l.peer.Client
	}
	p.mu.Unlock()
}

func (p *peer) kick() {
	select {
	case p.redial <- struct{}{}:
	default:
	}
}

const (
	dialTimeout   = time.Second
	minRedialWait = 20 * time.Millisecond
	maxRedialWait = 500 * time.Millisecond
)

func (p *peer) run() {
	wait := minRedialWait
	for {
		p.mu.Lock()
		address := p.address
		p.mu.Unlock()
		l, err := p.n.dialLink(address, p.id, dialTimeout)
		if err == nil {
			wait = minRedialWait
			p.hold(l)
		} else if isFatal(err) {
			p.n.setupRefused(err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.redial:
		case <-p.stop:
			timer.Stop()
			return
		}
		timer.Stop()
		wait = min(2*wait, maxRedialWait)
	}
}

// hold keeps a link until it breaks or the node is dropped.
func (p *peer) hold(l *link) {
	p.set(l)
	p.n.linkUp(l)
	broken := make(chan error, 1)
	go func() { broken <- l.run() }()
	select {
	case err := <-broken:
		p.set(nil)
		p.n.linkDown(p, l, err)
	case <-p.stop:
		p.set(nil)
		l.close()
		<-broken
	}
}
