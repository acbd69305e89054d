package fsm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Databases is how many databases SELECT may choose from.
const Databases = 16

// reapBudget is how many keys or fields an entry reaps at most, so that a million with one
// deadline do not hold up everything else. Those that are left are gone all the same:
// no command sees a key whose deadline is not after the clock.
const reapBudget = 2048

// Machine is the keyspace as a function of the log: entries go in, replies come out,
// and every node that applied the same entries has the same state. Apply, Restore and
// Snapshot are for one goroutine at a time; everything else is safe beside them.
type Machine struct {
	mu sync.RWMutex

	// The state.
	dbs      [Databases]*database
	index    uint64
	clock    Millis
	formed   string
	settings settings
	once     *once
	watches  *watches
	users    atomic.Pointer[Users]
	scripts  *scripts

	// For scripts, and no part of the state.
	programs programs
	vms      sync.Pool
	lookup   func(args [][]byte) (*Command, error) // Lookup, which knows the commands that run scripts

	notify  EventClass // what the setting of this name says
	events  []Event
	epoch   uint32 // raised by every snapshot
	results []Result
	scratch scratch

	expired, expiredFields uint64
	reapsCut               uint64 // entries that have reaped as much as one may
	hits, misses           atomic.Uint64

	// index and clock once more, for whoever only asks how far the machine has come.
	applied struct {
		index atomic.Uint64
		clock atomic.Int64
	}
}

// New returns an empty machine.
func New() *Machine {
	m := &Machine{once: &once{}, watches: newWatches(), scripts: newScripts()}
	m.users.Store(&Users{})
	m.vms.New = func() any { return newVM() }
	m.lookup = Lookup
	for i := range m.dbs {
		m.dbs[i] = newDatabase()
	}
	return m
}

// Result is the reply to one request of an entry.
type Result struct {
	Incarnation uint64 // of the node that the request came in at
	Seq         uint64 // its number among that node's requests
	Reply       Reply  // nil when the request was answered before and its reply was dropped
}

// errReplaced answers a request of an incarnation that is not registered any more.
var errReplaced = NewError("UNCERTAIN", "the node that took the command was restarted or replaced meanwhile; it was not applied again")

// Apply applies the entry at a log index and returns the results in the order of the
// entry's requests; the slice is valid until the next Apply. It keeps nothing of data.
// It panics on an entry it cannot decode: to skip it would leave this node silently
// different from the others.
func (m *Machine) Apply(index uint64, data []byte) []Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.publish()
	if index <= m.index {
		panic(fmt.Sprintf("fsm: entry %d after entry %d", index, m.index))
	}
	d := decoder{buf: data}
	if version := d.byte(); version != entryVersion {
		panic(fmt.Sprintf("fsm: entry %d has version %d, this program knows %d", index, version, entryVersion))
	}
	kind, at := d.byte(), Millis(d.uint())
	m.index = index
	m.clock = max(m.clock, at)
	clear(m.events)
	m.events = m.events[:0]
	m.reap()

	clear(m.results)
	m.results = m.results[:0]
	switch kind {
	case requestsEntry:
		m.applyRequests(&d)
	case registrationEntry:
		nodeID, nonce, prev := string(d.bytes()), d.uint(), d.uint()
		if !d.failed {
			m.watches.drop(m.once.register(index, nodeID, nonce, prev))
		}
	case departureEntry:
		m.watches.drop(m.once.drop(string(d.bytes())))
	case formedEntry:
		m.formed = string(d.bytes())
	case checkEntry:
	default:
		panic(fmt.Sprintf("fsm: entry %d is of unknown kind %d", index, kind))
	}
	if d.failed || d.at != len(data) {
		panic(fmt.Sprintf("fsm: entry %d of %d bytes is malformed at offset %d", index, len(data), d.at))
	}
	return m.results
}

func (m *Machine) applyRequests(d *decoder) {
	var seed uint64
	for _, b := range d.take(8) {
		seed = seed<<8 | uint64(b)
	}
	tx := Tx{m: m, now: m.clock, rand: Rand{seed}}
	for range d.count() {
		id, lowWater, count := d.uint(), d.uint(), d.uint()
		requests := decoder{buf: d.bytes()}
		if d.failed {
			return
		}
		inc := m.once.byID(id)
		tx.origin = id
		if inc != nil {
			inc.raise(lowWater)
		}
		for range count {
			seq, request := requests.request(&m.scratch)
			if requests.failed {
				d.failed = true
				return
			}
			m.results = append(m.results, Result{id, seq, m.applyOnce(&tx, inc, seq, request)})
		}
		if requests.at != len(requests.buf) {
			d.failed = true
			return
		}
	}
}

