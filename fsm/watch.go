package fsm

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// watches are the keys that clients watch (WATCH) with an eye on an EXEC. They are
// part of the state, so that a transaction is decided alike on every node, also when
// the leader has changed in between. A change to a watched key marks its watchers as
// touched; EXEC asks for the mark.
type watches struct {
	byID  map[watchID]*watcher
	byKey map[watchedKey][]*watcher
}

// watchID is a client with watched keys: the incarnation of its node, and a number
// that the node has given it.
type watchID struct{ origin, number uint64 }

type watchedKey struct {
	db  int
	key string
}

type watcher struct {
	id      watchID
	keys    []watched
	touched bool
}

type watched struct {
	watchedKey
	existed bool // when it was first watched: one that has expired since is touched
}

// maxWatched is how many keys a client may watch.
const maxWatched = 1 << 16

var errTooManyWatched = NewError("ERR", "too many watched keys")

func newWatches() *watches {
	return &watches{byID: map[watchID]*watcher{}, byKey: map[watchedKey][]*watcher{}}
}

// touch marks those who watch a key.
func (w *watches) touch(db int, key []byte) {
	if len(w.byKey) == 0 {
		return
	}
	for _, watcher := range w.byKey[watchedKey{db, string(key)}] {
		watcher.touched = true
	}
}

// touchAll marks those who watch any key of a database that fits.
func (w *watches) touchAll(db int, fits func(key string) bool) {
	for k, watchers := range w.byKey {
		if k.db == db && fits(k.key) {
			for _, watcher := range watchers {
				watcher.touched = true
			}
		}
	}
}

func (w *watches) add(id watchID, k watchedKey, existed bool) error {
	entry := w.byID[id]
	if entry == nil {
		entry = &watcher{id: id}
		w.byID[id] = entry
	}
	if slices.ContainsFunc(w.byKey[k], func(other *watcher) bool { return other == entry }) {
		return nil
	}
	if len(entry.keys) >= maxWatched {
		return errTooManyWatched
	}
	entry.keys = append(entry.keys, watched{k, existed})
	w.byKey[k] = append(w.byKey[k], entry)
	return nil
}

// take ends a client's watching and returns what there was of it, or nil.
func (w *watches) take(id watchID) *watcher {
	entry := w.byID[id]
	if entry == nil {
		return nil
	}
	delete(w.byID, id)
	for _, k := range entry.keys {
		left := slices.DeleteFunc(w.byKey[k.watchedKey], func(other *watcher) bool { return other == entry })
		if len(left) == 0 {
			delete(w.byKey, k.watchedKey)
		} else {
			w.byKey[k.watchedKey] = left
		}
	}
	return entry
}

// drop ends the watching of all clients of an incarnation.
func (w *watches) drop(origin uint64) {
	for id := range w.byID {
		if id.origin == origin {
			w.take(id)
		}
	}
}

// sorted lists the watchers by id.
func (w *watches) sorted() []*watcher {
	return slices.SortedFunc(maps.Values(w.byID), func(a, b *watcher) int {
		return cmp.Or(cmp.Compare(a.id.origin, b.id.origin), cmp.Compare(a.id.number, b.id.number))
	})
}

// Encoding, in a field of the snapshot:
//
//	count | { origin | number | touched u8 | count | { db | existed u8 | key } }
func (w *watches) encode() []byte {
	var e encoder
	e.uint(uint64(len(w.byID)))
	for _, watcher := range w.sorted() {
		e.uint(watcher.id.origin)
		e.uint(watcher.id.number)
		e.bool(watcher.touched)
		e.uint(uint64(len(watcher.keys)))
		for _, k := range watcher.keys {
			e.uint(uint64(k.db))
			e.bool(k.existed)
			e.string(k.key)
		}
	}
	return e.buf
}

func decodeWatches(data []byte) (*watches, error) {
	w := newWatches()
	d := decoder{buf: data}
	for range d.count() {
		id := watchID{d.uint(), d.uint()}
		touched := d.byte() != 0
		for range d.count() {
			db, existed, key := d.uint(), d.byte() != 0, string(d.bytes())
			if db >= Databases {
				d.failed = true
				break
			}
			if err := w.add(id, watchedKey{int(db), key}, existed); err != nil {
				return nil, err
			}
		}
		if entry := w.byID[id]; entry != nil {
			entry.touched = touched
		}
	}
	return w, d.err()
}

// watchCommands are how a connection tells of its client's WATCH and UNWATCH. The
// number is the connection's own; clients get the commands of the connection's table.
var watchCommands = []Command{
	{Name: "UNWATCH", Arity: 2, Flags: Write | Internal, Group: "transactions", Since: "2.2.0",
		Summary: "Ends a client's watching.", Syntax: "number", Cost: "O(1)", Run: unwatchCommand},
	{Name: "WATCH", Arity: -3, Flags: Write | Internal, Group: "transactions", Since: "2.2.0",
		Summary: "Watches keys for a client.", Syntax: "number key [key ...]", Cost: "O(1) for every key", Run: watchCommand},
}

func (tx *Tx) watchID(arg []byte) (watchID, error) {
	number, err := strconv.ParseUint(string(arg), 10, 64)
	if err != nil {
		return watchID{}, ErrNotInteger
	}
	return watchID{tx.origin, number}, nil
}

func watchCommand(tx *Tx, args [][]byte) (Reply, error) {
	id, err := tx.watchID(args[1])
	if err != nil {
		return nil, err
	}
	for _, key := range args[2:] {
		if err := tx.m.watches.add(id, watchedKey{tx.db, string(key)}, tx.lookup(key) != nil); err != nil {
			return nil, err
		}
	}
	return OK, nil
}

func unwatchCommand(tx *Tx, args [][]byte) (Reply, error) {
	id, err := tx.watchID(args[1])
	if err != nil {
		return nil, err
	}
	tx.m.watches.take(id)
	return OK, nil
}

// unchanged ends the watching of the client that a request's transaction is from, and
// reports whether the transaction may run.
func (tx *Tx) unchanged(number uint64) bool {
	watcher := tx.m.watches.take(watchID{tx.origin, number})
	if watcher == nil || watcher.touched {
		return false
	}
	for _, k := range watcher.keys {
		if !k.existed {
			continue
		}
		o := tx.lookupIn(k.db, []byte(k.key))
		if o == nil {
			return false // expired, and not reaped yet
		}
		if t := o.timesOfFields(); t != nil && t.next <= tx.now {
			return false // so is a field of it
		}
	}
	return true
}
