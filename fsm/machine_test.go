package fsm

import (
	"bytes"
	"fmt"
	"testing"
)

func TestCRC(t *testing.T) {
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("got %x", got)
	}
}

// Two machines at one index write equal snapshots, and one restored half-way goes on
// like the other.
func TestAgreement(t *testing.T) {
	rand := Rand{42}
	a, b := New(), New()
	var index uint64
	apply := func(data []byte) {
		index++
		ra := fmt.Sprint(a.Apply(index, data))
		if rb := fmt.Sprint(b.Apply(index, data)); ra != rb {
			t.Fatalf("entry %d: %s and %s", index, ra, rb)
		}
	}
	apply(AppendRegistration(nil, 1, "n1", 7, 0))
	snapshot := func(m *Machine) []byte {
		var buf bytes.Buffer
		s := m.Snapshot()
		defer s.Release()
		if _, err := s.WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for step := range 3000 {
		at := Millis(1 + step*3)
		key := []byte(fmt.Sprintf("key%d", rand.IntN(400)))
		for _, m := range []*Machine{a, b} { // what handlers will do
			tx := Tx{m: m, now: m.clock}
			switch step % 4 {
			case 0, 1:
				deadline := Millis(0)
				if step%3 == 0 {
					deadline = at + Millis(len(key))*20
				}
				tx.put(key, &str{b: fmt.Append(nil, step)}, deadline)
			case 2:
				tx.del(key)
			case 3:
				if v, ok, _ := edit[*str](&tx, key); ok {
					v.b = append(v.b, 'x')
				}
			}
		}
		apply(AppendEntry(nil, at, rand.Uint64(), nil))
		if step%500 == 250 {
			if err := b.Restore(bytes.NewReader(snapshot(a))); err != nil {
				t.Fatal(err)
			}
		}
		if step%97 == 0 && !bytes.Equal(snapshot(a), snapshot(b)) {
			t.Fatalf("snapshots differ after step %d", step)
		}
	}
	if keys, _ := a.Keys(0); keys == 0 {
		t.Error("no keys left to compare")
	}
}