func (m *Machine) applyOnce(tx *Tx, inc *incarnation, seq uint64, request Request) Reply {
	tx.user = nil
	if request.User != "" {
		if tx.user = m.users.Load().Get(request.User); tx.user == nil {
			tx.user = NewUser(request.User) // deleted meanwhile: may do nothing
		}
	}
	if inc == nil {
		return ErrorReply(errReplaced)
	}
	if reply, answered := inc.answered(seq); answered {
		return reply
	}
	var reply Reply
	if request.Watch != 0 && !tx.unchanged(request.Watch) {
		reply = NilArray
	} else if request.Multi {
		var b Builder
		b.Array(len(request.Calls))
		for _, call := range request.Calls {
			b.Append(tx.run(call))
		}
		reply = b.Reply()
	} else {
		reply = tx.run(request.Calls[0])
	}
	inc.keep(seq, reply)
	return reply
}

// run runs one command.
func (tx *Tx) run(call Call) Reply {
	cmd, err := Lookup(call.Args)
	switch {
	case err != nil:
	case !cmd.Accepts(len(call.Args)):
		err = ErrArity(cmd.FullName())
	case tx.asking && cmd.Writes(call.Args):
		err = NewError("ERR", "write command in a read")
	default:
		tx.db = int(call.DB)
		var reply Reply
		if reply, err = cmd.Run(tx, call.Args); err == nil {
			return reply
		}
	}
	return ErrorReply(err)
}

// reap deletes keys, and fields of hashes, whose deadline is not after the clock.
func (m *Machine) reap() {
	for budget := reapBudget; budget > 0; {
		db, due := m.nextDead()
		if due == nil {
			return
		}
		first, _ := due.next()
		if due.ofFields {
			budget -= m.reapFields(db, first, budget)
			continue
		}
		m.dbs[db].delete(first.hash, []byte(first.object.key), m.epoch)
		m.hasExpired(db, first.object)
		budget--
	}
	m.reapsCut++
}

// reapFields deletes fields of a hash, and with the last one the key, and counts them.
func (m *Machine) reapFields(db int, t timed, most int) int {
	d := m.dbs[db]
	o := d.own(t.hash, t.object, m.epoch)
	h := o.value.(*hash)
	reaped := h.reap(m.clock, most)
	m.expiredFields += uint64(reaped)
	if h.len() == 0 {
		d.delete(t.hash, []byte(o.key), m.epoch)
		m.hasExpired(db, o)
		return reaped
	}
	d.retime(t.hash, o, h)
	m.fieldsExpired(db, o.key)
	return reaped
}

// hasExpired tells of a key that was deleted because its deadline had passed, or that of
// the last field of a hash.
func (m *Machine) hasExpired(db int, o *object) {
	if o.deadline != 0 && o.deadline <= m.clock {
		m.expired++
		m.watches.touch(db, []byte(o.key))
		m.emit(db, expiredEvent, "expired", o.key)
		return
	}
	m.expiredFields += uint64(o.value.(*hash).len())
	m.fieldsExpired(db, o.key)
	m.emit(db, genericEvent, "del", o.key)
}

// fieldsExpired tells of fields that are gone.
func (m *Machine) fieldsExpired(db int, key string) {
	m.watches.touch(db, []byte(key))
	m.emit(db, hashEvent, "hexpired", key)
}

// nextDead returns the deadlines, of keys or of fields in a database, that begin with the
// earliest of all that have passed; nil without one.
func (m *Machine) nextDead() (db int, due *deadlines) {
	earliest := m.clock + 1
	for i, d := range m.dbs {
		for _, heap := range []*deadlines{&d.deadlines, &d.fields} {
			if t, ok := heap.next(); ok && heap.of(t.object) < earliest {
				db, due, earliest = i, heap, heap.of(t.object)
			}
		}
	}
	return db, due
}

// Read runs read-only calls on the state as it is. now is the moment for which they
// are asked (the leader's clock, or the node's own under READONLY) and seed the dice
// for RANDOMKEY and its like. due is not 0 when a call met a key whose deadline has
// passed at now but not yet by the log: the reads must be asked again once Clock() has
// reached due.
func (m *Machine) Read(now Millis, seed uint64, calls []Call) (replies []Reply, due Millis) {
	return m.ReadSome(now, seed, calls, math.MaxInt)
}

// ReadSome is Read of only the first calls, at least one, once their replies are as long
// as limit, in bytes.
func (m *Machine) ReadSome(now Millis, seed uint64, calls []Call, limit int) (replies []Reply, due Millis) {
	replies = make([]Reply, 0, len(calls))
	m.mu.RLock()
	defer m.mu.RUnlock()
	tx := Tx{m: m, now: max(now, m.clock), rand: Rand{seed}, asking: true}
	for _, call := range calls {
		reply := tx.run(call)
		replies = append(replies, reply)
		if limit -= len(reply); limit <= 0 {
			break
		}
	}
	m.hits.Add(tx.hits)
	m.misses.Add(tx.misses)
	return replies, tx.due
}

