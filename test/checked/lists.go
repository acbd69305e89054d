package checked

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// lists are appended to and read by transactions over several of them, which have to be
// strictly serializable.
type lists struct {
	mu           sync.Mutex
	last         int
	keys         map[string]bool
	transactions []transaction
}

const (
	listsAtATime = 4
	listTurn     = 3 * time.Second
)

func (w *lists) step(c *Client) {
	turn := c.turn(listTurn)
	t := transaction{}
	var commands [][]string
	w.mu.Lock()
	for range 1 + c.dice.IntN(4) {
		key := fmt.Sprintf("list:%d:%d", turn, c.dice.IntN(listsAtATime))
		w.keys[key] = true
		if c.dice.IntN(2) == 0 && !c.napped {
			w.last++
			t.steps = append(t.steps, micro{key: key, append: w.last})
			commands = append(commands, []string{"RPUSH", key, strconv.Itoa(w.last)})
		} else {
			t.steps = append(t.steps, micro{key: key})
			commands = append(commands, []string{"LRANGE", key, "0", "-1"})
		}
	}
	w.mu.Unlock()
	replies, out := c.transaction(commands...)
	t.call, t.end, t.known = c.Call, c.End, out == Done
	if out == Refused {
		return
	}
	for i := range replies {
		if t.known && t.steps[i].append == 0 {
			t.steps[i].read = numbers(replies[i])
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.transactions = append(w.transactions, t)
}

func numbers(reply any) []int {
	var all []int
	for _, text := range list(reply) {
		n, _ := strconv.Atoi(text)
		all = append(all, n)
	}
	return all
}

func (w *lists) judge(c *Client) error {
	for key := range w.keys {
		reply, err := c.Must("LRANGE", key, "0", "-1")
		if err != nil {
			return err
		}
		w.transactions = append(w.transactions, transaction{c.Call, c.End, true, []micro{{key: key, read: numbers(reply)}}})
	}
	for _, wrong := range judgeTransactions(w.transactions) {
		c.Find("lists: %s", wrong)
	}
	return nil
}
