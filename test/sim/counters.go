package sim

import (
	"fmt"
	"slices"
	"sync"
)

// counters are counted up by everybody, and lists appended to. Each increment and each
// element counts once, whatever became of the leader that had it.
type counters struct {
	mu       sync.Mutex
	added    int64           // increments that have an answer
	maybe    int64           // increments without one
	highest  int64           // that was answered
	last     int             // element
	elements map[string]bool // appended; false if nobody knows
	seen     []string        // the longest list that was answered
}

func (w *counters) step(c *client) {
	switch n := c.dice.IntN(20); {
	case n < 10:
		w.count(c)
	case n < 17:
		w.append(c)
	default:
		w.mu.Lock()
		least := w.highest
		before := len(w.seen)
		w.mu.Unlock()
		replies, out := c.transaction([]string{"GET", "counter"}, []string{"LRANGE", "list", "0", "-1"})
		if out == done {
			text, _ := replies[0].(string)
			w.see(c, integer(text), least, texts(replies[1]), before)
		}
	}
}

func (w *counters) count(c *client) {
	w.mu.Lock()
	least := max(w.highest, w.added)
	w.maybe++ // until it has an answer
	w.mu.Unlock()
	reply, out := c.do("INCR", "counter")
	w.mu.Lock()
	defer w.mu.Unlock()
	if out != unknown {
		w.maybe--
	}
	if out != done {
		return
	}
	w.added++
	got := reply.(int64)
	if got <= least {
		c.world.find("counters: INCR is answered with %d, where %d had been acknowledged before", got, least)
	}
	w.highest = max(w.highest, got)
}

func (w *counters) append(c *client) {
	w.mu.Lock()
	w.last++
	element := fmt.Sprint(w.last)
	w.elements[element] = false
	w.mu.Unlock()
	_, out := c.do("RPUSH", "list", element)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch out {
	case done:
		w.elements[element] = true
	case refused:
		delete(w.elements, element)
	}
}

// see compares what was read with what had been seen before the question.
func (w *counters) see(c *client, counter, least int64, list []string, before int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if counter < least {
		c.world.find("counters: the counter is %d, as %s says, where %d had been acknowledged before", counter, c.host.name, least)
	}
	w.highest = max(w.highest, counter)
	common := min(len(list), len(w.seen))
	switch {
	case !slices.Equal(list[:common], w.seen[:common]):
		c.world.find("lists: %s says %v, and before it was %v", c.host.name, list, w.seen)
	case len(list) < before:
		c.world.find("lists: %s says there are %d elements, where %d had been seen before", c.host.name, len(list), before)
	case len(list) > len(w.seen):
		w.seen = list
	}
}

func texts(reply any) []string {
	elements, _ := reply.([]any)
	list := make([]string, len(elements))
	for i, element := range elements {
		list[i], _ = element.(string)
	}
	return list
}

func (w *counters) judge(c *client) {
	text, _ := c.must("GET", "counter").(string)
	list := texts(c.must("LRANGE", "list", "0", "-1"))
	w.see(c, integer(text), w.highest, list, len(w.seen))
	if n := integer(text); n < w.added || n > w.added+w.maybe {
		c.world.find("counters: the counter is %d after %d increments, and %d without an answer", n, w.added, w.maybe)
	}
	there := map[string]bool{}
	for _, element := range list {
		if _, sent := w.elements[element]; there[element] || !sent {
			c.world.find("lists: %s is there twice, or was refused", element)
		}
		there[element] = true
	}
	for element, acknowledged := range w.elements {
		if acknowledged && !there[element] {
			c.world.find("lists: %s was acknowledged and is not there", element)
		}
	}
}