// Index is the index of the last entry applied.
func (m *Machine) Index() uint64 { return m.applied.index.Load() }

// Clock is the stamp of the last entry applied. It never goes back.
func (m *Machine) Clock() Millis { return Millis(m.applied.clock.Load()) }

// publish tells how far the machine has come. Who sees it and then takes the lock finds
// the entry applied.
func (m *Machine) publish() {
	m.applied.clock.Store(int64(m.clock))
	m.applied.index.Store(m.index)
}

// Formed returns the id given by AppendFormed, "" before.
func (m *Machine) Formed() string { m.mu.RLock(); defer m.mu.RUnlock(); return m.formed }

// NextDeadline is the earliest deadline in the keyspace, false without any.
func (m *Machine) NextDeadline() (deadline Millis, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, d := range m.dbs {
		for _, heap := range []*deadlines{&d.deadlines, &d.fields} {
			if t, has := heap.next(); has && (!ok || heap.of(t.object) < deadline) {
				deadline, ok = heap.of(t.object), true
			}
		}
	}
	return deadline, ok
}

// Setting is a replicated setting, false where it was never set.
func (m *Machine) Setting(name string) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if i, found := m.settings.find(strings.ToLower(name)); found {
		return m.settings[i].value, true
	}
	return "", false
}

// Registration is what the machine knows of a node's present incarnation.
type Registration struct {
	Incarnation uint64 // the index of the entry that registered it
	Nonce       uint64 // chosen by the node at its start
}

// Registered returns the present incarnation of a node, false if it has none.
func (m *Machine) Registered(nodeID string) (Registration, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if inc := m.once.byNode(nodeID); inc != nil {
		return Registration{inc.id, inc.nonce}, true
	}
	return Registration{}, false
}

// Keys counts the keys of a database, and those of them that have a deadline.
func (m *Machine) Keys(db int) (keys, expires int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.dbs[db].keys.keys, m.dbs[db].keys.expires
}

// MeanTTL estimates how long the keys of a database that have a deadline have left at now,
// from some of them.
func (m *Machine) MeanTTL(db int, now Millis) Millis {
	m.mu.RLock()
	defer m.mu.RUnlock()
	const samples = 64
	heap := m.dbs[db].deadlines.heap
	n := min(samples, len(heap))
	if n == 0 {
		return 0
	}
	sum := Millis(0)
	for i := range n {
		sum += max(0, heap[i*len(heap)/n].object.deadline-now)
	}
	return sum / Millis(n)
}

// Counts are what a machine counts since the process started, and no part of the state.
type Counts struct {
	Expired, ExpiredFields uint64 // keys, and fields of hashes, that were reaped
	ReapsCut               uint64 // entries that have reaped as much as one may
	Hits, Misses           uint64 // keys that reads have found, or not
	Scripts, ScriptBytes   int    // in the cache, with the bytes of their sources
}

// Counts returns them as they are now.
func (m *Machine) Counts() Counts {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Counts{Expired: m.expired, ExpiredFields: m.expiredFields, ReapsCut: m.reapsCut,
		Hits: m.hits.Load(), Misses: m.misses.Load(), Scripts: len(m.scripts.byHash), ScriptBytes: m.scripts.bytes}
}

// Snapshot freezes the state for WriteTo and Digest, in time independent of the size
// of the values. Entries may be applied meanwhile.
func (m *Machine) Snapshot() *Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &Snapshot{index: m.index, clock: m.clock, formed: m.formed, settings: slices.Clone(m.settings), once: m.once.clone(), watches: m.watches.encode(), users: m.users.Load(), scripts: m.scripts.encode()}
	for i, d := range m.dbs {
		s.dbs[i] = d.keys.frozen()
		s.fieldTimes = s.fieldTimes || len(d.fields.heap) > 0
	}
	m.epoch++
	return s
}

// Adopt takes over the state of another machine, which must not be used any more. Like
// Apply, Restore and Snapshot it is for one goroutine at a time.
func (m *Machine) Adopt(other *Machine) {
	m.epoch = max(m.epoch, other.epoch)
	m.become(&state{
		dbs: other.dbs, index: other.index, clock: other.clock, formed: other.formed, settings: other.settings,
		once: other.once, watches: other.watches, users: other.users.Load(), scripts: other.scripts,
	})
}

// become takes over a state.
func (m *Machine) become(s *state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dbs, m.index, m.clock = s.dbs, s.index, s.clock
	m.formed, m.settings, m.once, m.watches = s.formed, s.settings, s.once, s.watches
	m.users.Store(s.users)
	m.scripts = s.scripts
	m.notify = m.settings.events()
	m.epoch++
	m.publish()
}
