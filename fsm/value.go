package fsm

import "errors"

// value is what a key holds. How a value is held must be a function of what is in it
// (and of the order, where clients see one), never of its history: a node that was
// restored from a snapshot has to go on like the others.
type value interface {
	kind() string     // as TYPE answers: "string", "hash", ...
	encoding() string // as OBJECT ENCODING answers: what a Redis has that has just loaded the value

	// clone returns an equal value in constant time. It shares memory with the
	// original, which must not be changed any more: see Tx.fork for two that live on.
	clone() value

	// memory estimates the bytes that the value takes, from as many of its elements as
	// samples says; 0 is for all. It depends on what is in the value alone.
	memory(samples int) int

	rdbType() byte
	writeRDB(w *rdbWriter) // all but type and key; the bytes are a function of the value
}

// object is a key's value with its deadline.
type object struct {
	key      string
	value    value
	deadline Millis // 0 means never
	epoch    uint32 // Invariant: a snapshot may hold the object iff epoch < the machine's.
	heapPos  int32  // where it is in deadlines, if it has one
}

// timesOfFields are the deadlines of a hash's fields, nil where there are none.
func (o *object) timesOfFields() *fieldTimes {
	if h, ok := o.value.(*hash); ok {
		return h.timed
	}
	return nil
}

// end is when the object dies: at its deadline, or with the last field of a hash; 0 means
// never.
func (o *object) end() Millis {
	if t := o.timesOfFields(); t != nil && t.last != 0 && (o.deadline == 0 || t.last < o.deadline) {
		return t.last
	}
	return o.deadline
}

// errEmpty is what a file with an empty collection gets: no key holds one.
var errEmpty = errors.New("a collection without elements")

func notEmpty(n int) error {
	if n == 0 {
		return errEmpty
	}
	return nil
}
