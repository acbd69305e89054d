package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// network connects the hosts. Everything on it takes time, by wires that may be cut, one
// way or both; what is held up meanwhile arrives later, as TCP would send it again.
// Nobody ever waits with a mutex held, so that time goes on.
type network struct {
	mu        sync.Mutex
	dice      *rand.Rand
	listeners map[string]*listener // by address
	ends      map[*end]struct{}    // of open connections
	latency   map[wire]time.Duration
	even      time.Duration // of all wires, 0 if each has its own
	cut       map[wire]bool
	held      map[string]bool // hosts that are paused
	off       map[string]bool // hosts without power: they do not even refuse
	slow      time.Duration   // added at most to each packet
	ports     int
}

// wire leads from one host to another, one way.
type wire struct{ from, to string }

const (
	minLatency = 50 * time.Microsecond
	maxLatency = 2 * time.Millisecond
)

func newNetwork(dice *rand.Rand) *network {
	return &network{
		dice: dice, listeners: map[string]*listener{}, ends: map[*end]struct{}{},
		latency: map[wire]time.Duration{}, cut: map[wire]bool{}, held: map[string]bool{}, off: map[string]bool{},
	}
}

// stops reports whether nothing passes a wire now.
func (n *network) stops(w wire) bool {
	return w.from != w.to && n.cut[w] || n.held[w.from] || n.held[w.to] || n.off[w.from] || n.off[w.to]
}

// delay is how long the next packet takes.
func (n *network) delay(w wire) time.Duration {
	if w.from == w.to {
		return 0
	}
	base, ok := n.latency[w]
	switch {
	case n.even > 0:
		base = n.even
	case !ok:
		base = minLatency + time.Duration(n.dice.Int64N(int64(maxLatency-minLatency)))
		n.latency[w] = base
	}
	d := base + time.Duration(n.dice.Int64N(int64(base)))
	if n.slow > 0 {
		d += time.Duration(n.dice.Int64N(int64(n.slow)))
	}
	return d
}

// change alters the network and has everybody look again.
func (n *network) change(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
	for e := range n.ends {
		e.kick()
	}
	for _, l := range n.listeners {
		kick(l.wake)
	}
}

func (n *network) setCut(cut bool, wires ...wire) {
	n.change(func() {
		for _, w := range wires {
			n.cut[w] = cut
		}
	})
}

func (n *network) setHeld(host string, held bool) { n.change(func() { n.held[host] = held }) }
func (n *network) setSlow(most time.Duration)     { n.change(func() { n.slow = most }) }

// level has all wires be equally long.
func (n *network) level(latency time.Duration) {
	n.change(func() {
		n.even = latency
	})
}

// mend ends all that is wrong with wires.
func (n *network) mend() {
	n.change(func() {
		clear(n.cut)
		n.slow = 0
	})
}

// breakConns resets open connections, each with some probability.
func (n *network) breakConns(probability float64) {
	n.change(func() {
		for e := range n.ends {
			if n.dice.Float64() < probability && e.peer != nil {
				e.reset, e.peer.reset = true, true
				e.peer.kick()
			}
		}
	})
}

// die ends all that a host has on the network. With its process gone the kernel ends the
// connections and refuses new ones; with its power gone nobody hears of it.
func (n *network) die(host string, power bool) {
	n.change(func() {
		n.off[host], n.held[host] = power, false
		for e := range n.ends {
			if e.host != host {
				continue
			}
			e.dead = true
			if !power {
				e.finish()
			}
			e.kick()
			delete(n.ends, e)
		}
		for address, l := range n.listeners {
			if l.host == host {
				l.closed = true
				kick(l.wake)
				delete(n.listeners, address)
			}
		}
	})
}

// revive gives a host its power back. Its old connections mean nothing to it.
func (n *network) revive(host string) {
	n.change(func() {
		n.off[host] = false
		for e := range n.ends {
			if e.peer != nil && e.peer.dead && e.peer.host == host {
				e.reset = true
			}
		}
	})
}

func kick(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// listener is a net.Listener.
type listener struct {
	network *network
	host    string
	address address
	backlog []*end
	wake    chan struct{}
	closed  bool
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// listen is for a process of a host; alive tells whether it still is one.
func (n *network) listen(host, at string, alive func() bool) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[at] != nil || !alive() {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: syscall.EADDRINUSE}
	}
	l := &listener{network: n, host: host, address: address(at), wake: make(chan struct{}, 1)}
	n.listeners[at] = l
	return l, nil
}

func (l *listener) Addr() net.Addr { return l.address }

func (l *listener) Accept() (net.Conn, error) {
	for {
		l.network.mu.Lock()
		if l.closed {
			l.network.mu.Unlock()
			return nil, net.ErrClosed
		}
		if len(l.backlog) > 0 && !l.network.held[l.host] {
			e := l.backlog[0]
			l.backlog = l.backlog[1:]
			l.network.mu.Unlock()
			return e, nil
		}
		l.network.mu.Unlock()
		<-l.wake
	}
}

func (l *listener) Close() error {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.network.listeners[string(l.address)] == l {
		delete(l.network.listeners, string(l.address))
	}
	for _, e := range l.backlog {
		e.dead = true
		e.finish()
		delete(l.network.ends, e)
	}
	kick(l.wake)
	return nil
}

// dial is for a process of a host; alive tells whether it still is one.
func (n *network) dial(host, to string, timeout time.Duration, alive func() bool) (net.Conn, error) {
	failed := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(to), Err: err}
	}
	target, _, err := net.SplitHostPort(to)
	if err != nil {
		return failed(err)
	}
	there, back := wire{host, target}, wire{target, host}
	if !alive() {
		time.Sleep(time.Millisecond)
		return failed(syscall.ENETUNREACH)
	}
	n.mu.Lock()
	trip := n.delay(there) + n.delay(back)
	silent := host != target && (n.cut[there] || n.cut[back]) || n.off[target] || n.held[host]
	n.mu.Unlock()
	if silent || trip > timeout {
		time.Sleep(timeout)
		return failed(os.ErrDeadlineExceeded)
	}
	time.Sleep(trip)

	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[to]
	switch {
	case !alive():
		return failed(syscall.ENETUNREACH)
	case l == nil:
		return failed(syscall.ECONNREFUSED)
	}
	n.ports++
	local := address(fmt.Sprintf("%s:%d", host, 10000+n.ports))
	mine := &end{network: n, host: host, in: back, local: local, remote: l.address, wake: make(chan struct{}, 1)}
	theirs := &end{network: n, host: l.host, in: there, local: l.address, remote: local, wake: make(chan struct{}, 1)}
	mine.peer, theirs.peer = theirs, mine
	n.ends[mine], n.ends[theirs] = struct{}{}, struct{}{}
	l.backlog = append(l.backlog, theirs)
	kick(l.wake)
	return mine, nil
}
