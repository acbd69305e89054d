package fsm

import (
	"iter"
	"slices"
)

// fieldTimes are the deadlines of a hash's fields. Fields live and die as keys do: by the
// clock of the log. An entry reaps those whose deadline is not after the clock; until
// then they are gone all the same, see liveFields.
type fieldTimes struct {
	next    Millis             // the earliest, by which the database orders hashes
	last    Millis             // when the last field dies, 0 if one lives for ever
	order   *tree[fieldByTime] // of a large hash
	heapPos int32              // in database.fields, -1 if it is not there yet
}

func newFieldTimes(h *hash) *fieldTimes {
	t := &fieldTimes{heapPos: -1}
	if h.large != nil {
		t.order = newTree[fieldByTime]()
	}
	return t
}

func (t *fieldTimes) clone() *fieldTimes {
	if t == nil {
		return nil
	}
	c := *t
	if t.order != nil {
		c.order = t.order.clone()
	}
	return &c
}

func orderByDeadline(fields *tree[fieldByHash]) *tree[fieldByTime] {
	order := newTree[fieldByTime]()
	for item := range fields.from(0) {
		if item.field().deadline != 0 {
			order.set(item.timed())
		}
	}
	return order
}

// retime brings next and last up to date; false if no field has a deadline.
func (h *hash) retime() bool {
	t := h.timed
	timed := 0
	if t.next, t.last = 0, 0; h.large != nil {
		if timed = t.order.len(); timed > 0 {
			t.next, t.last = t.order.at(0).deadline, t.order.at(timed-1).deadline
		}
	} else {
		for f := range h.all() {
			if f.deadline == 0 {
				continue
			}
			if timed++; t.next == 0 || f.deadline < t.next {
				t.next = f.deadline
			}
			t.last = max(t.last, f.deadline)
		}
	}
	if timed < h.len() {
		t.last = 0
	}
	return timed > 0
}

// reap takes out fields whose deadline is not after now, the earliest first and most at
// most, and counts them.
func (h *hash) reap(now Millis, most int) (reaped int) {
	var names [][]byte
	if h.large != nil {
		for f := range h.timed.order.from(0) {
			if f.deadline > now || len(names) == most {
				break
			}
			names = append(names, []byte(f.name))
		}
	} else {
		var dead []fieldByTime
		for f := range h.all() {
			if f.deadline != 0 && f.deadline <= now {
				dead = append(dead, newFieldByHash(f).timed())
			}
		}
		slices.SortFunc(dead, fieldByTime.compare)
		for _, f := range dead[:min(most, len(dead))] {
			names = append(names, []byte(f.name))
		}
	}
	for _, name := range names {
		h.delete(name)
	}
	return len(names)
}

// liveField returns the field of a name, if it has not expired.
func (tx *Tx) liveField(h *hash, name []byte) (f hashField, ok bool) {
	f, ok = h.get(name)
	if !ok || tx.passed(f.deadline) {
		return hashField{}, false
	}
	return f, true
}

// liveFields visits the fields that have not expired.
func (tx *Tx) liveFields(h *hash) iter.Seq[hashField] {
	return func(yield func(hashField) bool) {
		for f := range h.all() {
			if !tx.passed(f.deadline) && !yield(f) {
				return
			}
		}
	}
}

// liveCount counts the fields that have not expired.
func (tx *Tx) liveCount(h *hash) int {
	switch {
	case h.timed == nil || h.timed.next > tx.now:
		return h.len()
	case h.large == nil:
		n := 0
		for range tx.liveFields(h) {
			n++
		}
		return n
	}
	dead := h.timed.order.search(func(f fieldByTime) bool { return f.deadline <= tx.now })
	tx.passed(h.timed.order.at(dead - 1).deadline)
	return h.len() - dead
}

// liveByRank returns a function from a rank among the fields that have not expired to the
// field, and how many they are; often if it will be called more than once.
func (tx *Tx) liveByRank(h *hash, often bool) (byRank func(rank int) hashField, n int) {
	switch n = tx.liveCount(h); {
	case n < h.len():
		live := slices.Collect(tx.liveFields(h))
		return func(rank int) hashField { return live[rank] }, n
	case often:
		return h.byRank(), n
	}
	return h.at, n
}

// setField puts a field into a hash that the command edits, and reports whether it is new.
func (tx *Tx) setField(key []byte, h *hash, f hashField) (added bool) {
	old, replaced := h.set(f)
	return !replaced || tx.lapsed(key, old)
}

// deleteField takes a field out of a hash that the command edits, and reports whether it
// was there.
func (tx *Tx) deleteField(key []byte, h *hash, name []byte) bool {
	old, ok := h.delete(name)
	return ok && !tx.lapsed(key, old)
}

// lapsed reports whether a field that is gone now had expired before, and tells of it.
func (tx *Tx) lapsed(key []byte, deadline Millis) bool {
	if !tx.passed(deadline) {
		return false
	}
	tx.m.expiredFields++
	tx.m.fieldsExpired(tx.db, string(key))
	return true
}

// settleHash ends the change of a hash: its place among those with deadlines of fields
// follows, and one without fields is deleted.
func (tx *Tx) settleHash(key []byte, h *hash) {
	if h.timed != nil {
		d, hash := tx.m.dbs[tx.db], hashOf(key)
		d.retime(hash, d.keys.get(hash, key), h)
	}
	tx.settle(key, h.len())
}
