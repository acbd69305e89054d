// Package history records what clients of a cluster did and were answered, and checks
// that it could have come from one keyspace that does one thing at a time.
package history

import (
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Op is what a client asked of a key. Times are Unix microseconds.
type Op struct {
	Name      string // GET, SET, SETNX, CAS, DEL, INCR, PEXPIRE, PERSIST or PTTL
	Key       string
	Value     int64 // of SET, SETNX and CAS
	Expect    int64 // of CAS, which sets the value if it is this one
	TTL       int64 // in microseconds: of PEXPIRE, and of SET when it is not 0
	Call, End int64
}

// Result is what the client was answered. Without an answer the command may have run
// at any time after it was sent, or never.
type Result struct {
	Unknown bool
	Nil     bool
	Value   int64
}

// open is the end of a command without an answer.
const open = math.MaxInt64

// rounding covers that nodes count in whole milliseconds.
const rounding = 2000

// state of one key. Its deadline is somewhere between earliest and latest: the
// cluster took the time after the client asked and before it answered.
type state struct {
	present          bool
	value            int64
	deadline         bool
	earliest, latest int64
}

// model is the keyspace, key by key, on nodes whose clocks are right within slack. That a key passes its deadline is no operation of
// any client, so at each one the key may be there still or be gone, as far as the
// bounds of its deadline allow. Once gone it stays gone: a key that was seen expired
// and comes back has no explanation.
func model(slack int64) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, input, output any) []any {
			var next []any
			op, result := input.(Op), output.(Result)
			for _, before := range s.(state).at(op, slack) {
				if after, ok := before.step(op, result, slack); ok {
					next = append(next, after)
				}
			}
			return next
		},
		Equal: func(a, b any) bool { return a == b },
	}
	return m.ToModel()
}

// at returns the states that the key may be in when the operation runs.
func (s state) at(op Op, slack int64) []state {
	if !s.present || !s.deadline {
		return []state{s}
	}
	var states []state
	if op.Call < saturate(s.latest, slack) {
		states = append(states, s)
	}
	if saturate(op.End, slack) >= s.earliest {
		states = append(states, state{})
	}
	return states
}

func saturate(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

// step is the operation itself; false says that the answer does not fit.
func (s state) step(op Op, r Result, slack int64) (state, bool) {
	after, answer := s.run(op, slack)
	if r.Unknown {
		return after, true
	}
	if op.Name == "PTTL" && s.present && s.deadline {
		return s.narrow(op, r, slack)
	}
	return after, answer == r
}

// run returns what the operation makes of the key, and the answer.
func (s state) run(op Op, slack int64) (state, Result) {
	switch op.Name {
	case "GET":
		return s, Result{Nil: !s.present, Value: s.value}
	case "SETNX":
		if s.present {
			return s, Result{Value: 0}
		}
		return state{present: true, value: op.Value}, Result{Value: 1}
	case "CAS":
		if !s.present || s.value != op.Expect {
			return s, Result{Value: 0}
		}
		s.value = op.Value
		return s, Result{Value: 1}
	case "SET":
		after := state{present: true, value: op.Value}
		if op.TTL != 0 {
			after = after.expiring(op, slack)
		}
		return after, Result{}
	case "DEL":
		return state{}, count(s.present)
	case "INCR":
		s.present = true
		s.value++
		return s, Result{Value: s.value}
	case "PEXPIRE":
		if !s.present {
			return s, Result{Value: 0}
		}
		return s.expiring(op, slack), Result{Value: 1}
	case "PERSIST":
		had := s.present && s.deadline
		return state{present: s.present, value: s.value}, count(had)
	case "PTTL":
		if !s.present {
			return s, Result{Value: -2}
		}
		return s, Result{Value: -1} // with a deadline: see narrow
	}
	panic("no such operation: " + op.Name)
}

func count(yes bool) Result {
	if yes {
		return Result{Value: 1}
	}
	return Result{Value: 0}
}

func (s state) expiring(op Op, slack int64) state {
	s.deadline = true
	s.earliest, s.latest = op.Call+op.TTL-slack, saturate(op.End, op.TTL+slack)
	return s
}

// narrow uses what PTTL says: the deadline, wherever it was set, must be the same for
// everybody.
func (s state) narrow(op Op, r Result, slack int64) (state, bool) {
	if r.Value < 0 || r.Nil {
		return s, false
	}
	left := r.Value * 1000
	s.earliest = max(s.earliest, op.Call+left-slack)
	s.latest = min(s.latest, saturate(op.End, left+slack))
	return s, s.earliest <= s.latest
}

// byKey sorts a history into those of the single keys.
func byKey(history []porcupine.Operation) map[string][]porcupine.Operation {
	keys := map[string][]porcupine.Operation{}
	for _, operation := range history {
		key := operation.Input.(Op).Key
		keys[key] = append(keys[key], operation)
	}
	for _, operations := range keys {
		slices.SortFunc(operations, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	}
	return keys
}
