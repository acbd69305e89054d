package fsm

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// keyspace is the keys of one database: an extendible hash table (Fagin, Nievergelt,
// Pippenger, Strong, "Extendible Hashing", 1979). The directory is indexed by the top
// bits of a key's hash and points to buckets, which keep their slots in the order of
// hash and key; a bucket that is full is split in two. So the table grows a bucket at
// a time, visits keys in the same order on every node, and a snapshot of it is a copy
// of the directory: whoever changes a bucket that a snapshot may hold copies it first.
type keyspace struct {
	directory []*bucket // 1 << depth
	depth     uint8
	keys      int
	expires   int // keys with a deadline
}

// bucket holds the keys whose hashes begin with the same depth bits.
type bucket struct {
	slots []slot // by hash, then key
	depth uint8
	epoch uint32 // Invariant: a snapshot may hold the bucket iff epoch < the machine's.
}

type slot struct {
	hash   uint64
	object *object
}

const (
	bucketSlots = 32
	bucketMerge = 12 // two halves that hold no more together become one again
)

func newKeyspace() *keyspace { return &keyspace{directory: []*bucket{{}}} }

func hashOf(key []byte) uint64 { return xxhash.Sum64(key) }

func (k *keyspace) index(hash uint64) int { return int(hash >> (64 - k.depth)) }

// find returns where a key is in the bucket, or where it would be. The hashes of a bucket
// are spread evenly behind the bits that they share, so that the search begins where this
// one should be: most of its cost is waiting for memory. Only equal hashes make a bucket
// long, and there it goes by halves.
func (b *bucket) find(hash uint64, key []byte) (int, bool) {
	n := len(b.slots)
	if n > bucketSlots {
		return slices.BinarySearchFunc(b.slots, key, func(s slot, key []byte) int {
			if c := cmp.Compare(s.hash, hash); c != 0 {
				return c
			}
			return cmp.Compare(s.object.key, string(key))
		})
	}
	guess, _ := bits.Mul64(hash<<b.depth, uint64(n))
	i := int(guess)
	for i > 0 && b.slots[i-1].hash >= hash {
		i--
	}
	for ; i < n && b.slots[i].hash <= hash; i++ {
		if b.slots[i].hash < hash {
			continue
		}
		switch found := b.slots[i].object.key; {
		case found == string(key):
			return i, true
		case found > string(key):
			return i, false
		}
	}
	return i, false
}

func (k *keyspace) get(hash uint64, key []byte) *object {
	b := k.directory[k.index(hash)]
	if i, ok := b.find(hash, key); ok {
		return b.slots[i].object
	}
	return nil
}

// own returns the bucket for a hash, in a form that no snapshot holds.
func (k *keyspace) own(hash uint64, epoch uint32) *bucket {
	b := k.directory[k.index(hash)]
	if b.epoch < epoch {
		b = &bucket{slots: slices.Clone(b.slots), depth: b.depth, epoch: epoch}
		k.point(hash, b)
	}
	return b
}

// point lets every entry of the directory that a bucket stands for point to it.
func (k *keyspace) point(hash uint64, b *bucket) {
	span := 1 << (k.depth - b.depth)
	first := k.index(hash) &^ (span - 1)
	for i := range span {
		k.directory[first+i] = b
	}
}

// put stores an object under its key and returns the one it replaces, or nil.
func (k *keyspace) put(hash uint64, o *object, epoch uint32) *object {
	b := k.own(hash, epoch)
	i, found := b.find(hash, []byte(o.key))
	if found {
		old := b.slots[i].object
		b.slots[i].object = o
		k.count(old, -1)
		k.count(o, 1)
		return old
	}
	for len(b.slots) >= bucketSlots && k.split(hash, b, epoch) {
		b = k.directory[k.index(hash)]
		i, _ = b.find(hash, []byte(o.key))
	}
	if len(b.slots) == cap(b.slots) { // in small steps: most buckets are half full
		b.slots = slices.Grow(b.slots, min(4, max(1, bucketSlots-len(b.slots))))
	}
	b.slots = slices.Insert(b.slots, i, slot{hash, o})
	k.count(o, 1)
	return nil
}

