package checked

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
)

// counters are counted up one at a time, so that every answer tells how many came before.
type counters struct {
	mu  sync.Mutex
	ops [countersAtATime][]counting
}

const countersAtATime = 3

// counting is a question to a counter.
type counting struct {
	call, end int64
	add       bool  // else it was read
	known     bool  // else value is nothing
	value     int64 // as answered
}

func (w *counters) step(c *Client) {
	k := c.dice.IntN(countersAtATime)
	op := counting{add: c.dice.IntN(3) > 0 && !c.napped}
	name := "GET"
	if op.add {
		name = "INCR"
	}
	reply, out := c.Do(name, counter(k))
	op.call, op.end, op.known = c.Call, c.End, out == Done
	if out == Refused || !op.add && out == Unknown {
		return
	}
	op.value = integer(reply)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops[k] = append(w.ops[k], op)
}

func counter(k int) string { return fmt.Sprintf("counter:%d", k) }

// integer is a reply that is a number, or the text of one; nil is 0.
func integer(reply any) int64 {
	switch v := reply.(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

func (w *counters) judge(c *Client) error {
	for k := range w.ops {
		reply, err := c.Must("GET", counter(k))
		if err != nil {
			return err
		}
		ops := append(w.ops[k], counting{call: c.Call, end: c.End, known: true, value: integer(reply)})
		for _, wrong := range judgeCounter(ops) {
			c.Find("%s: %s", counter(k), wrong)
		}
	}
	return nil
}

// judgeCounter says what is wrong with the history of a counter: a value that two
// increments were answered with, an answer that is behind an earlier one, that misses
// increments which were acknowledged before it was asked for, or that has more than were
// sent before it came.
func judgeCounter(ops []counting) (wrong []string) {
	slices.SortFunc(ops, func(a, b counting) int { return int(a.call - b.call) })
	byEnd := slices.Clone(ops)
	slices.SortFunc(byEnd, func(a, b counting) int { return int(a.end - b.end) })

	given := map[int64]bool{}
	ended, acknowledged, highest := 0, int64(0), int64(0)
	for _, op := range ops {
		if !op.known {
			continue
		}
		for ; ended < len(byEnd) && byEnd[ended].end < op.call; ended++ {
			if before := byEnd[ended]; before.known {
				highest = max(highest, before.value)
				if before.add {
					acknowledged++
				}
			}
		}
		least := max(highest, acknowledged)
		if op.add {
			least = max(highest, acknowledged) + 1
			if given[op.value] {
				wrong = append(wrong, fmt.Sprintf("two increments are answered with %d", op.value))
			}
			given[op.value] = true
		}
		if op.value < least {
			wrong = append(wrong, fmt.Sprintf("%d is answered at %d µs, where %d is the least", op.value, op.end, least))
		}
	}
	sent, next := int64(0), 0
	for _, op := range byEnd {
		for ; next < len(ops) && ops[next].call <= op.end; next++ {
			if ops[next].add {
				sent++
			}
		}
		if op.known && op.value > sent {
			wrong = append(wrong, fmt.Sprintf("%d is answered at %d µs, where %d had been sent", op.value, op.end, sent))
		}
	}
	return wrong
}
