package sim

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/test/history"
)

// registers are read, set, exchanged, counted up and deleted by everybody. Their
// histories have to be linearizable.
type registers struct {
	mu         sync.Mutex
	values     int64
	seen       map[string]int64 // what somebody saw last: CAS is worth trying from there
	operations []porcupine.Operation
}

const (
	registersAtATime = 2
	// registerTurn is how long keys are in use. The time that the checker needs grows
	// with the number of commands without an answer in one key's history.
	registerTurn = 3 * time.Second
)

func (r *registers) step(c *client) {
	turn := time.Since(c.world.start) / registerTurn
	op := history.Op{Key: fmt.Sprintf("register:%d:%d", turn, c.dice.IntN(registersAtATime))}
	r.mu.Lock()
	r.values += 1000 // leaves room for increments, so that every value tells where it is from
	op.Value, op.Expect = r.values, r.seen[op.Key]
	r.mu.Unlock()
	switch n := c.dice.IntN(100); {
	case n < 35:
		op.Name = "GET"
	case n < 55:
		op.Name = "SET"
	case n < 75:
		op.Name = "CAS"
	case n < 90:
		op.Name = "INCR"
	case n < 95:
		op.Name = "SETNX"
	default:
		op.Name = "DEL"
	}
	operation, ok := keep(c, op)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, operation)
	switch result := operation.Output.(history.Result); {
	case result.Unknown || result.Nil:
	case op.Name == "GET" || op.Name == "INCR":
		r.seen[op.Key] = result.Value
	case op.Name == "SET", op.Name == "CAS" && result.Value == 1:
		r.seen[op.Key] = op.Value
	}
}

// judge reads every register once more: what was acknowledged is still there.
func (r *registers) judge(c *client) {
	last := time.Since(c.world.start) / registerTurn
	for turn := range last + 1 {
		for k := range registersAtATime {
			if operation, ok := keep(c, history.Op{Name: "GET", Key: fmt.Sprintf("register:%d:%d", turn, k)}); ok {
				r.operations = append(r.operations, operation)
			}
		}
	}
	if err := history.Check(r.operations, checkTime); err != nil {
		c.world.find("registers: %v", err)
	}
}
