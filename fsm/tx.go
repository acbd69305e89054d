package fsm

import "strings"

// Tx is what a command sees of the machine: the keyspace, and what it would otherwise
// have to ask the node it runs on.
type Tx struct {
	m      *Machine
	db     int // the database the command is for
	now    Millis
	rand   Rand
	user   *User  // whose permissions scripts and SORT are held to; nil for one who may do everything
	origin uint64 // the incarnation of the node that the command came in at
	script bool   // a script has called the command
	asking bool   // a read: now may be ahead of the machine's clock
	hits   uint64 // keys that a read has found
	misses uint64
	due    Millis // the latest deadline met that has passed at now, but not by the log
}

// Now is the moment the command runs at: the entry's stamp, or for a read the
// leader's clock when it was asked.
func (tx *Tx) Now() Millis { return tx.now }

// Rand is the entry's dice.
func (tx *Tx) Rand() *Rand { return &tx.rand }

// get returns the value at key, ok false where there is none, ErrWrongType where it
// is not a T. It must not be changed.
func get[T value](tx *Tx, key []byte) (v T, ok bool, err error) {
	o := tx.lookup(key)
	if o == nil {
		return v, false, nil
	}
	if v, ok = o.value.(T); !ok {
		return v, false, ErrWrongType
	}
	return v, true, nil
}

// edit is get for a value that the caller goes on to change in place: it is never
// shared with a snapshot.
func edit[T value](tx *Tx, key []byte) (v T, ok bool, err error) {
	if v, ok, err = get[T](tx, key); !ok {
		return v, ok, err
	}
	hash := hashOf(key)
	db := tx.m.dbs[tx.db]
	o := db.own(hash, db.keys.get(hash, key), tx.m.epoch)
	return o.value.(T), true, nil
}

// open is edit for a key that is created, with an empty value, if it is not there. A
// caller that leaves it empty deletes the key again.
func open[T value](tx *Tx, key []byte, empty func() T) (v T, err error) {
	v, ok, err := edit[T](tx, key)
	if err != nil || ok {
		return v, err
	}
	v = empty()
	tx.put(key, v, 0)
	return v, nil
}

// fork returns a second value equal to that of a key that exists; a change to either
// leaves the other as it is.
func (tx *Tx) fork(key []byte) value {
	hash, d := hashOf(key), tx.m.dbs[tx.db]
	o := d.own(hash, d.keys.get(hash, key), tx.m.epoch)
	original := o.value
	o.value = original.clone()
	return original.clone()
}

// lookup returns the object at a key of the command's database that has not expired,
// or nil. It must not be changed.
func (tx *Tx) lookup(key []byte) *object { return tx.lookupIn(tx.db, key) }

// lookupIn is lookup in another database.
func (tx *Tx) lookupIn(db int, key []byte) *object {
	o := tx.m.dbs[db].keys.get(hashOf(key), key)
	if o == nil || !tx.alive(o) {
		tx.misses++
		return nil
	}
	tx.hits++
	return o
}

// alive reports whether an object has not expired.
func (tx *Tx) alive(o *object) bool { return !tx.passed(o.end()) }

// passed reports whether a deadline has come; 0 never does. A read that meets one which
// only the leader's clock has reached must wait for the log: see Machine.Read.
func (tx *Tx) passed(deadline Millis) bool {
	if deadline == 0 || deadline > tx.now {
		return false
	}
	if tx.asking && deadline > tx.m.clock {
		tx.due = max(tx.due, deadline)
	}
	return true
}

// put stores a value under key, replacing whatever was there; deadline 0 means never.
// A deadline that is not after Now deletes the key instead. The key is copied, v is
// owned by the keyspace from here on.
func (tx *Tx) put(key []byte, v value, deadline Millis) { tx.putIn(tx.db, key, v, deadline) }

