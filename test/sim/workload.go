package sim

import (
	"strconv"
	"sync"
	"time"
)

// workload is what some clients do, and the judgement of what came of it.
type workload interface {
	// step is one thing that a client does. Several clients do it at a time.
	step(c *client)

	// judge is called when everything is mended and the clients have stopped.
	judge(c *client)
}

// rest is a client's mean pause between two steps.
const rest = 40 * time.Millisecond

// crowd lets clients of every workload loose on every host until stop is closed.
func (w *world) crowd(workloads []workload, stop <-chan struct{}) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, load := range workloads {
		for _, h := range w.hosts {
			c := w.newClient(h)
			running.Go(func() {
				for {
					pause := time.Duration(c.dice.Int64N(int64(2 * rest)))
					if c.dice.IntN(50) == 0 {
						pause *= 20 // who wakes up later and reads is the one that can find a leader stale
					}
					select {
					case <-stop:
						return
					case <-time.After(pause):
					}
					load.step(c)
				}
			})
		}
	}
	return &running
}

// checkTime bounds the judgement of one history, in virtual time, which stands still
// meanwhile.
const checkTime = time.Minute

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
