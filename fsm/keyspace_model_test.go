package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// hashes are hash functions that try the table: those of the keyspace, and some under
// which keys collide.
var hashes = map[string]func(key []byte) uint64{
	"xxhash":       hashOf,
	"high bits":    func(key []byte) uint64 { return hashOf(key) & (0x3f << 58) },
	"low bits":     func(key []byte) uint64 { return hashOf(key) & 0xffff },
	"two":          func(key []byte) uint64 { return hashOf(key) & 1 * ^uint64(0) },
	"all the same": func(key []byte) uint64 { return 42 },
}

// The table of keys does what a map does, visits its keys in order, and snapshots of it
// stay as they were.
func TestKeyspace(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			rand := Rand{uint64(len(name))}
			k := newKeyspace()
			model := map[string]*object{}
			type frozen struct {
				keys  *keyspace
				model map[string]*object
			}
			var snapshots []frozen
			epoch := uint32(0)
			for step := range 9_000 {
				key := fmt.Appendf(nil, "key%d", rand.IntN(800))
				growing := step/3000%2 == 0 // then shrinking, to nothing
				if growing == (rand.IntN(5) > 0) {
					o := &object{key: string(key), deadline: Millis(rand.IntN(2)), epoch: epoch}
					if old := k.put(hash(key), o, epoch); old != model[o.key] {
						t.Fatalf("step %d: put %s replaces %v, want %v", step, key, old, model[o.key])
					}
					model[o.key] = o
				} else {
					if old := k.delete(hash(key), key, epoch); old != model[string(key)] {
						t.Fatalf("step %d: delete %s returns %v, want %v", step, key, old, model[string(key)])
					}
					delete(model, string(key))
				}
				if got := k.get(hash(key), key); got != model[string(key)] {
					t.Fatalf("step %d: %s is %v, want %v", step, key, got, model[string(key)])
				}
				if step%500 == 0 {
					snapshots = append(snapshots, frozen{k.frozen(), maps.Clone(model)})
					epoch++
					if len(snapshots) > 4 {
						snapshots = snapshots[1:]
					}
				}
				if step%300 == 0 {
					checkKeyspace(t, k, model, hash, &rand)
					for _, s := range snapshots {
						checkKeyspace(t, s.keys, s.model, hash, &rand)
					}
				}
			}
			for key := range model {
				k.delete(hash([]byte(key)), []byte(key), epoch)
			}
			if len(k.directory) != 1 || k.keys != 0 || k.expires != 0 {
				t.Errorf("empty, but %d entries, %d keys, %d deadlines", len(k.directory), k.keys, k.expires)
			}
		})
	}
}

func checkKeyspace(t *testing.T, k *keyspace, model map[string]*object, hash func([]byte) uint64, rand *Rand) {
	t.Helper()
	var want []slot
	expires := 0
	for _, o := range model {
		want = append(want, slot{hash([]byte(o.key)), o})
		expires += int(o.deadline)
	}
	slices.SortFunc(want, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.object.key, b.object.key))
	})
	if k.keys != len(model) || k.expires != expires {
		t.Fatalf("%d keys, %d with a deadline; want %d and %d", k.keys, k.expires, len(model), expires)
	}
	for _, from := range []uint64{0, rand.Uint64(), ^uint64(0)} {
		var got []slot
		k.walk(from, func(hash uint64, o *object) bool {
			got = append(got, slot{hash, o})
			return true
		})
		first := slices.IndexFunc(want, func(s slot) bool { return s.hash >= from })
		if first < 0 {
			first = len(want)
		}
		if !slices.Equal(got, want[first:]) {
			t.Fatalf("from %x %d of %d keys are visited, or in another order", from, len(got), len(want)-first)
		}
	}
	for i, b := range k.directory {
		for _, s := range b.slots {
			if b.depth > 0 && s.hash>>(64-b.depth) != uint64(i)>>(k.depth-b.depth) {
				t.Fatalf("hash %x in the bucket %d of depth %d", s.hash, i, b.depth)
			}
		}
	}
	even := func(o *object) bool { return o.deadline == 0 }
	if len(k.directory) > 2*max(1, len(model), 800) { // 800: it does not become shorter
		t.Fatalf("a directory of %d for %d keys", len(k.directory), len(model))
	}
	if o := k.random(rand, even); o == nil && expires < len(model) || o != nil && (!even(o) || model[o.key] != o) {
		t.Fatalf("random returns %v", o)
	}
}

