package fsm

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// onceModel is the once-table, simply: all that was ever answered, and by whom.
type onceModel struct {
	present map[string]uint64 // the incarnation of a node
	nonces  map[uint64]uint64
	low     map[uint64]uint64
	replies map[[2]uint64]string
}

// The once-table answers what was applied and nothing else, drops what a node says it has,
// and is the same after a snapshot.
func TestOnce(t *testing.T) {
	rand := Rand{9}
	o := &once{}
	m := onceModel{map[string]uint64{}, map[uint64]uint64{}, map[uint64]uint64{}, map[[2]uint64]string{}}
	for index := uint64(1); index < 30_000; index++ {
		node := fmt.Sprint("n", rand.IntN(4))
		id, known := m.present[node]
		switch rand.IntN(20) {
		case 0:
			nonce, prev := uint64(rand.IntN(3)), id
			if rand.IntN(3) == 0 {
				prev = uint64(rand.IntN(int(index)))
			}
			o.register(index, node, nonce, prev)
			if prev == id && !(known && m.nonces[id] == nonce) {
				m.present[node], m.nonces[index] = index, nonce
			}
		case 1:
			if rand.IntN(4) == 0 {
				o.drop(node)
				delete(m.present, node)
			}
		}
		id, known = m.present[node]
		inc := o.byNode(node)
		if (inc != nil) != known || known && (inc.id != id || o.byID(id) != inc) {
			t.Fatalf("%d: %s is %+v, want %d", index, node, inc, id)
		}
		if !known {
			continue
		}
		if rand.IntN(3) == 0 {
			low := m.low[id] + uint64(rand.IntN(5)) - min(2, m.low[id])
			inc.raise(low)
			m.low[id] = max(m.low[id], low)
		}
		seq := max(1, m.low[id]+uint64(rand.IntN(12))-min(3, m.low[id]))
		reply, answered := inc.answered(seq)
		switch want, applied := m.replies[[2]uint64{id, seq}]; {
		case seq <= m.low[id]:
			if !answered || reply != nil {
				t.Fatalf("%d: request %d, not above %d, has the reply %q, %v", index, seq, m.low[id], reply, answered)
			}
		case answered != applied || string(reply) != want:
			t.Fatalf("%d: request %d has the reply %q, %v; want %q, %v", index, seq, reply, answered, want, applied)
		case !applied:
			text := fmt.Sprint("+", index)
			inc.keep(seq, Reply(text))
			m.replies[[2]uint64{id, seq}] = text
		}
		if index%100 == 0 {
			before := o.clone()
			decoded, err := decodeOnce(o.encode())
			if err != nil || !slices.Equal(decoded.encode(), o.encode()) {
				t.Fatalf("%d: after a snapshot: %+v, %v; before: %+v", index, decoded, err, o)
			}
			o = decoded
			o.byNode(node).raise(1 << 40)
			if !reflect.DeepEqual(before.encode(), before.clone().encode()) || len(before.encode()) < len(o.encode()) {
				t.Fatalf("%d: a clone shares what is changed", index)
			}
			m.low[id] = 1 << 40
			o.drop(node) // begin again with small numbers
			delete(m.present, node)
		}
	}
}

// A request counts once: sent again, on a machine that was restored from a snapshot
// meanwhile, once its answer has come, and after its node has begun another life.
func TestRequestCountsOnce(t *testing.T) {
	m := New()
	const at = 1000
	apply := func(data []byte) []Result { return m.Apply(m.Index()+1, data) }
	register := func(nonce, prev uint64) uint64 {
		apply(AppendRegistration(nil, at, "n1", nonce, prev))
		return m.Index()
	}
	send := func(incarnation, lowWater, seq uint64) string {
		incr := Request{Calls: []Call{{Args: [][]byte{[]byte("INCR"), []byte("k")}}}}
		return string(apply(AppendEntry(nil, at, 7, []Section{{Incarnation: incarnation, LowWater: lowWater, Count: 1, Requests: AppendRequest(nil, seq, incr)}}))[0].Reply)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	id := register(1, 0)
	want("the first time", send(id, 0, 1), ":1\r\n")
	want("again", send(id, 0, 1), ":1\r\n")
	var file bytes.Buffer
	snapshot := m.Snapshot()
	if _, err := snapshot.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	snapshot.Release()
	m = New()
	if err := m.Restore(&file); err != nil {
		t.Fatal(err)
	}
	want("after a restart", send(id, 0, 1), ":1\r\n")
	want("the next", send(id, 1, 2), ":2\r\n")
	want("one whose answer has come", send(id, 1, 1), "")
	next := register(2, id)
	want("one of an earlier life", send(id, 1, 3), string(ErrorReply(errReplaced)))
	want("one of this life", send(next, 0, 1), ":3\r\n")
}
