package fsm

// database is the keys that one SELECT leads to.
type database struct {
	keys      *keyspace
	deadlines deadlines
	fields    deadlines // of hashes with fields that have one
	journal   *journal  // nil but while a script runs
}

func newDatabase() *database {
	return &database{keys: newKeyspace(), fields: deadlines{ofFields: true}}
}

// put stores a new object, owned by the database, and returns the one in whose place it
// is, or nil.
func (d *database) put(hash uint64, o *object, epoch uint32) *object {
	old := d.keys.put(hash, o, epoch)
	d.journal.replaced(d, hash, old, o, epoch)
	d.forget(old)
	if o.deadline != 0 {
		d.deadlines.add(hash, o)
	}
	if o.timesOfFields() != nil {
		d.fields.add(hash, o)
	}
	return old
}

// forget takes an object that was there, or nil, out of the deadlines.
func (d *database) forget(old *object) {
	if old == nil {
		return
	}
	if old.deadline != 0 {
		d.deadlines.remove(old)
	}
	if old.timesOfFields() != nil {
		d.fields.remove(old)
	}
}

// delete removes a key and returns its object, or nil.
func (d *database) delete(hash uint64, key []byte, epoch uint32) *object {
	old := d.keys.delete(hash, key, epoch)
	d.journal.replaced(d, hash, old, nil, epoch)
	d.forget(old)
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
	if o.timesOfFields() != nil {
		d.fields.replace(o, mine)
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

// retime gives a hash whose fields have changed its place by their deadlines. The object
// is one that own has returned.
func (d *database) retime(hash uint64, o *object, h *hash) {
	switch t := h.timed; {
	case t == nil:
	case !h.retime():
		if t.heapPos >= 0 {
			d.fields.remove(o)
		}
		h.timed = nil
	case t.heapPos < 0:
		d.fields.add(hash, o)
	default:
		d.fields.fix(o)
	}
}
