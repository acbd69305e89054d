package fsm

// database is the keys that one SELECT leads to.
type database struct {
	keys      *keyspace
	deadlines deadlines
	journal   *journal // nil but while a script runs
}

func newDatabase() *database { return &database{keys: newKeyspace()} }

// put stores a new object, owned by the database, and returns the one in whose place it
// is, or nil.
func (d *database) put(hash uint64, o *object, epoch uint32) *object {
	old := d.keys.put(hash, o, epoch)
	d.journal.replaced(d, hash, old, o, epoch)
	if old != nil && old.deadline != 0 {
		d.deadlines.remove(old)
	}
	if o.deadline != 0 {
		d.deadlines.add(hash, o)
	}
	return old
}

// delete removes a key and returns its object, or nil.
func (d *database) delete(hash uint64, key []byte, epoch uint32) *object {
	old := d.keys.delete(hash, key, epoch)
	d.journal.replaced(d, hash, old, nil, epoch)
	if old != nil && old.deadline != 0 {
		d.deadlines.remove(old)
	}
	return old
}

// own returns an object of the database in a form that no snapshot holds.
func (d *database) own(hash uint64, o *object, epoch uint32) *object {
	if o.epoch == epoch && d.journal.mayChange(o) {
		return o
	}
	mine := &object{key: o.key, value: o.value.clone(), deadline: o.deadline, epoch: epoch}
	d.keys.put(hash, mine, epoch)
	d.journal.replaced(d, hash, o, mine, epoch)
	if o.deadline != 0 {
		d.deadlines.replace(o, mine)
	}
	return mine
}

// setDeadline changes when an object of the database dies; 0 means never.
func (d *database) setDeadline(hash uint64, o *object, deadline Millis, epoch uint32) {
	if o.deadline == deadline {
		return
	}
	o = d.own(hash, o, epoch)
	if o.deadline != 0 {
		d.deadlines.remove(o)
		d.keys.expires--
	}
	o.deadline = deadline
	if deadline != 0 {
		d.deadlines.add(hash, o)
		d.keys.expires++
	}
}

// next is the object that dies first.
func (d *database) next() (timed, bool) {
	if len(d.deadlines.heap) == 0 {
		return timed{}, false
	}
	return d.deadlines.heap[0], true
}
