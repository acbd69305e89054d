package chaos

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/checked"
	"holdfast/test/harness"
)

// probe is a client that writes to one node without a pause, and takes note of how it is
// served.
type probe struct {
	node    *harness.Node
	answers atomic.Int64

	mu      sync.Mutex
	longest time.Duration // wait for an answer
	refused []string      // answers other than that it is done
}

// probes are clients on each of some nodes, until stop is called.
type probes struct {
	all  []*probe
	end  func()
	done sync.WaitGroup
}

// probe lets clients loose. They end with the test at the latest: its machines do.
func (a *arena) probe(t *testing.T, each int, value string, nodes ...*harness.Node) *probes {
	end := make(chan struct{})
	ps := &probes{end: sync.OnceFunc(func() { close(end) })}
	t.Cleanup(func() { ps.stop() })
	for _, n := range nodes {
		for k := range each {
			p := &probe{node: n}
			ps.all = append(ps.all, p)
			c := a.newClient(n)
			ps.done.Go(func() {
				defer c.Close()
				for i := 0; ; i++ {
					select {
					case <-end:
						return
					default:
					}
					begun := time.Now()
					_, out := c.Do("SET", fmt.Sprintf("probe:%s:%d:%d", n.Name, k, i%100), value)
					p.answered(out, time.Since(begun))
				}
			})
		}
	}
	return ps
}

func (p *probe) answered(out checked.Outcome, took time.Duration) {
	if out == checked.Done {
		p.answers.Add(1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.longest = max(p.longest, took)
	if out != checked.Done {
		p.refused = append(p.refused, fmt.Sprintf("%s: outcome %v after %v", p.node.Name, out, took))
	}
}

// stop ends the clients and returns the longest wait of any of them on a node, and what was
// refused.
func (ps *probes) stop() (longest map[string]time.Duration, refused []string) {
	ps.end()
	ps.done.Wait()
	longest = map[string]time.Duration{}
	for _, p := range ps.all {
		longest[p.node.Name] = max(longest[p.node.Name], p.longest)
		refused = append(refused, p.refused...)
	}
	return longest, refused
}

// rate is how many writes are answered per second on some nodes in the time to come.
func (ps *probes) rate(d time.Duration, nodes ...*harness.Node) float64 {
	count := func() (sum int64) {
		for _, p := range ps.all {
			for _, n := range nodes {
				if p.node == n {
					sum += p.answers.Load()
				}
			}
		}
		return sum
	}
	before, begun := count(), time.Now()
	time.Sleep(d)
	return float64(count()-before) / time.Since(begun).Seconds()
}
