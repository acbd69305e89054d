package fsm

import "iter"

// hash is a value of fields that have values, and deadlines perhaps. A small one, by the
// limits at which Redis 7.0 changes form, is packed and keeps its fields in the order in
// which they came; any other is a tree in the order of the names' hashes, and so is what
// a hash goes on with that has become small again.
type hash struct {
	small packed             // of records
	large *tree[fieldByHash] // nil while the hash is small
	long  int                // names and values that are too long for a small hash
	timed *fieldTimes        // nil while no field has a deadline
}

// maxPackedFields is how many a small hash has at most (Redis: hash-max-listpack-entries).
const maxPackedFields = 512

func newHash() *hash { return &hash{} }

func (h *hash) kind() string { return "hash" }

func (h *hash) encoding() string {
	switch {
	case h.large != nil:
		return "hashtable"
	case h.timed != nil:
		return "listpackex" // of Redis 7.4
	}
	return "listpack"
}

func (h *hash) clone() value {
	c := &hash{small: h.small.clone(), long: h.long, timed: h.timed.clone()}
	if h.large != nil {
		c.large = h.large.clone()
	}
	return c
}

// len counts the fields, those included that are about to be reaped.
func (h *hash) len() int {
	if h.large != nil {
		return h.large.len()
	}
	return h.small.n
}

// find returns a field of a small hash and its offset, or where it would be.
func (h *hash) find(name []byte) (at int, f hashField, ok bool) {
	for at < len(h.small.b) {
		record, next := h.small.at(at)
		if isRecordOf(record, name) {
			return at, readRecord(record), true
		}
		at = next
	}
	return at, hashField{}, false
}

// get returns the field of a name.
func (h *hash) get(name []byte) (f hashField, ok bool) {
	if h.large == nil {
		_, f, ok = h.find(name)
		return f, ok
	}
	found, ok := h.large.get(newFieldByHash(hashField{name: name}))
	if !ok {
		return f, false
	}
	return found.field(), true
}

// set puts a field in, in the place of the one of its name. It is copied, and must not be
// the hash's own. The caller that goes on to read deadlines calls retime first.
func (h *hash) set(f hashField) (old Millis, replaced bool) {
	if f.deadline != 0 && h.timed == nil {
		h.timed = newFieldTimes(h)
	}
	if h.large == nil {
		at, found, ok := h.find(f.name)
		if f.long() == 0 && (ok || h.small.n < maxPackedFields) {
			old = found.deadline
			var buf [2*maxPackedBytes + 16]byte
			removed := 0
			if ok {
				removed = 1
			}
			h.small.splice(at, removed, appendRecord(buf[:0], f))
			return old, ok
		}
		h.grow()
	}
	item := newFieldByHash(f)
	was, replaced := h.large.set(item)
	h.long += f.long()
	if replaced {
		old = h.forget(was)
	}
	if f.deadline != 0 {
		h.timed.order.set(item.timed())
	}
	if replaced {
		h.shrink()
	}
	return old, replaced
}

// delete takes the field of a name out.
func (h *hash) delete(name []byte) (old Millis, ok bool) {
	if h.large == nil {
		at, f, ok := h.find(name)
		if ok {
			old = f.deadline
			h.small.splice(at, 1)
		}
		return old, ok
	}
	was, ok := h.large.delete(newFieldByHash(hashField{name: name}))
	if ok {
		old = h.forget(was)
		h.shrink()
	}
	return old, ok
}

// forget takes off what is kept of a field that a large hash had, and returns its deadline.
func (h *hash) forget(was fieldByHash) Millis {
	f := was.field()
	h.long -= f.long()
	if f.deadline != 0 {
		h.timed.order.delete(was.timed())
	}
	return f.deadline
}

// grow turns a small hash into a large one.
func (h *hash) grow() {
	large := newTree[fieldByHash]()
	for f := range h.all() {
		large.set(newFieldByHash(f))
	}
	h.large, h.small = large, packed{}
	if h.timed != nil {
		h.timed.order = orderByDeadline(large)
	}
}

// shrink turns a large hash that fits the limits into a small one.
func (h *hash) shrink() {
	if h.long > 0 || h.large.len() > maxPackedFields {
		return
	}
	var records [][]byte
	for f := range h.all() {
		records = append(records, appendRecord(nil, f))
	}
	h.small.push(records...)
	h.large = nil
	if h.timed != nil {
		h.timed.order = nil
	}
}

// all visits the fields in their order.
func (h *hash) all() iter.Seq[hashField] {
	return func(yield func(hashField) bool) {
		if h.large != nil {
			for item := range h.large.from(0) {
				if !yield(item.field()) {
					return
				}
			}
			return
		}
		for at := 0; at < len(h.small.b); {
			record, next := h.small.at(at)
			if !yield(readRecord(record)) {
				return
			}
			at = next
		}
	}
}

// at returns the field of a rank in their order.
func (h *hash) at(rank int) hashField {
	if h.large != nil {
		return h.large.at(rank).field()
	}
	record, _ := h.small.at(h.small.skip(0, rank))
	return readRecord(record)
}

// byRank returns at, for many calls.
func (h *hash) byRank() func(rank int) hashField {
	if h.large != nil {
		return h.at
	}
	fields := make([]hashField, 0, h.small.n)
	for f := range h.all() {
		fields = append(fields, f)
	}
	return func(rank int) hashField { return fields[rank] }
}

// scan is Tx.scan for the fields. As in Redis a small hash is visited in one call.
func (h *hash) scan(cursor uint64, count int, visit func(hashField)) (next uint64) {
	if h.large != nil {
		return scanTree(h.large, cursor, count, func(item fieldByHash) { visit(item.field()) })
	}
	for f := range h.all() {
		visit(f)
	}
	return 0
}
