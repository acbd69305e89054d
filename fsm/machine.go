package fsm

import "io"

// Databases is how many databases SELECT may choose from.
const Databases = 16

// Machine is the keyspace as a function of the log: entries go in, replies come out,
// and every node that applied the same entries has the same state. Apply, Restore and
// Snapshot are for one goroutine at a time; everything else is safe beside them.
type Machine struct{}

// New returns an empty machine.
func New() *Machine { panic("skeleton") }

// Result is the reply to one request of an entry.
type Result struct {
	Incarnation uint64 // of the node that the request came in at
	Seq         uint64 // its number among that node's requests
	Reply       Reply  // nil when the request was answered before and its reply was dropped
}

// Apply applies the entry at a log index and returns the results in the order of the
// entry's requests; the slice is valid until the next Apply. It keeps nothing of data.
// It panics on an entry it cannot decode: to skip it would leave this node silently
// different from the others.
func (m *Machine) Apply(index uint64, data []byte) []Result { panic("skeleton") }

// Read runs read-only calls on the state as it is. now is the moment for which they
// are asked (the leader's clock, or the node's own under READONLY) and seed the dice
// for RANDOMKEY and its like. due is not 0 when a call met a key whose deadline has
// passed at now but not yet by the log: the reads must be asked again once Clock() has
// reached due.
func (m *Machine) Read(now Millis, seed uint64, calls []Call) (replies []Reply, due Millis) {
	panic("skeleton")
}

// Index is the index of the last entry applied.
func (m *Machine) Index() uint64 { panic("skeleton") }

// Clock is the stamp of the last entry applied. It never goes back.
func (m *Machine) Clock() Millis { panic("skeleton") }

// NextDeadline is the earliest deadline in the keyspace, false without any.
func (m *Machine) NextDeadline() (Millis, bool) { panic("skeleton") }

// Setting is a replicated setting, false where it was never set.
func (m *Machine) Setting(name string) (string, bool) { panic("skeleton") }

// Registration is what the machine knows of a node's present incarnation.
type Registration struct {
	Incarnation uint64 // the index of the entry that registered it
	Nonce       uint64 // chosen by the node at its start
}

// Registered returns the present incarnation of a node, false if it has none.
func (m *Machine) Registered(nodeID string) (Registration, bool) { panic("skeleton") }

// Keys counts the keys of a database, and those of them that have a deadline.
func (m *Machine) Keys(db int) (keys, expires int) { panic("skeleton") }

// Expired counts the keys reaped since this process started.
func (m *Machine) Expired() uint64 { panic("skeleton") }

// Snapshot freezes the state for WriteTo and Digest, in time independent of the size
// of the values. Entries may be applied meanwhile.
func (m *Machine) Snapshot() *Snapshot { panic("skeleton") }

// Restore replaces the state with what WriteTo, or Redis, wrote. On an error the
// machine is as it was.
func (m *Machine) Restore(r io.Reader) error { panic("skeleton") }

// Snapshot is the state after some entry.
type Snapshot struct{}

// WriteTo writes the snapshot as an RDB file that redis-server 7.0 loads.
// Its bytes are a function of the state alone.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) { panic("skeleton") }

// Digest is 40 hexadecimal digits that depend on every key, value and deadline.
func (s *Snapshot) Digest() string { panic("skeleton") }

// Index is the index of the last entry in the snapshot.
func (s *Snapshot) Index() uint64 { panic("skeleton") }

// Release ends the use of the snapshot.
func (s *Snapshot) Release() { panic("skeleton") }

// AppendRequest encodes a request under its number onto buf: what a node keeps in
// its outbox, sends to the leader and the leader packs into an entry.
func AppendRequest(buf []byte, seq uint64, r Request) []byte { panic("skeleton") }

// Section is the part of an entry that came in at one node.
type Section struct {
	Incarnation uint64
	LowWater    uint64 // every request of the incarnation up to here has been answered
	Count       int    // requests in Requests
	Requests    []byte // made by AppendRequest
}

// AppendEntry encodes an entry of requests: at is the leader's clock, seed its dice.
func AppendEntry(buf []byte, at Millis, seed uint64, sections []Section) []byte { panic("skeleton") }

// AppendRegistration encodes an entry that registers a node's incarnation. It takes
// effect only while the node's present incarnation is prev (0: none), so that an old
// one that arrives late cannot undo a newer one; an entry whose nonce is already
// registered is accepted and changes nothing.
func AppendRegistration(buf []byte, at Millis, nodeID string, nonce, prev uint64) []byte {
	panic("skeleton")
}

// AppendDeparture encodes an entry that drops the incarnation of a node that left.
func AppendDeparture(buf []byte, at Millis, nodeID string) []byte { panic("skeleton") }

// AppendFormed encodes the entry that ends the formation of a cluster: from here on
// it accepts requests of clients, whatever becomes of its members.
func AppendFormed(buf []byte, at Millis, clusterID string) []byte { panic("skeleton") }

// Formed returns the id given by AppendFormed, "" before.
func (m *Machine) Formed() string { panic("skeleton") }
