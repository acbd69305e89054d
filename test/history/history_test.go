package history

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

const ms = 1000

func operation(client int, call, end int64, op Op, r Result) porcupine.Operation {
	op.Key, op.Call, op.End = "k", call, end
	if r.Unknown {
		op.End = open
		end = open
	}
	return porcupine.Operation{ClientId: client, Input: op, Call: call, Output: r, Return: end}
}

// The checker is given histories whose verdict is known.
func TestCheck(t *testing.T) {
	get, incr, del := Op{Name: "GET"}, Op{Name: "INCR"}, Op{Name: "DEL"}
	pttl, persist := Op{Name: "PTTL"}, Op{Name: "PERSIST"}
	set := func(v int64) Op { return Op{Name: "SET", Value: v} }
	cas := func(from, to int64) Op { return Op{Name: "CAS", Expect: from, Value: to} }
	setFor := func(v, ttl int64) Op { return Op{Name: "SET", Value: v, TTL: ttl} }
	ok, none, lost := Result{}, Result{Nil: true}, Result{Unknown: true}
	value := func(v int64) Result { return Result{Value: v} }
	tests := []struct {
		name    string
		good    bool
		history []porcupine.Operation
	}{
		{"a value is read back", true, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(2, 20, 30, get, value(5)),
		}},
		{"a stale read", false, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 30, set(6), ok), operation(2, 40, 50, get, value(5)),
		}},
		{"a read beside the write may see either", true, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 60, set(6), ok), operation(2, 40, 50, get, value(5)),
		}},
		{"two reads beside a write go forward only", false, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 90, set(6), ok),
			operation(2, 40, 50, get, value(6)), operation(3, 60, 70, get, value(5)),
		}},
		{"an acknowledged write is lost", false, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(2, 20, 30, get, none),
		}},
		{"an increment counts twice", false, []porcupine.Operation{
			operation(1, 0, 10, incr, value(1)), operation(1, 20, 30, incr, value(3)),
		}},
		{"an increment without an answer counts", true, []porcupine.Operation{
			operation(1, 0, 10, incr, value(1)), operation(2, 12, 0, incr, lost), operation(1, 20, 30, incr, value(3)),
		}},
		{"an increment without an answer counts late", true, []porcupine.Operation{
			operation(1, 0, 10, incr, value(1)), operation(2, 12, 0, incr, lost),
			operation(1, 20, 30, get, value(1)), operation(1, 40, 50, get, value(2)),
		}},
		{"or not at all", true, []porcupine.Operation{
			operation(1, 0, 10, incr, value(1)), operation(2, 12, 0, incr, lost), operation(1, 20, 30, get, value(1)),
		}},
		{"but not twice", false, []porcupine.Operation{
			operation(1, 0, 10, incr, value(1)), operation(2, 12, 0, incr, lost), operation(1, 20, 30, get, value(3)),
		}},
		{"a value is exchanged if it is the one expected", true, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 30, cas(5, 6), value(1)), operation(1, 40, 50, cas(5, 7), value(0)), operation(2, 60, 70, get, value(6)),
		}},
		{"of two exchanges of one value both win", false, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 90, cas(5, 6), value(1)), operation(2, 40, 50, cas(5, 7), value(1)),
		}},
		{"a key is deleted once", false, []porcupine.Operation{
			operation(1, 0, 10, set(5), ok), operation(1, 20, 30, del, value(1)), operation(2, 40, 50, del, value(1)),
		}},
		{"a key is gone after its deadline", true, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 103*ms, 103*ms+10, get, none),
		}},
		{"a key is there long after its deadline", false, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 110*ms, 110*ms+10, get, value(5)),
		}},
		{"a key is gone before its deadline", false, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 90*ms, 90*ms+10, get, none),
		}},
		{"an expired key comes back", false, []porcupine.Operation{
			operation(1, 0, 50*ms, setFor(5, 100*ms), ok),
			operation(2, 120*ms, 120*ms+10, get, none), operation(2, 121*ms, 121*ms+10, get, value(5)),
		}},
		{"an increment after the deadline begins anew", true, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 110*ms, 110*ms+10, incr, value(1)),
		}},
		{"an increment keeps the deadline", false, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 50*ms, 50*ms+10, incr, value(6)),
			operation(2, 110*ms, 110*ms+10, get, value(6)),
		}},
		{"PERSIST ends the deadline", true, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 50*ms, 50*ms+10, persist, value(1)),
			operation(2, 110*ms, 110*ms+10, get, value(5)), operation(2, 120*ms, 120*ms+10, pttl, value(-1)),
		}},
		{"PTTL fits the deadline", true, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 50*ms, 50*ms+10, pttl, value(50)),
		}},
		{"PTTL is of another deadline", false, []porcupine.Operation{
			operation(1, 0, 10, setFor(5, 100*ms), ok), operation(2, 50*ms, 50*ms+10, pttl, value(80)),
		}},
		{"two PTTLs disagree within the bounds of a slow SET", false, []porcupine.Operation{
			operation(1, 0, 80*ms, setFor(5, 500*ms), ok),
			operation(2, 90*ms, 90*ms+10, pttl, value(420)), operation(3, 100*ms, 100*ms+10, pttl, value(440)),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Check(test.history, time.Second)
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Where clocks may be off, a deadline may be as much, and no more.
func TestCheckSkewed(t *testing.T) {
	const skew = 50
	get := Op{Name: "GET"}
	for _, test := range []struct {
		at   int64 // when a key of 1000 ms is seen to be gone
		good bool
	}{{850, false}, {920, true}, {1000, true}} {
		history := []porcupine.Operation{
			operation(1, 0, 10, Op{Name: "SET", Value: 5, TTL: 1000 * ms}, Result{}), operation(2, test.at*ms, test.at*ms+10, get, Result{Nil: true}),
		}
		if err := CheckSkewed(history, skew*time.Millisecond, time.Second); (err == nil) != test.good {
			t.Errorf("gone after %d ms: %v", test.at, err)
		}
		history = append(history, operation(2, test.at*ms+20, test.at*ms+30, get, Result{Value: 5}))
		if err := CheckSkewed(history, skew*time.Millisecond, time.Second); err == nil {
			t.Error("it comes back")
		}
	}
}
