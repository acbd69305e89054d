package cluster

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// bus is the one port at which the other nodes reach this one: raft's connections and
// the links, told apart by their preamble.
type bus struct {
	n        *Node
	listener net.Listener
	raft     chan net.Conn // accepted for raft's transport

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	raftOf map[uint64]*raftConns // by the boot id of the process that dialled
	closed bool
}

// raftConns are raft's open connections from one process.
type raftConns struct {
	count int
	ended chan struct{} // closed when there is none left
}

func openBus(n *Node) (*bus, error) {
	listener, err := n.config.Listen(n.config.Bus)
	if err != nil {
		return nil, fmt.Errorf("listen for the other nodes on %s: %w", n.config.Bus, err)
	}
	return &bus{n: n, listener: listener, raft: make(chan net.Conn), conns: map[net.Conn]struct{}{}, raftOf: map[uint64]*raftConns{}}, nil
}

func (b *bus) run() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			if b.n.isClosing() {
				return
			}
			b.n.log.Warn("bus: accept", "error", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !b.track(conn) {
			return
		}
		go func() {
			defer b.untrack(conn)
			if err := b.accept(conn); err != nil {
				b.n.log.Debug("bus: connection ended", "from", conn.RemoteAddr(), "error", err)
			}
		}()
	}
}

func (b *bus) track(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		conn.Close()
		return false
	}
	b.conns[conn] = struct{}{}
	return true
}

func (b *bus) untrack(conn net.Conn) {
	b.mu.Lock()
	delete(b.conns, conn)
	b.mu.Unlock()
}

func (b *bus) close() {
	b.mu.Lock()
	b.closed = true
	conns := b.conns
	b.conns = map[net.Conn]struct{}{}
	b.mu.Unlock()
	b.listener.Close()
	for conn := range conns {
		conn.Close()
	}
}

func (b *bus) accept(conn net.Conn) error {
	boundDelivery(conn, b.n.deliveryTimeout())
	conn.SetDeadline(time.Now().Add(helloTimeout))
	kind, err := readPreamble(conn)
	if err != nil {
		conn.Close()
		return err
	}
	theirs, err := readHello(conn)
	if err != nil {
		conn.Close()
		return err
	}
	conn.SetDeadline(time.Time{})

	refused := b.n.examine(theirs)
	switch {
	case kind == raftConn && refused == nil:
		return b.acceptRaft(conn, theirs)
	case kind == stateConn:
		defer conn.Close()
		if refused == nil {
			refused = b.n.refuseState(theirs)
		}
		if err := b.answerHello(conn, theirs, refused); err != nil {
			return err
		}
		return b.n.sendState(conn)
	case kind == linkConn:
		if theirs.Boot != b.n.boot {
			b.n.formation.leads(conn)
		}
		if err := b.answerHello(conn, theirs, refused); err != nil {
			conn.Close()
			return err
		}
		b.n.peers.met(theirs)
		asker := &asker{conn: conn, peer: theirs, out: frameWriter{conn: conn}}
		err := asker.serve(func(kind byte, id uint64, payload []byte) { b.n.handle(asker, kind, id, payload) })
		conn.Close()
		return err
	}
	conn.Close()
	return refused
}

// answerHello returns an error if the other node was refused, or did not hear.
func (b *bus) answerHello(conn net.Conn, theirs hello, refused error) error {
	mine := b.n.hello(theirs.NodeID)
	if refused != nil {
		mine.Refusal = refused.Error()
	}
	conn.SetWriteDeadline(time.Now().Add(helloTimeout))
	return errors.Join(writeHello(conn, 0, mine), refused)
}

// acceptRaft hands a connection to raft's transport, but only in a member: a node
// that has forgotten its votes must not give any.
func (b *bus) acceptRaft(conn net.Conn, theirs hello) error {
	if theirs.ClusterID == "" || theirs.ClusterID != b.n.clusterID() || b.n.raft() == nil {
		conn.Close()
		return errors.New("not a member yet")
	}
	conn = b.countRaft(conn, theirs.Boot)
	select {
	case b.raft <- conn:
		return nil
	case <-b.n.closing:
		conn.Close()
		return nil
	}
}

// countedConn is one of raftConns. Raft closes it when all that came on it is in the log.
type countedConn struct {
	net.Conn
	close func() error
}

func (c *countedConn) Close() error { return c.close() }

func (b *bus) countRaft(conn net.Conn, boot uint64) net.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	conns := b.raftOf[boot]
	if conns == nil {
		conns = &raftConns{ended: make(chan struct{})}
		b.raftOf[boot] = conns
	}
	conns.count++
	return &countedConn{conn, sync.OnceValue(func() error {
		b.mu.Lock()
		if conns.count--; conns.count == 0 {
			close(conns.ended)
			delete(b.raftOf, boot)
		}
		b.mu.Unlock()
		return conn.Close()
	})}
}

