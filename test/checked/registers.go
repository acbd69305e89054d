package checked

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

func register(turn int64, k int) string { return fmt.Sprintf("register:%d:%d", turn, k) }

func (r *registers) step(c *Client) {
	op := r.Choose(c.dice, register(c.turn(registerTurn), c.dice.IntN(registersAtATime)), registerMix)
	if c.napped {
		op.Name = "GET"
	}
	if operation, ok := keep(c, op); ok {
		r.Add(operation)
	}
}

// keep runs an operation; false says that nothing was learned from it.
func keep(c *Client, op history.Op) (porcupine.Operation, bool) {
	id := c.ID // Do takes another after an unknown outcome
	reply, out := c.Do(op.Args()...)
	op.Call, op.End = c.Call, c.End
	return history.Learned(int(id), op, reply, out)
}

// judge reads every register once more: what was acknowledged is still there.
func (r *registers) judge(c *Client) error {
	for turn := range c.turn(registerTurn) + 1 {
		for k := range registersAtATime {
			if operation, ok := keep(c, history.Op{Name: "GET", Key: register(turn, k)}); ok {
				r.Add(operation)
			}
		}
	}
	if err := r.Check(checkTime); err != nil {
		c.Find("registers: %v", err)
	}
	return nil
}

// checkTime bounds the judgement of one workload's history, and with it the memory that is
// needed for it: of those of an hour, seconds are usual.
const checkTime = time.Minute