// split divides a bucket in two, false if that would take a directory longer than the
// table has keys: somebody has made keys whose hashes are alike, and gets a long bucket.
func (k *keyspace) split(hash uint64, b *bucket, epoch uint32) bool {
	if b.depth == k.depth && len(k.directory) > k.keys {
		return false
	}
	if b.depth == k.depth {
		doubled := make([]*bucket, 2*len(k.directory))
		for i, b := range k.directory {
			doubled[2*i], doubled[2*i+1] = b, b
		}
		k.directory = doubled
		k.depth++
	}
	bit := uint64(1) << (63 - b.depth)
	middle, _ := slices.BinarySearchFunc(b.slots, bit, func(s slot, bit uint64) int { return cmp.Compare(s.hash&bit, bit) })
	low := &bucket{slots: slices.Clone(b.slots[:middle]), depth: b.depth + 1, epoch: epoch}
	high := &bucket{slots: slices.Clone(b.slots[middle:]), depth: b.depth + 1, epoch: epoch}
	k.point(hash&^bit, low)
	k.point(hash|bit, high)
	return true
}

// delete removes a key and returns its object, nil if there was none.
func (k *keyspace) delete(hash uint64, key []byte, epoch uint32) *object {
	if _, found := k.directory[k.index(hash)].find(hash, key); !found {
		return nil
	}
	b := k.own(hash, epoch)
	i, _ := b.find(hash, key)
	old := b.slots[i].object
	b.slots = slices.Delete(b.slots, i, i+1)
	k.count(old, -1)
	k.merge(hash, b, epoch)
	if k.keys == 0 {
		*k = *newKeyspace()
	}
	return old
}

// merge joins a bucket with the other half of what it was split from while they are
// nearly empty.
func (k *keyspace) merge(hash uint64, b *bucket, epoch uint32) {
	for b.depth > 0 {
		bit := uint64(1) << (64 - b.depth)
		other := k.directory[k.index(hash^bit)]
		if other.depth != b.depth || len(b.slots)+len(other.slots) > bucketMerge {
			return
		}
		low, high := b, other
		if hash&bit != 0 {
			low, high = other, b
		}
		b = &bucket{slots: slices.Concat(low.slots, high.slots), depth: b.depth - 1, epoch: epoch}
		k.point(hash, b)
	}
}

func (k *keyspace) count(o *object, by int) {
	k.keys += by
	if o.deadline != 0 {
		k.expires += by
	}
}

// walk visits the objects from a hash on in the order of their hashes and keys, until
// visit returns false.
func (k *keyspace) walk(from uint64, visit func(hash uint64, o *object) bool) {
	for i := k.index(from); i < len(k.directory); {
		b := k.directory[i]
		for _, s := range b.slots {
			if s.hash >= from && !visit(s.hash, s.object) {
				return
			}
		}
		span := 1 << (k.depth - b.depth)
		i = i&^(span-1) + span // the walk may begin in the middle of a bucket's span
	}
}

// random returns an object chosen by r among those alive, or nil. Like everything that
// comes of the dice, it depends on the keys alone, and not on how they are held.
func (k *keyspace) random(r *Rand, alive func(*object) bool) *object {
	var found []*object // the next ones from a random place on, round the end
	start := r.Uint64()
	collect := func(_ uint64, o *object) bool {
		if alive(o) {
			found = append(found, o)
		}
		return len(found) < 16
	}
	k.walk(start, collect)
	if len(found) < 16 {
		k.walk(0, func(hash uint64, o *object) bool { return hash < start && collect(hash, o) })
	}
	if len(found) == 0 {
		return nil
	}
	return found[r.IntN(len(found))]
}

// frozen is the keyspace for a snapshot: nobody changes what it holds.
func (k *keyspace) frozen() *keyspace {
	f := *k
	f.directory = slices.Clone(k.directory)
	return &f
}