// raftEnded returns a channel that is closed when raft has read all connections from a
// process to their end.
func (b *bus) raftEnded(boot uint64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if conns := b.raftOf[boot]; conns != nil {
		return conns.ended
	}
	none := make(chan struct{})
	close(none)
	return none
}

// How a refusal begins that the refused node cannot repair by trying again.
const (
	otherCluster = "other cluster: "
	duplicateID  = "duplicate id: "
	forgotten    = "forgotten: "
)

// examine says why another node is turned away, or nil.
func (n *Node) examine(h hello) error {
	mine := n.clusterID()
	switch {
	case h.Boot == n.boot:
		return nil // this node has found itself in its list of addresses
	case h.To != "" && h.To != n.identity.NodeID:
		return fmt.Errorf("this is node %q, not %q", n.identity.NodeID, h.To)
	case h.ClusterID != "" && mine != "" && h.ClusterID != mine:
		return fmt.Errorf("%snode %q belongs to cluster %s, node %q to cluster %s: check --join, or give the node the data directory it had in this cluster (an empty one lets it join anew)",
			otherCluster, h.NodeID, h.ClusterID, n.identity.NodeID, mine)
	case n.isForgotten(h):
		return fmt.Errorf("%snode %q was taken out of the cluster: empty its directory and let it join anew", forgotten, h.NodeID)
	case h.NodeID == n.identity.NodeID:
		return fmt.Errorf("%stwo running nodes call themselves %q, one of them at %s: give each its own --id (and --dir)", duplicateID, h.NodeID, n.advertised())
	case n.peers.aliveElsewhere(h):
		return fmt.Errorf("%sanother running node calls itself %q: give each its own --id (and --dir)", duplicateID, h.NodeID)
	}
	return nil
}

// hello is what this node says of itself to the node called to ("" when unknown).
func (n *Node) hello(to string) hello {
	leader, _ := n.route.get()
	return hello{
		NodeID: n.identity.NodeID, ClusterID: n.clusterID(), Boot: n.boot, Bus: n.advertised(),
		Client: n.client(), Leader: n.peers.address(leader), To: to,
	}
}

// dialLink opens a link to a node.
func (n *Node) dialLink(address, to string, timeout time.Duration) (*link, error) {
	conn, theirs, err := n.dial(linkConn, address, to, timeout)
	if err != nil {
		return nil, err
	}
	return newLink(conn, theirs), nil
}

// dial connects to a node and exchanges hellos. A *refusal is the other's verdict.
func (n *Node) dial(kind byte, address, to string, timeout time.Duration) (net.Conn, hello, error) {
	conn, err := n.config.Dial(address, timeout)
	if err != nil {
		return nil, hello{}, err
	}
	boundDelivery(conn, n.deliveryTimeout())
	n.formation.leads(conn) // before the other is told where this node is
	conn.SetDeadline(time.Now().Add(max(timeout, 100*time.Millisecond)))
	err = writeHello(conn, kind, n.hello(to))
	var theirs hello
	if err == nil {
		theirs, err = readHello(conn)
	}
	if err == nil && theirs.Refusal != "" {
		err = &refusal{theirs.Refusal}
	}
	if err != nil {
		conn.Close()
		return nil, hello{}, err
	}
	conn.SetDeadline(time.Time{})
	return conn, theirs, nil
}

// isFatal reports whether a refusal says that this node is set up wrongly.
func isFatal(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (strings.HasPrefix(r.text, otherCluster) || strings.HasPrefix(r.text, duplicateID) || strings.HasPrefix(r.text, forgotten))
}

// stream is the bus seen as the raft.StreamLayer of raft's transport.
type stream struct{ *bus }

// busAddr is where the others dial this node.
type busAddr string

func (busAddr) Network() string  { return "tcp" }
func (a busAddr) String() string { return string(a) }

func (s stream) Accept() (net.Conn, error) {
	select {
	case conn := <-s.raft:
		return conn, nil
	case <-s.n.closing:
		return nil, net.ErrClosed
	}
}

func (s stream) Addr() net.Addr { return busAddr(s.n.advertised()) }

// Close is called by raft's transport; the bus itself ends with the node.
func (s stream) Close() error { return nil }

func (s stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	target := string(address)
	if target == s.n.advertised() {
		target = s.listener.Addr().String() // this node itself: see campaign
	}
	// Raft's timeout is that of a request. While it waits for a connection it neither
	// asks again, where the node may be back, nor stops.
	conn, err := s.n.config.Dial(target, min(timeout, dialTimeout))
	if err != nil {
		return nil, err
	}
	boundDelivery(conn, s.n.deliveryTimeout())
	if err := writeHello(conn, raftConn, s.n.hello("")); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