// What the dice choose depends on the keys, and not on how the table came to be; and every
// key has its chance.
func TestRandomKey(t *testing.T) {
	direct, detour := newKeyspace(), newKeyspace()
	key := func(i int) []byte { return fmt.Appendf(nil, "key%d", i) }
	put := func(k *keyspace, i int) { k.put(hashOf(key(i)), &object{key: string(key(i))}, 0) }
	for i := range 5000 {
		put(detour, i)
	}
	for i := range 4900 {
		detour.delete(hashOf(key(i)), key(i), 0)
	}
	for i := 4900; i < 5000; i++ {
		put(direct, i)
	}
	all := func(*object) bool { return true }
	chosen := map[string]int{}
	for seed := range uint64(20_000) {
		a, b := Rand{seed}, Rand{seed}
		x, y := direct.random(&a, all), detour.random(&b, all)
		if x.key != y.key || a != b {
			t.Fatalf("seed %d: %s and %s", seed, x.key, y.key)
		}
		chosen[x.key]++
	}
	for i := 4900; i < 5000; i++ {
		if n := chosen[string(key(i))]; n < 80 || n > 400 {
			t.Errorf("%s was chosen %d times in 20000, of 100 keys", key(i), n)
		}
	}
}

// The heap of deadlines always knows the object that dies first, whatever happens to it
// and whoever shares it.
func TestDeadlines(t *testing.T) {
	rand := Rand{3}
	d := newDatabase()
	epoch := uint32(0)
	model := map[string]Millis{}
	first := func() (string, bool) {
		var keys []string
		for key, deadline := range model {
			if deadline != 0 {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			return "", false
		}
		return slices.MinFunc(keys, func(a, b string) int {
			return cmp.Or(cmp.Compare(model[a], model[b]), cmp.Compare(hashOf([]byte(a)), hashOf([]byte(b))))
		}), true
	}
	for step := range 10_000 {
		key := fmt.Appendf(nil, "key%d", rand.IntN(80))
		hash := hashOf(key)
		deadline := Millis(rand.IntN(40)) // many at one moment, some never
		switch o := d.keys.get(hash, key); rand.IntN(6) {
		case 0, 1:
			d.put(hash, &object{key: string(key), value: &str{}, deadline: deadline, epoch: epoch}, epoch)
			model[string(key)] = deadline
		case 2, 3:
			if o != nil {
				d.setDeadline(hash, o, deadline, epoch)
				model[string(key)] = deadline
			}
		case 4:
			d.delete(hash, key, epoch)
			delete(model, string(key))
		case 5:
			if o != nil {
				d.own(hash, o, epoch)
			}
			if rand.IntN(20) == 0 {
				epoch++ // a snapshot
			}
		}
		key1, any := first()
		got, has := d.deadlines.next()
		if any != has || any && (got.object.key != key1 || got.object.deadline != model[key1]) {
			t.Fatalf("step %d: next is %v, want %s at %d", step, got.object, key1, model[key1])
		}
		if any && d.keys.get(got.hash, []byte(key1)) != got.object {
			t.Fatalf("step %d: the heap holds another object of %s than the table", step, key1)
		}
		if len(d.deadlines.heap) != d.keys.expires {
			t.Fatalf("step %d: %d in the heap, %d with a deadline", step, len(d.deadlines.heap), d.keys.expires)
		}
	}
	for last := (timed{object: &object{}}); ; {
		next, ok := d.deadlines.next()
		if !ok {
			break
		}
		if d.deadlines.before(next, last) {
			t.Fatalf("%v after %v", next.object, last.object)
		}
		last = next
		d.delete(next.hash, []byte(next.object.key), epoch)
	}
}
