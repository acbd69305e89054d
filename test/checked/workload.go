package checked

import "time"

// Workload is what some clients do, and the judgement of what came of it.
type Workload interface {
	// step is one thing that a client does. Several clients do it at a time.
	step(c *Client)

	// judge is called when everything is mended and the clients have stopped. What is
	// wrong goes to Book.Find; an error says that it could not be judged.
	judge(c *Client) error
}

// Workloads are one of each kind.
func Workloads() []Workload {
	return []Workload{
		&registers{}, &counters{}, &sets{sets: map[string]*growing{}}, &lists{keys: map[string]bool{}},
		&sessions{}, &queues{jobs: map[string]*job{}, workers: map[*Client]bool{}},
	}
}

// Judge has all workloads judged.
func Judge(workloads []Workload, c *Client) {
	for _, w := range workloads {
		if err := w.judge(c); err != nil {
			c.Find("%T: %v", w, err)
		}
	}
}

// nap is how long one pause in fifty may be. A client that waits for its answer asks a
// paused leader just once, at the beginning; who wakes up later and reads is the one that
// can find it stale.
const nap = 4 * time.Second

// Live has a client take one step after another until stop is closed, and closes it. Its
// mean pause between two is rest.
func (c *Client) Live(w Workload, rest time.Duration, stop <-chan struct{}) {
	defer c.Close()
	for {
		longest := 2 * rest
		if c.napped = c.dice.IntN(50) == 0; c.napped {
			longest = nap
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(c.dice.Int64N(int64(longest)))):
		}
		w.step(c)
	}
}

// turn is the number of the present one. Time is divided into turns, each with keys of its
// own, so that no key's history grows without end.
func (c *Client) turn(length time.Duration) int64 { return int64(time.Since(c.Start) / length) }
