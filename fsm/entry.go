package fsm

import (
	"encoding/binary"
	"fmt"
)

// Millis is a moment in Unix milliseconds, or a span in milliseconds.
type Millis int64

// Call is one command as a client sent it, in the database it is for.
type Call struct {
	DB   uint8
	Args [][]byte
}

// Request is one command, or all of a MULTI: the unit that is atomic, and that
// counts once however often it is sent.
type Request struct {
	Calls []Call
	Multi bool   // the reply is an array with one element per call
	User  string // whose permissions scripts are held to; "" for one who may do everything
	Watch uint64 // run only if the keys that the client of this number watches are unchanged; 0: none
}

// Section is the part of an entry that came in at one node.
type Section struct {
	Incarnation uint64
	LowWater    uint64 // every request of the incarnation up to here has been answered
	Count       int    // requests in Requests
	Requests    []byte // made by AppendRequest
}

// Valid reports whether Requests are Count requests. A section from elsewhere that is not
// valid must not come into the log: no node could apply its entry.
func (s Section) Valid() bool {
	d, memory := decoder{buf: s.Requests}, scratch{}
	for range s.Count {
		if d.request(&memory); d.failed {
			return false
		}
	}
	return s.Count >= 0 && d.at == len(d.buf)
}

// An entry of the log. Numbers are uvarints, bytes stand behind their length:
//
//	entry:        version u8 | kind u8 | at | ...
//	requests:     seed u64 | count | { incarnation | low water | count | requests }
//	request:      seq | flags u8 | [watch] | [user] | count | { db u8 | count | { argument } }
//	registration: node id | nonce | prev
//	departure:    node id
//	formed:       cluster id
//	check:        nothing
const entryVersion = 1

const (
	requestsEntry byte = iota + 1
	registrationEntry
	departureEntry
	formedEntry
	checkEntry
)

// Flags of a request.
const (
	multiFlag byte = 1 << iota
	watchFlag
	userFlag
)

// AppendEntry encodes an entry of requests: at is the leader's clock, seed its dice.
// Without sections it is a reap entry: applying it does what its stamp demands.
func AppendEntry(buf []byte, at Millis, seed uint64, sections []Section) []byte {
	e := entryHeader(buf, requestsEntry, at)
	e.buf = binary.BigEndian.AppendUint64(e.buf, seed)
	e.uint(uint64(len(sections)))
	for _, s := range sections {
		e.uint(s.Incarnation)
		e.uint(s.LowWater)
		e.uint(uint64(s.Count))
		e.bytes(s.Requests)
	}
	return e.buf
}

// AppendRequest encodes a request under its number onto buf: what a node keeps in
// its outbox, sends to the leader and the leader packs into an entry.
func AppendRequest(buf []byte, seq uint64, r Request) []byte {
	e := encoder{buf}
	e.uint(seq)
	var flags byte
	if r.Multi {
		flags |= multiFlag
	}
	if r.Watch != 0 {
		flags |= watchFlag
	}
	if r.User != "" {
		flags |= userFlag
	}
	e.buf = append(e.buf, flags)
	if r.Watch != 0 {
		e.uint(r.Watch)
	}
	if r.User != "" {
		e.string(r.User)
	}
	e.uint(uint64(len(r.Calls)))
	for _, call := range r.Calls {
		e.buf = append(e.buf, call.DB)
		e.uint(uint64(len(call.Args)))
		for _, arg := range call.Args {
			e.bytes(arg)
		}
	}
	return e.buf
}

// AppendRegistration encodes an entry that registers a node's incarnation. It takes
// effect only while the node's present incarnation is prev (0: none), so that an old
// one that arrives late cannot undo a newer one; an entry whose nonce is already
// registered is accepted and changes nothing.
func AppendRegistration(buf []byte, at Millis, nodeID string, nonce, prev uint64) []byte {
	e := entryHeader(buf, registrationEntry, at)
	e.string(nodeID)
	e.uint(nonce)
	e.uint(prev)
	return e.buf
}

// AppendDeparture encodes an entry that drops the incarnation of a node that left.
func AppendDeparture(buf []byte, at Millis, nodeID string) []byte {
	e := entryHeader(buf, departureEntry, at)
	e.string(nodeID)
	return e.buf
}

// AppendFormed encodes the entry that ends the formation of a cluster: from here on
// it accepts requests of clients, whatever becomes of its members.
func AppendFormed(buf []byte, at Millis, clusterID string) []byte {
	e := entryHeader(buf, formedEntry, at)
	e.string(clusterID)
	return e.buf
}

// AppendCheck encodes an entry that changes nothing: at its index the nodes compare their
// states.
func AppendCheck(buf []byte, at Millis) []byte { return entryHeader(buf, checkEntry, at).buf }

// IsCheck reports whether an entry was made by AppendCheck.
func IsCheck(entry []byte) bool { return len(entry) > 1 && entry[1] == checkEntry }

func entryHeader(buf []byte, kind byte, at Millis) encoder {
	e := encoder{append(buf, entryVersion, kind)}
	e.uint(uint64(at))
	return e
}

// encoder appends fields.
type encoder struct{ buf []byte }

func (e *encoder) uint(v uint64)  { e.buf = binary.AppendUvarint(e.buf, v) }
func (e *encoder) bytes(b []byte) { e.uint(uint64(len(b))); e.buf = append(e.buf, b...) }
func (e *encoder) bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.buf = append(e.buf, s...) }

// decoder reads fields. After the first malformed one every further one is zero.
type decoder struct {
	buf    []byte
	at     int // offset of the next field
	failed bool
}

func (d *decoder) err() error {
	if d.failed {
		return fmt.Errorf("malformed field at offset %d", d.at)
	}
	return nil
}

func (d *decoder) uint() uint64 {
	if d.failed {
		return 0
	}
	v, n := binary.Uvarint(d.buf[d.at:])
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.at += n
	return v
}

// bytes aliases the encoded form.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.buf)-d.at) {
		d.failed = true
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.buf)-d.at {
		d.failed = true
		return nil
	}
	b := d.buf[d.at : d.at+n : d.at+n]
	d.at += n
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// count is a number of things that follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.buf)-d.at) {
		d.failed = true
	}
	if d.failed {
		return 0
	}
	return int(n)
}

// request decodes one request; its calls are valid until the next.
func (d *decoder) request(s *scratch) (seq uint64, r Request) {
	seq = d.uint()
	flags := d.byte()
	r.Multi = flags&multiFlag != 0
	if flags&watchFlag != 0 {
		r.Watch = d.uint()
	}
	if flags&userFlag != 0 {
		r.User = string(d.bytes())
	}
	if flags&^(multiFlag|watchFlag|userFlag) != 0 {
		d.failed = true
	}
	s.calls, s.args = s.calls[:0], s.args[:0]
	for range d.count() {
		db := d.byte()
		if db >= Databases {
			d.failed = true
		}
		first := len(s.args)
		for range d.count() {
			s.args = append(s.args, d.bytes())
		}
		s.calls = append(s.calls, Call{db, s.args[first:len(s.args):len(s.args)]})
	}
	if !r.Multi && len(s.calls) != 1 {
		d.failed = true
	}
	for _, call := range s.calls {
		if len(call.Args) == 0 {
			d.failed = true
		}
	}
	r.Calls = s.calls
	return seq, r
}

// scratch is memory for decoding that is used again and again.
type scratch struct {
	calls []Call
	args  [][]byte
}
