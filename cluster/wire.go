package cluster

import (
	"encoding/binary"
	"errors"

	"holdfast/fsm"
)

// encoder appends the fields of a message: numbers as uvarints, strings and bytes
// behind their length.
type encoder struct{ buf []byte }

func (e *encoder) uint(v uint64)   { e.buf = binary.AppendUvarint(e.buf, v) }
func (e *encoder) bytes(b []byte)  { e.uint(uint64(len(b))); e.buf = append(e.buf, b...) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.buf = append(e.buf, s...) }

func (e *encoder) bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

// decoder reads what an encoder wrote. After the first malformed field every further
// one is zero and err is set.
type decoder struct {
	buf []byte
	err error
}

var errMalformed = errors.New("malformed message from another node")

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// bytes aliases the message.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.buf)) {
		d.fail()
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) bool() bool {
	if len(d.buf) == 0 {
		d.fail()
		return false
	}
	b := d.buf[0] != 0
	d.buf = d.buf[1:]
	return b
}

// count is a number of elements that follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.buf)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) fail() {
	d.buf, d.err = nil, errMalformed
}

// A node's requests on their way to the leader, or the leader's own in its proposer:
// incarnation | low water | count | requests.
func (e *encoder) section(s fsm.Section) {
	e.uint(s.Incarnation)
	e.uint(s.LowWater)
	e.uint(uint64(s.Count))
	e.bytes(s.Requests)
}

func (d *decoder) section() fsm.Section {
	s := fsm.Section{Incarnation: d.uint(), LowWater: d.uint(), Count: int(d.uint()), Requests: d.bytes()}
	if !s.Valid() {
		d.fail()
	}
	return s
}

func (e *encoder) calls(calls []fsm.Call) {
	e.uint(uint64(len(calls)))
	for _, call := range calls {
		e.uint(uint64(call.DB))
		e.uint(uint64(len(call.Args)))
		for _, arg := range call.Args {
			e.bytes(arg)
		}
	}
}

func (d *decoder) calls() []fsm.Call {
	calls := make([]fsm.Call, d.count())
	for i := range calls {
		db := d.uint()
		calls[i].DB = uint8(db)
		calls[i].Args = make([][]byte, d.count())
		if db >= fsm.Databases || len(calls[i].Args) == 0 {
			d.fail()
		}
		for j := range calls[i].Args {
			calls[i].Args[j] = d.bytes()
		}
		if d.err != nil {
			return nil
		}
	}
	return calls
}

func (e *encoder) replies(replies []fsm.Reply) {
	e.uint(uint64(len(replies)))
	for _, reply := range replies {
		e.bytes(reply)
	}
}

func (d *decoder) replies() []fsm.Reply {
	replies := make([]fsm.Reply, d.count())
	for i := range replies {
		replies[i] = d.bytes()
	}
	return replies
}