// putIn is put in another database.
func (tx *Tx) putIn(db int, key []byte, v value, deadline Millis) {
	d, hash := tx.m.dbs[db], hashOf(key)
	if deadline != 0 && deadline <= tx.now {
		tx.remove(db, key)
		return
	}
	old := d.put(hash, &object{key: string(key), value: v, deadline: deadline, epoch: tx.m.epoch}, tx.m.epoch)
	switch {
	case old == nil:
	case tx.alive(old):
		return
	default:
		tx.m.hasExpired(db, old)
	}
	tx.m.emit(db, newEvent, "new", string(key))
}

// del deletes a key and reports whether it was there.
func (tx *Tx) del(key []byte) bool { return tx.remove(tx.db, key) }

// remove is del in another database.
func (tx *Tx) remove(db int, key []byte) bool {
	old := tx.m.dbs[db].delete(hashOf(key), key, tx.m.epoch)
	switch {
	case old == nil:
		return false
	case tx.alive(old):
		return true
	}
	tx.m.hasExpired(db, old)
	return false
}

// expire sets the deadline of a key that exists; 0 removes it. A deadline that is not
// after Now deletes the key.
func (tx *Tx) expire(key []byte, deadline Millis) {
	o := tx.lookup(key)
	if o == nil {
		return
	}
	if deadline != 0 && deadline <= tx.now {
		tx.del(key)
		return
	}
	tx.m.dbs[tx.db].setDeadline(hashOf(key), o, deadline, tx.m.epoch)
}

// size counts the keys of the database, those included that are about to be reaped.
func (tx *Tx) size() int { return tx.m.dbs[tx.db].keys.keys }

// random returns a key chosen by Rand, nil where there is none.
func (tx *Tx) random() *object {
	return tx.m.dbs[tx.db].keys.random(&tx.rand, tx.alive)
}

// cursorBits is how much of a hash a cursor holds: clients that read it as a float64
// must not lose any of it.
const cursorBits = 48

// scan visits keys in the order of their hashes from cursor on (0: the beginning)
// until at least count were visited, and returns the cursor to go on from, 0 at the
// end. Cursors are below 1<<48, the same on every node, and every key that is there
// from the first call to the last is visited.
func (tx *Tx) scan(cursor uint64, count int, visit func(*object)) (next uint64) {
	if cursor >= 1<<cursorBits {
		return 0
	}
	visited, last := 0, uint64(0)
	tx.m.dbs[tx.db].keys.walk(cursor<<(64-cursorBits), func(hash uint64, o *object) bool {
		position := hash >> (64 - cursorBits)
		if visited >= count && position != last {
			next = position
			return false
		}
		if tx.alive(o) {
			visit(o)
		}
		visited++
		last = position
		return true
	})
	return next
}

// flush empties a database.
func (tx *Tx) flush(db int) {
	tx.m.watches.touchAll(db, func(key string) bool { return tx.lookupIn(db, []byte(key)) != nil })
	old := tx.m.dbs[db]
	tx.m.dbs[db] = newDatabase()
	tx.m.dbs[db].journal = old.journal
	old.journal.note(func() { tx.m.dbs[db] = old })
}

// swap exchanges two databases.
func (tx *Tx) swap(a, b int) {
	if a == b {
		return
	}
	inEither := func(key string) bool {
		return tx.lookupIn(a, []byte(key)) != nil || tx.lookupIn(b, []byte(key)) != nil
	}
	tx.m.watches.touchAll(a, inEither)
	tx.m.watches.touchAll(b, inEither)
	tx.m.dbs[a], tx.m.dbs[b] = tx.m.dbs[b], tx.m.dbs[a]
	tx.m.dbs[a].journal.note(func() { tx.m.dbs[a], tx.m.dbs[b] = tx.m.dbs[b], tx.m.dbs[a] })
}

// set stores a replicated setting.
func (tx *Tx) set(name, value string) {
	tx.m.settings.set(strings.ToLower(name), value)
	tx.m.notify = tx.m.settings.events()
}
