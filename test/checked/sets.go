package checked

import (
	"fmt"
	"sync"
	"time"
)

// sets grow by members that are all different. What was added stays, and what was seen.
type sets struct {
	mu   sync.Mutex
	last int64
	sets map[string]*growing
}

// growing is a set. Moments are microseconds since the start.
type growing struct {
	sent  map[string]bool
	acked map[string]int64 // member -> end of the SADD
	seen  map[string]int64 // member -> end of the first read that had it
}

const setTurn = 3 * time.Second

func (w *sets) step(c *Client) {
	key := fmt.Sprintf("set:%d", c.turn(setTurn))
	if c.napped || c.dice.IntN(3) == 0 {
		reply, out := c.Do("SMEMBERS", key)
		if out == Done {
			w.read(c, key, list(reply))
		}
		return
	}
	w.mu.Lock()
	w.last++
	member := fmt.Sprint(w.last)
	w.set(key).sent[member] = true
	w.mu.Unlock()
	reply, out := c.Do("SADD", key, member)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch out {
	case Refused:
		delete(w.set(key).sent, member) // it must not be there
		return
	case Unknown:
		return
	}
	if reply != int64(1) {
		c.Find("SADD %s %s: %v, but it was new", key, member, reply)
	}
	w.set(key).acked[member] = c.End
}

// set is called with the lock held.
func (w *sets) set(key string) *growing {
	s := w.sets[key]
	if s == nil {
		s = &growing{sent: map[string]bool{}, acked: map[string]int64{}, seen: map[string]int64{}}
		w.sets[key] = s
	}
	return s
}

// read judges what the client has just read.
func (w *sets) read(c *Client, key string, members []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(key)
	there := map[string]bool{}
	for _, member := range members {
		there[member] = true
		if !s.sent[member] {
			c.Find("SMEMBERS %s at %s has %s, which nobody added", key, c.Node, member)
		}
		if _, known := s.seen[member]; !known {
			s.seen[member] = c.End
		}
	}
	for what, moments := range map[string]map[string]int64{"acknowledged": s.acked, "seen": s.seen} {
		for member, end := range moments {
			if end < c.Call && !there[member] {
				c.Find("SMEMBERS %s at %s, asked at %d µs, lacks %s, which was %s at %d µs", key, c.Node, c.Call, member, what, end)
			}
		}
	}
}

func (w *sets) judge(c *Client) error {
	for key := range w.sets {
		reply, err := c.Must("SMEMBERS", key)
		if err != nil {
			return err
		}
		w.read(c, key, list(reply))
	}
	return nil
}
