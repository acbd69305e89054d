package fsm

// Tx is what a command sees of the machine: the keyspace, and what it would otherwise
// have to ask the node it runs on.
type Tx struct {
	// db is the database the command is for.
	db int
}

// Now is the moment the command runs at: the entry's stamp, or for a read the
// leader's clock when it was asked.
func (tx *Tx) Now() Millis { panic("skeleton") }

// Rand is the entry's dice.
func (tx *Tx) Rand() *Rand { panic("skeleton") }

// Rand is a small generator written out here, so that a replay under the next Go
// release throws the same dice.
type Rand struct{ state uint64 }

func (r *Rand) Uint64() uint64 { panic("skeleton") }
func (r *Rand) IntN(n int) int { panic("skeleton") } // uniform in [0, n)

// value is what a key holds.
type value interface {
	kind() string // as TYPE answers: "string", "hash", ...
	clone() value // O(1): shares until one of the two changes
}

// object is a key's value with its deadline.
type object struct {
	key      string
	value    value
	deadline Millis // 0 means never
	epoch    uint32 // Invariant: a snapshot may hold the object iff epoch < the machine's.
	heapPos  int32
}

// str is a string value.
type str struct{ b []byte }

func (s *str) kind() string { return "string" }
func (s *str) clone() value { panic("skeleton") }

// get returns the value at key, ok false where there is none, ErrWrongType where it
// is not a T. It must not be changed.
func get[T value](tx *Tx, key []byte) (v T, ok bool, err error) { panic("skeleton") }

// edit is get for a value that the caller goes on to change in place: it is never
// shared with a snapshot.
func edit[T value](tx *Tx, key []byte) (v T, ok bool, err error) { panic("skeleton") }

// lookup returns the object at a key of the command's database that has not expired,
// or nil. It must not be changed.
func (tx *Tx) lookup(key []byte) *object { panic("skeleton") }

// lookupIn is lookup in another database.
func (tx *Tx) lookupIn(db int, key []byte) *object { panic("skeleton") }

// put stores a value under key, replacing whatever was there; deadline 0 means never.
// A deadline that is not after Now deletes the key instead. The key is copied, v is
// owned by the keyspace from here on.
func (tx *Tx) put(key []byte, v value, deadline Millis) { panic("skeleton") }

// putIn is put in another database.
func (tx *Tx) putIn(db int, key []byte, v value, deadline Millis) { panic("skeleton") }

// del deletes a key and reports whether it was there.
func (tx *Tx) del(key []byte) bool { panic("skeleton") }

// expire sets the deadline of a key that exists; 0 removes it. A deadline that is not
// after Now deletes the key.
func (tx *Tx) expire(key []byte, deadline Millis) { panic("skeleton") }

// size counts the keys of the database.
func (tx *Tx) size() int { panic("skeleton") }

// random returns a key chosen by Rand, nil where there is none.
func (tx *Tx) random() *object { panic("skeleton") }

// scan visits keys in the order of their hashes from cursor on (0: the beginning)
// until at least count were visited, and returns the cursor to go on from, 0 at the
// end. Cursors are below 1<<48, the same on every node, and every key that is there
// from the first call to the last is visited.
func (tx *Tx) scan(cursor uint64, count int, visit func(*object)) (next uint64) { panic("skeleton") }

// flush empties a database.
func (tx *Tx) flush(db int) { panic("skeleton") }

// swap exchanges two databases.
func (tx *Tx) swap(a, b int) { panic("skeleton") }

// set stores a replicated setting.
func (tx *Tx) set(name, value string) { panic("skeleton") }
