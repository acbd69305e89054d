package sim

import (
	"fmt"
	"time"

	"holdfast/test/history"
)

// registers are read, set, exchanged, counted up and deleted by everybody. Their
// histories have to be linearizable.
type registers struct{ history.Registers }

const (
	registersAtATime = 2
	// registerTurn is how long keys are in use. The time that the checker needs grows
	// with the number of commands without an answer in one key's history.
	registerTurn = 3 * time.Second
)

var registerMix = history.Mix{{"GET", 35}, {"SET", 20}, {"CAS", 20}, {"INCR", 15}, {"SETNX", 5}, {"DEL", 5}}

func (r *registers) step(c *client) {
	turn := time.Since(c.world.start) / registerTurn
	r.run(c, r.Choose(c.dice, fmt.Sprintf("register:%d:%d", turn, c.dice.IntN(registersAtATime)), registerMix))
}

func (r *registers) run(c *client, op history.Op) {
	id := c.id // do takes another after an unknown outcome
	reply, out := c.do(op.Args()...)
	op.Call, op.End = c.call, c.end
	if operation, ok := history.Learned(id, op, reply, out); ok {
		r.Add(operation)
	}
}

// judge reads every register once more: what was acknowledged is still there.
func (r *registers) judge(c *client) {
	last := time.Since(c.world.start) / registerTurn
	for turn := range last + 1 {
		for k := range registersAtATime {
			r.run(c, history.Op{Name: "GET", Key: fmt.Sprintf("register:%d:%d", turn, k)})
		}
	}
	if err := r.Check(checkTime); err != nil {
		c.world.find("registers: %v", err)
	}
}
