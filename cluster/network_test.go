package cluster

import (
	"net"
	"sync"
	"time"
)

// network connects the nodes of a test cluster. What a node writes to a connection that
// it has dialled may be late, or lost; answers are not.
type network struct {
	mu    sync.Mutex
	wires map[*wire]struct{}
	delay func(from, to string, kind byte) time.Duration // to is a bus address; negative: lost
}

func newNetwork() *network { return &network{wires: map[*wire]struct{}{}} }

// alter has a node use the network.
func (n *network) alter(config *Config) {
	id := config.ID
	config.Dial = func(address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout("tcp", address, timeout)
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: conn, network: n, from: id, to: address, parcels: make(chan parcel, 4096)}
		n.mu.Lock()
		n.wires[w] = struct{}{}
		n.mu.Unlock()
		go w.run()
		return w, nil
	}
}

// slow sets how late what is written from now on arrives.
func (n *network) slow(delay func(from, to string, kind byte) time.Duration) {
	n.mu.Lock()
	n.delay = delay
	n.mu.Unlock()
}

// cut ends all connections of a node, as the kernel does when its process has died: what
// was sent before still arrives.
func (n *network) cut(id, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.wires {
		if w.from == id || w.to == address {
			go w.Close()
			delete(n.wires, w)
		}
	}
}

// giveUp ends the connections on which a node waits for answers to what was lost: raft
// would wait for ten seconds.
func (n *network) giveUp(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.wires {
		if w.from == id && w.kind == raftConn {
			go w.Close()
			delete(n.wires, w)
		}
	}
}

type wire struct {
	net.Conn
	network  *network
	from, to string
	kind     byte // linkConn or raftConn, once the preamble was written
	parcels  chan parcel
}

// parcel is what arrives at a time; without data it is the end.
type parcel struct {
	data []byte
	at   time.Time
}

func (w *wire) Write(b []byte) (int, error) {
	if w.kind == 0 {
		w.network.mu.Lock()
		w.kind = b[len(preamble)]
		w.network.mu.Unlock()
	}
	if late := w.late(); late >= 0 {
		w.parcels <- parcel{append([]byte(nil), b...), time.Now().Add(late)}
	}
	return len(b), nil
}

func (w *wire) Close() error {
	w.parcels <- parcel{at: time.Now().Add(max(w.late(), 0))}
	return nil
}

func (w *wire) late() time.Duration {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	if w.network.delay == nil {
		return 0
	}
	return w.network.delay(w.from, w.to, w.kind)
}

func (w *wire) run() {
	for p := range w.parcels {
		time.Sleep(time.Until(p.at))
		if p.data == nil {
			break
		}
		w.Conn.Write(p.data)
	}
	w.Conn.Close()
	for range w.parcels { // whoever writes or closes again must not block
	}
}
