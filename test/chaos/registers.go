package chaos

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/test/history"
)

// registers are read, set, exchanged, counted up and deleted by everybody. Their
// histories have to be linearizable.
type registers struct{ history.Registers }

const (
	registersAtATime = 4
	// registerTurn is how long keys are in use. The time that the checker needs grows
	// with the number of commands without an answer in one key's history.
	registerTurn = 2 * time.Second
)

var registerMix = history.Mix{{"GET", 35}, {"SET", 20}, {"CAS", 25}, {"INCR", 10}, {"SETNX", 5}, {"DEL", 5}}

func (r *registers) step(c *client) {
	turn := time.Since(c.arena.start) / registerTurn
	op := r.Choose(c.dice, fmt.Sprintf("register:%d:%d", turn, c.dice.IntN(registersAtATime)), registerMix)
	if c.napped {
		op.Name = "GET"
	}
	if operation, ok := keep(c, op); ok {
		r.Add(operation)
	}
}

// keep runs an operation; false says that nothing was learned from it.
func keep(c *client, op history.Op) (porcupine.Operation, bool) {
	id := c.id // do takes another after an unknown outcome
	reply, out := c.do(op.Args()...)
	op.Call, op.End = c.call, c.end
	return history.Learned(int(id), op, reply, out)
}

func (r *registers) judge(c *client) error {
	if err := r.Check(checkTime); err != nil {
		c.arena.find("registers: %v", err)
	}
	return nil
}

// checkTime bounds the judgement of one workload's history.
const checkTime = 10 * time.Minute
