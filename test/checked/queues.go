package checked

import (
	"fmt"
	"slices"
	"sync"
)

// queues hand out jobs: a worker moves one from the queue to a list of its own, does it,
// and takes it off there. No job may be lost or handed out twice, and none may overtake
// one that was queued before it was sent.
type queues struct {
	mu      sync.Mutex
	jobs    map[string]*job
	workers map[*Client]bool
	last    int64
}

type job struct {
	queuedCall, queuedEnd int64 // end 0: nobody knows whether it is queued
	movedCall, movedEnd   int64 // of the answer that handed it out; 0: there was none
	finished              bool  // it was taken off the worker's list, acknowledged
	dropped               bool  // it was taken off, perhaps
}

const queueKey = "queue"

func working(c *Client) string { return "working:" + c.Name }

func (w *queues) step(c *Client) {
	if c.dice.IntN(2) == 0 {
		w.queue(c)
		return
	}
	w.mu.Lock()
	w.workers[c] = true
	w.mu.Unlock()
	// What an earlier step left: the answer to it may have been lost.
	reply, out := c.Do("LRANGE", working(c), "0", "-1")
	if out != Done {
		return
	}
	for _, name := range list(reply) {
		w.finish(c, name)
	}
	reply, out = c.Do("RPOPLPUSH", queueKey, working(c))
	name, some := reply.(string)
	if out != Done || !some {
		return
	}
	w.mu.Lock()
	j := w.jobs[name]
	switch {
	case j == nil:
		c.Find("RPOPLPUSH hands out %s, which nobody queued", name)
	case j.movedEnd != 0 || j.dropped:
		c.Find("RPOPLPUSH hands out %s a second time", name)
	default:
		j.movedCall, j.movedEnd = c.Call, c.End
	}
	w.mu.Unlock()
	if j != nil {
		w.finish(c, name)
	}
}

func (w *queues) queue(c *Client) {
	w.mu.Lock()
	w.last++
	name, j := fmt.Sprint(w.last), &job{}
	w.jobs[name] = j
	w.mu.Unlock()
	_, out := c.Do("LPUSH", queueKey, name)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch out {
	case Done:
		j.queuedCall, j.queuedEnd = c.Call, c.End
	case Refused:
		delete(w.jobs, name)
	}
}

func (w *queues) finish(c *Client, name string) {
	w.mu.Lock()
	j := w.jobs[name]
	if j == nil || j.finished {
		c.Find("%s has %s, which nobody queued or which is finished", working(c), name)
		w.mu.Unlock()
		return
	}
	again := j.dropped // an earlier LREM without an answer may run just now
	w.mu.Unlock()
	reply, out := c.Do("LREM", working(c), "1", name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if out != Refused {
		j.dropped = true
	}
	if out == Done {
		j.finished = true
		if reply != int64(1) && !again {
			c.Find("LREM %s 1 %s: %v, but the list had it", working(c), name, reply)
		}
	}
}

func (w *queues) judge(c *Client) error {
	left := map[string]int{}
	keys := []string{queueKey}
	for worker := range w.workers {
		keys = append(keys, working(worker))
	}
	for _, key := range keys {
		reply, err := c.Must("LRANGE", key, "0", "-1")
		if err != nil {
			return err
		}
		for _, name := range list(reply) {
			left[name]++
			if w.jobs[name] == nil {
				c.Find("%s has %s, which nobody queued", key, name)
			}
		}
	}
	for name, j := range w.jobs {
		switch times := left[name]; {
		case times > 1:
			c.Find("job %s is there %d times", name, times)
		case times == 1 && j.finished:
			c.Find("job %s is there although it was finished", name)
		case times == 0 && j.queuedEnd != 0 && !j.dropped:
			c.Find("job %s is lost", name)
		}
	}
	w.judgeOrder(c)
	return nil
}

// judgeOrder looks for a job that was handed out after another one that was queued later.
func (w *queues) judgeOrder(c *Client) {
	type moved struct {
		name string
		*job
	}
	var byCall []moved
	for name, j := range w.jobs {
		if j.queuedEnd != 0 && j.movedEnd != 0 {
			byCall = append(byCall, moved{name, j})
		}
	}
	byEnd := slices.Clone(byCall)
	slices.SortFunc(byCall, func(a, b moved) int { return int(a.movedCall - b.movedCall) })
	slices.SortFunc(byEnd, func(a, b moved) int { return int(a.movedEnd - b.movedEnd) })
	next, latest := 0, moved{job: &job{}}
	for _, j := range byCall {
		for ; byEnd[next].movedEnd < j.movedCall; next++ {
			if byEnd[next].queuedCall > latest.queuedCall {
				latest = byEnd[next]
			}
		}
		if latest.queuedCall > j.queuedEnd {
			c.Find("job %s was handed out after job %s, which was queued later", j.name, latest.name)
		}
	}
}
