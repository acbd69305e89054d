package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Every connection on the bus begins with a preamble, then a hello of the dialling
// node, then (on links) a hello of the node that answers:
//
//	preamble: "HOLDFAST" | version u8 | kind u8
//	hello:    length u32 | fields of hello
//
// Raft's own connections carry raft's protocol after the dialler's hello; the answer
// is left out, so that an election does not wait a round trip for it.
const (
	preamble       = "HOLDFAST\x01"
	linkConn  byte = 'L'
	raftConn  byte = 'R'
	stateConn byte = 'S' // answered by a hello and the state of the leader, an RDB file

	maxHelloBytes = 64 << 10
	helloTimeout  = 2 * time.Second
)

// hello is what two nodes tell each other first.
type hello struct {
	NodeID    string
	ClusterID string // "" in a node that is not a member yet
	Boot      uint64 // random, of this process: tells a restart from a broken connection
	Bus       string // where the node can be dialled
	Client    string // where its clients connect
	Leader    string // bus address of the leader it knows, "" without one
	To        string // the node id meant, "" while the dialler does not know it
	Refusal   string // in an answer: why the other is turned away; the connection ends
}

func (h hello) encode() []byte {
	var e encoder
	e.string(h.NodeID)
	e.string(h.ClusterID)
	e.uint(h.Boot)
	e.string(h.Bus)
	e.string(h.Client)
	e.string(h.Leader)
	e.string(h.To)
	e.string(h.Refusal)
	return e.buf
}

func decodeHello(b []byte) (hello, error) {
	d := decoder{buf: b}
	h := hello{
		NodeID: d.string(), ClusterID: d.string(), Boot: d.uint(), Bus: d.string(),
		Client: d.string(), Leader: d.string(), To: d.string(), Refusal: d.string(),
	}
	return h, d.err
}

// refusal is the error of a node that was turned away by another.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// writeHello sends a preamble (unless kind is 0) and a hello.
func writeHello(conn net.Conn, kind byte, h hello) error {
	var buf []byte
	if kind != 0 {
		buf = append(append(buf, preamble...), kind)
	}
	body := h.encode()
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	_, err := conn.Write(append(buf, body...))
	return err
}

func readHello(conn net.Conn) (hello, error) {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return hello{}, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxHelloBytes {
		return hello{}, fmt.Errorf("hello of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(conn, body); err != nil {
		return hello{}, err
	}
	return decodeHello(body)
}

func readPreamble(conn net.Conn) (kind byte, err error) {
	var buf [len(preamble) + 1]byte
	if _, err := io.ReadFull(conn, buf[:]); err != nil {
		return 0, err
	}
	if string(buf[:len(preamble)]) != preamble {
		return 0, errors.New("not a Holdfast node of this version")
	}
	return buf[len(preamble)], nil
}
