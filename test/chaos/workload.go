package chaos

import (
	"time"

	"holdfast/test/harness"
)

// workload is what some clients do, and the judgement of what came of it.
type workload interface {
	// step is one thing that a client does. Several clients do it at a time.
	step(c *client)

	// judge is called when everything is mended and the clients have stopped. What is
	// wrong goes to arena.find; an error says that it could not be judged.
	judge(c *client) error
}

const (
	// rest is a client's mean pause between two steps.
	rest = 25 * time.Millisecond

	// nap is how long one pause in fifty may be. A client that waits for its answer asks a
	// paused leader just once, at the beginning; who wakes up later and reads is the one
	// that can find it stale.
	nap = 4 * time.Second
)

// pause is how long the client is silent before its next step.
func (c *client) pause() time.Duration {
	longest := 2 * rest
	if c.napped = c.dice.IntN(50) == 0; c.napped {
		longest = nap
	}
	return time.Duration(c.dice.Int64N(int64(longest)))
}

// crowd lets clients of every workload loose on a node until stop is closed.
func (a *arena) crowd(n *harness.Node) {
	for _, w := range a.workloads {
		for range 2 {
			c := a.newClient(n, a.seed)
			a.running.Go(func() {
				defer c.close()
				for {
					select {
					case <-a.stop:
						return
					case <-time.After(c.pause()):
					}
					w.step(c)
				}
			})
		}
	}
}
