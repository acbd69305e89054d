package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Check returns nil if the history is linearizable; otherwise an error with what was
// done to the first key that is not.
func Check(history []porcupine.Operation, timeout time.Duration) error {
	return CheckSkewed(history, 0, timeout)
}

// CheckSkewed is Check where the nodes' clocks are off by up to skew, so that deadlines
// are.
func CheckSkewed(history []porcupine.Operation, skew, timeout time.Duration) (err error) {
	inRealTime(func() { err = check(history, skew, timeout) })
	return err
}

// checkers run what they are given in real time. In the virtual time of a simulated cluster,
// which stands still while somebody computes, no limit would ever pass, and a check that has
// no end takes all memory.
var checkers = make(chan checker, 2)

type checker struct {
	task chan func()
	done chan struct{}
}

func init() {
	for range cap(checkers) {
		c := checker{make(chan func()), make(chan struct{})}
		go func() {
			for task := range c.task {
				task()
				c.done <- struct{}{}
			}
		}()
		checkers <- c
	}
}

func inRealTime(task func()) {
	c := <-checkers
	c.task <- task
	<-c.done
	checkers <- c
}

func check(history []porcupine.Operation, skew, timeout time.Duration) error {
	model := model(rounding + skew.Microseconds())
	keys := byKey(history)
	deadline := time.Now().Add(timeout)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch porcupine.CheckOperationsTimeout(model, keys[key], max(time.Second, time.Until(deadline))) {
		case porcupine.Illegal:
			return fmt.Errorf("the history of %s is not linearizable:\n%s", key, describe(keys[key]))
		case porcupine.Unknown:
			return fmt.Errorf("the history of %s (%d operations) was not checked within %v", key, len(keys[key]), timeout)
		}
	}
	return nil
}

func describe(operations []porcupine.Operation) string {
	var b strings.Builder
	first := operations[0].Call
	for _, operation := range operations {
		op, result := operation.Input.(Op), operation.Output.(Result)
		end := fmt.Sprintf("%9d", operation.Return-first)
		answer := fmt.Sprint(result.Value)
		switch {
		case result.Unknown:
			end, answer = "         ", "no answer"
		case result.Nil:
			answer = "nil"
		}
		fmt.Fprintf(&b, "%9d %s µs  client %3d  %-7s value %d ttl %d ms: %s\n",
			operation.Call-first, end, operation.ClientId, op.Name, op.Value, op.TTL/1000, answer)
	}
	return b.String()
}
