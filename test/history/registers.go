package history

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Registers chooses what clients do to keys that all of them use, and keeps what came of it.
// It is ready for use, by several clients at a time.
type Registers struct {
	mu         sync.Mutex
	values     int64
	seen       map[string]int64 // what somebody saw last: CAS is worth trying from there
	operations []porcupine.Operation
}

// Mix is how many of a hundred operations are of which kind. All shares together are 100.
type Mix []struct {
	Name  string
	Share int
}

// Choose draws the next operation on a key.
func (r *Registers) Choose(dice *rand.Rand, key string, mix Mix) Op {
	r.mu.Lock()
	r.values += 1000 // leaves room for increments, so that every value tells where it is from
	op := Op{Key: key, Value: r.values, Expect: r.seen[key]}
	r.mu.Unlock()
	n := dice.IntN(100)
	for _, kind := range mix {
		if op.Name = kind.Name; n < kind.Share {
			break
		}
		n -= kind.Share
	}
	return op
}

// Add keeps an operation for Check.
func (r *Registers) Add(operation porcupine.Operation) {
	op, result := operation.Input.(Op), operation.Output.(Result)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, operation)
	if r.seen == nil {
		r.seen = map[string]int64{}
	}
	switch {
	case result.Unknown || result.Nil:
	case op.Name == "GET" || op.Name == "INCR":
		r.seen[op.Key] = result.Value
	case op.Name == "SET", op.Name == "CAS" && result.Value == 1:
		r.seen[op.Key] = op.Value
	}
}

// Check is Check of all that was kept, when no client is at work any more.
func (r *Registers) Check(timeout time.Duration) error { return Check(r.operations, timeout) }

// Outcome is what a client knows of a command.
type Outcome int

const (
	Done    Outcome = iota // it has an answer
	Refused                // it did not run
	Unknown                // it may have run, or may run yet
)

// Learned is what a history is told of a client's operation; false says that nothing was
// learned from it.
func Learned(client int, op Op, reply any, out Outcome) (porcupine.Operation, bool) {
	switch {
	case out == Refused:
		return porcupine.Operation{}, false
	case out == Unknown && (op.Name == "GET" || op.Name == "PTTL"):
		return porcupine.Operation{}, false
	case out == Unknown:
		return Operation(client, op, Result{Unknown: true}), true
	}
	return Operation(client, op, Answer(reply)), true
}
