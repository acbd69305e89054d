package fsm_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"holdfast/fsm"
	"holdfast/test/random"
)

var agreementSeed = flag.Uint64("agreement-seed", 0, "the seed of TestAgreement; 0 chooses one")

// Three machines that apply the same entries have the same replies, digests and snapshots,
// also if one of them was restored from a snapshot of another on the way, and if a
// snapshot is written long after it was taken. The entries are of all commands, alone and
// in transactions, from nodes that come and go and send things twice, while keys expire.
func TestAgreement(t *testing.T) {
	seed := *agreementSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-agreement-seed %d", seed)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { agree(t, seed) })
	}
}

func agree(t *testing.T, seed uint64) {
	const entries = 1500
	l := newLog(seed)
	a, b, c := fsm.New(), fsm.New(), fsm.New()
	var frozen *fsm.Snapshot
	var frozenBytes []byte
	for i := uint64(1); i <= entries; i++ {
		entry := l.next(i)
		want := fmt.Sprint(a.Apply(i, entry), a.Events())
		for _, m := range []*fsm.Machine{b, c} {
			if got := fmt.Sprint(m.Apply(i, entry), m.Events()); got != want {
				t.Fatalf("entry %d: got %q, want %q", i, got, want)
			}
		}
		if i%10 == 0 {
			now, dice, calls := l.clock+fsm.Millis(l.IntN(100)), l.Uint64(), []fsm.Call{l.call(l.Command()...), l.call(l.Command()...)}
			want, due := a.Read(now, dice, calls)
			for _, m := range []*fsm.Machine{b, c} {
				if got, again := m.Read(now, dice, calls); !reflect.DeepEqual(got, want) || again != due {
					t.Fatalf("%q after entry %d: got %q due %d, want %q due %d", calls, i, got, again, want, due)
				}
			}
		}
		switch {
		case i%400 == 200: // c goes on from a's state
			restored := fsm.New()
			if err := restored.Restore(bytes.NewReader(written(t, a.Snapshot()))); err != nil {
				t.Fatal(err)
			}
			c.Adopt(restored)
		case i%150 == 0:
			x, y, z := written(t, a.Snapshot()), written(t, b.Snapshot()), written(t, c.Snapshot())
			if !bytes.Equal(x, y) || !bytes.Equal(x, z) {
				t.Fatalf("after entry %d the snapshots differ", i)
			}
			if x, y, z := digest(a), digest(b), digest(c); x != y || x != z {
				t.Fatalf("after entry %d the digests are %s, %s and %s", i, x, y, z)
			}
			if frozen != nil && !bytes.Equal(written(t, frozen), frozenBytes) {
				t.Fatalf("after entry %d the snapshot taken of a before is not what it was", i)
			}
			frozen, frozenBytes = a.Snapshot(), z
		}
	}
	if a.Counts().Expired < 10 || a.Counts().Expired != b.Counts().Expired {
		t.Errorf("%d and %d keys have expired", a.Counts().Expired, b.Counts().Expired)
	}
	keys := 0
	for db := range fsm.Databases {
		n, _ := a.Keys(db)
		keys += n
	}
	if keys == 0 {
		t.Error("no keys left")
	}
}

func written(t *testing.T, s *fsm.Snapshot) []byte {
	t.Helper()
	defer s.Release()
	var buf bytes.Buffer
	if n, err := s.WriteTo(&buf); err != nil || n != int64(buf.Len()) {
		t.Fatalf("%d bytes of %d, %v", n, buf.Len(), err)
	}
	return buf.Bytes()
}

func digest(m *fsm.Machine) string {
	s := m.Snapshot()
	defer s.Release()
	return s.Digest()
}

// log makes entries as a cluster of three nodes makes them.
type log struct {
	*random.Source
	clock fsm.Millis
	nodes [3]logNode
}

type logNode struct {
	incarnation, nonce, seq, lowWater uint64
	sent                              [][]byte // requests above the low water
}

func newLog(seed uint64) *log {
	l := &log{Source: random.New(seed), clock: 1_700_000_000_000}
	l.Near = true
	return l
}

func (l *log) next(index uint64) []byte {
	l.clock += fsm.Millis(l.IntN(30) - 2) // a new leader's clock may be behind
	l.Now = int64(l.clock)
	at := l.IntN(len(l.nodes))
	n := &l.nodes[at]
	name := fmt.Sprint("n", at)
	switch {
	case n.incarnation == 0 || l.IntN(200) == 0:
		prev := n.incarnation
		if l.IntN(5) > 0 || prev == 0 { // else it names one that is not the last
			*n = logNode{incarnation: index, nonce: l.Uint64()}
		} else {
			prev++
		}
		return fsm.AppendRegistration(nil, l.clock, name, l.Uint64(), prev)
	case l.IntN(300) == 0:
		n.incarnation = 0
		return fsm.AppendDeparture(nil, l.clock, name)
	case l.IntN(300) == 0:
		return fsm.AppendFormed(nil, l.clock, fmt.Sprint(l.Uint64()))
	case l.IntN(300) == 0:
		return fsm.AppendCheck(nil, l.clock)
	case l.IntN(20) == 0:
		return fsm.AppendEntry(nil, l.clock, l.Uint64(), nil)
	}
	var sections []fsm.Section
	for i := range l.nodes {
		if l.nodes[i].incarnation != 0 && (i == at || l.IntN(4) == 0) {
			sections = append(sections, l.section(&l.nodes[i]))
		}
	}
	return fsm.AppendEntry(nil, l.clock, l.Uint64(), sections)
}

// section has new requests of a node, and some that it has sent before.
func (l *log) section(n *logNode) fsm.Section {
	s := fsm.Section{Incarnation: n.incarnation}
	if answered := uint64(l.IntN(len(n.sent) + 1)); l.IntN(3) == 0 {
		n.lowWater += answered
		n.sent = n.sent[answered:]
	}
	s.LowWater = n.lowWater
	for _, request := range n.sent {
		if l.IntN(4) == 0 {
			s.Requests = append(s.Requests, request...)
			s.Count++
		}
	}
	for range 1 + l.IntN(3) {
		n.seq++
		request := fsm.AppendRequest(nil, n.seq, l.request())
		n.sent = append(n.sent, request)
		s.Requests = append(s.Requests, request...)
		s.Count++
	}
	return s
}

func (l *log) request() fsm.Request {
	watcher := fmt.Sprint(1 + l.IntN(3))
	switch l.IntN(20) {
	case 0:
		return fsm.Request{Calls: []fsm.Call{l.call("WATCH", watcher, fmt.Sprint("s", l.IntN(4)), fmt.Sprint("e", l.IntN(4)))}}
	case 1:
		return fsm.Request{Calls: []fsm.Call{l.call("UNWATCH", watcher)}}
	case 2:
		return fsm.Request{Calls: []fsm.Call{l.call("CONFIG", "SET", "notify-keyspace-events", [...]string{"", "KEA", "Ex"}[l.IntN(3)])}}
	case 3, 4, 5:
		r := fsm.Request{Multi: true}
		for range l.IntN(5) {
			r.Calls = append(r.Calls, l.call(l.Command()...))
		}
		if l.IntN(2) == 0 {
			r.Watch = 1 + l.Uint64N(3)
		}
		return r
	}
	return fsm.Request{Calls: []fsm.Call{l.call(l.Command()...)}}
}

func (l *log) call(args ...string) fsm.Call {
	call := fsm.Call{DB: uint8(l.IntN(3))}
	for _, arg := range args {
		call.Args = append(call.Args, []byte(arg))
	}
	return call
}
