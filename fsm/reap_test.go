package fsm_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/fsm"
	"holdfast/test/talk"
)

// A key is there until the moment of its deadline and never after, whatever happens to
// the deadline meanwhile: beside a model that is a map.
func TestExpiryModel(t *testing.T) {
	type entry struct {
		value    string
		deadline fsm.Millis
	}
	rng := rand.New(rand.NewPCG(1, 2))
	m, model := talk.NewMachine(), map[string]entry{}
	for step := range 20_000 {
		m.Clock += fsm.Millis(rng.IntN(4))
		for key, e := range model {
			if e.deadline != 0 && e.deadline <= m.Clock {
				delete(model, key)
			}
		}
		key := fmt.Sprint("k", rng.IntN(30))
		e, there := model[key]
		ms := fsm.Millis(rng.IntN(60) - 5)
		var args []string
		var want talk.Value
		number := func(n int) { want = talk.Value{Kind: ':', Text: strconv.Itoa(n)} }
		switch rng.IntN(8) {
		case 0:
			args, want = []string{"SET", key, fmt.Sprint(step)}, talk.Value{Kind: '+', Text: "OK"}
			model[key] = entry{fmt.Sprint(step), 0}
		case 1:
			ms = max(ms, 1)
			args, want = []string{"SET", key, fmt.Sprint(step), "PX", fmt.Sprint(ms)}, talk.Value{Kind: '+', Text: "OK"}
			model[key] = entry{fmt.Sprint(step), m.Clock + ms}
		case 2, 3:
			args = []string{"PEXPIRE", key, fmt.Sprint(ms)}
			switch number(0); {
			case there && ms <= 0:
				number(1)
				delete(model, key)
			case there:
				number(1)
				model[key] = entry{e.value, m.Clock + ms}
			}
		case 4:
			args = []string{"PERSIST", key}
			if number(0); there && e.deadline != 0 {
				number(1)
				model[key] = entry{e.value, 0}
			}
		case 5:
			args = []string{"DEL", key}
			if number(0); there {
				number(1)
				delete(model, key)
			}
		case 6:
			args, want = []string{"GET", key}, talk.Value{Kind: '_', Text: "$"}
			if there {
				want = talk.Value{Kind: '$', Text: e.value}
			}
		case 7:
			args = []string{"PTTL", key}
			switch number(-2); {
			case there && e.deadline == 0:
				number(-1)
			case there:
				number(int(e.deadline - m.Clock))
			}
		}
		if got, err := m.Do(args); err != nil || !talk.Same(want, got, 0, false) {
			t.Fatalf("step %d at %d: %q: got %v, %v; want %v", step, m.Clock, args, got, err, want)
		}
		if step%100 == 0 {
			m.Reap()
			if n, _ := m.Keys(0); n != len(model) {
				t.Fatalf("step %d: %d keys, want %d", step, n, len(model))
			}
		}
	}
}

// Keys are reaped in the order of their deadlines, a bounded number with each entry, and
// those that are left are not seen.
func TestReap(t *testing.T) {
	const keys = 5000
	m := talk.NewMachine()
	set := fsm.Request{Calls: []fsm.Call{{Args: [][]byte{[]byte("CONFIG"), []byte("SET"), []byte("notify-keyspace-events"), []byte("Ex")}}}}
	if reply := m.Write(set); string(reply) != "+OK\r\n" {
		t.Fatalf("%s", reply)
	}
	deadlines := map[string]fsm.Millis{}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range keys {
		key, deadline := fmt.Sprint("key", i), m.Clock+1+fsm.Millis(rng.IntN(100))
		deadlines[key] = deadline
		if reply := m.Run(uint8(i%3), []string{"SET", key, "v", "PXAT", fmt.Sprint(deadline)}); string(reply) != "+OK\r\n" {
			t.Fatalf("%s", reply)
		}
	}
	m.Clock += 200
	var order []string
	for entries := 1; ; entries++ {
		m.Reap()
		events := m.Events()
		if len(events) == 0 {
			t.Logf("%d keys in %d entries", len(order), entries-1)
			break
		}
		if len(events) > 2048 {
			t.Fatalf("%d keys with one entry", len(events))
		}
		for _, e := range events {
			if e.Name != "expired" {
				t.Fatalf("event %s", e.Name)
			}
			order = append(order, e.Key)
		}
		for i := range keys {
			if reply := m.Run(uint8(i%3), []string{"EXISTS", fmt.Sprint("key", i)}); string(reply) != ":0\r\n" {
				t.Fatalf("key%d is there: %s", i, reply)
			}
		}
	}
	if len(order) != keys || m.Counts().Expired != keys {
		t.Errorf("%d of %d keys, %d counted", len(order), keys, m.Counts().Expired)
	}
	if !slices.IsSortedFunc(order, func(a, b string) int { return cmp.Compare(deadlines[a], deadlines[b]) }) {
		t.Error("not in the order of their deadlines")
	}
	if _, ok := m.NextDeadline(); ok {
		t.Error("there is a deadline left")
	}
}

// The machine's clock does not go back with that of a new leader: what has expired stays so,
// and a TTL counts from where the clock is.
func TestClockGoesForward(t *testing.T) {
	m := talk.NewMachine()
	want := func(command, want string) {
		t.Helper()
		if got := string(m.Run(0, strings.Fields(command))); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	begun := m.Clock
	want("SET k v PX 1000", "+OK\r\n")
	m.Clock = begun + 5000
	want("GET k", "$-1\r\n")
	m.Clock = begun + 500 // by which k would be there
	want("GET k", "$-1\r\n")
	want("SET j v PX 1000", "+OK\r\n")
	want("PEXPIRETIME j", fmt.Sprintf(":%d\r\n", begun+6000))
	m.Clock = begun + 5999
	want("EXISTS j", ":1\r\n")
	m.Clock = begun + 6000
	want("EXISTS j", ":0\r\n")
}
