package fsm

// journal remembers how keys were before a script changed them, so that what a script
// has done can be undone when it goes beyond its limits. A nil journal remembers nothing.
type journal struct {
	undo  []func()
	fresh map[*object]struct{} // made since the journal began: they may be changed in place
}

// beginJournal starts a journal of all changes to keys.
func (m *Machine) beginJournal() *journal {
	j := &journal{fresh: map[*object]struct{}{}}
	for _, d := range m.dbs {
		d.journal = j
	}
	return j
}

func (m *Machine) endJournal() {
	for _, d := range m.dbs {
		d.journal = nil // those that were flushed away keep theirs, and rollback ends that
	}
}

// rollback undoes what the journal holds, after it has ended.
func (j *journal) rollback() {
	undo := j.undo
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
}

// note adds how to undo a change.
func (j *journal) note(undo func()) {
	if j != nil {
		j.undo = append(j.undo, undo)
	}
}

// replaced notes that an object of the database, or none, took the place of another one,
// or of none. The old object is not changed any more: see mayChange.
func (j *journal) replaced(d *database, hash uint64, old, now *object, epoch uint32) {
	if j == nil || old == nil && now == nil {
		return
	}
	if now != nil {
		j.fresh[now] = struct{}{}
	}
	j.undo = append(j.undo, func() {
		if old == nil {
			d.delete(hash, []byte(now.key), epoch)
		} else {
			d.put(hash, old, epoch)
		}
	})
}

// mayChange reports whether an object may be changed in place.
func (j *journal) mayChange(o *object) bool {
	if j == nil {
		return true
	}
	_, fresh := j.fresh[o]
	return fresh
}
