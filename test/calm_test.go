package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

const (
	calmClients = 500
	calmKeys    = 100_000
	calmWrites  = 4 // of five commands
)

// Five hundred clients that do not rest keep both cores of a small machine busy, and nobody
// else is elected meanwhile. HOLDFAST_CALM=30m is the long form, on a machine of its own. In
// the short one other tests take their share: one calm stretch of three is enough.
func TestCalm(t *testing.T) {
	stretch, tries := 4*time.Second, 3
	if text := os.Getenv("HOLDFAST_CALM"); text != "" {
		var err error
		if stretch, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		tries = 1
	}
	c := start(t)
	load := newCalmLoad(t, c)
	var err error
	for range tries {
		if err = load.calm(t, c, stretch); err == nil {
			return
		}
		t.Log(err)
	}
	t.Error(err)
}

// reign is who leads, and since which election.
type reign struct{ term, leader string }

// reigns returns what a cluster's nodes say, an error if they do not say the same.
func reigns(c *harness.Cluster) (first reign, err error) {
	for i, n := range c.Nodes {
		info, err := n.Info("raft")
		if err != nil {
			return first, fmt.Errorf("%s: %w", n.Name, err)
		}
		r := reign{info["raft_term"], info["raft_leader_id"]}
		if i == 0 {
			first = r
		}
		if r != first || r.leader == "" {
			return first, fmt.Errorf("%s is led by %q in term %s, %s by %q in term %s", c.Nodes[0].Name, first.leader, first.term, n.Name, r.leader, r.term)
		}
	}
	return first, nil
}

// calmLoad is clients that run until the test ends.
type calmLoad struct {
	commands atomic.Int64
	longest  atomic.Int64 // wait since it was last asked for, in ns
	failed   atomic.Pointer[error]
}

func newCalmLoad(t *testing.T, c *harness.Cluster) *calmLoad {
	t.Helper()
	l := &calmLoad{}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	t.Cleanup(func() { // before the cluster ends
		close(stop)
		clients.Wait()
	})
	value := strings.Repeat("v", 300)
	for i := range calmClients {
		conn, err := c.Nodes[i%len(c.Nodes)].Dial()
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			defer conn.Close()
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				args := []string{"SET", fmt.Sprint("calm:", rand.IntN(calmKeys)), value}
				if round%(calmWrites+1) == calmWrites {
					args = []string{"GET", args[1]}
				}
				asked := time.Now()
				if _, err := conn.Do(args...); err != nil {
					err = fmt.Errorf("%s: %w", args[0], err)
					l.failed.CompareAndSwap(nil, &err)
					return
				}
				l.commands.Add(1)
				for wait := int64(time.Since(asked)); ; {
					longest := l.longest.Load()
					if wait <= longest || l.longest.CompareAndSwap(longest, wait) {
						break
					}
				}
			}
		})
	}
	return l
}

// calm watches for some time and returns an error if the nodes change their leader or their
// term. A command that fails ends the test.
func (l *calmLoad) calm(t *testing.T, c *harness.Cluster, stretch time.Duration) error {
	t.Helper()
	const watch = 100 * time.Millisecond
	before, err := reigns(c)
	for deadline := time.Now().Add(15 * time.Second); err != nil && time.Now().Before(deadline); before, err = reigns(c) {
		time.Sleep(watch)
	}
	if err != nil {
		t.Fatal(err)
	}
	commands, used, began := l.commands.Load(), cpu(t, c), time.Now()
	l.longest.Store(0)
	for over := false; !over; {
		over = time.Since(began) > stretch
		now, err := reigns(c)
		switch failed := l.failed.Load(); {
		case failed != nil:
			t.Fatal(*failed)
		case err != nil:
			return fmt.Errorf("after %v: %w", time.Since(began), err)
		case now != before:
			return fmt.Errorf("after %v: %s leads in term %s, before it was %s in term %s", time.Since(began), now.leader, now.term, before.leader, before.term)
		}
		time.Sleep(watch)
	}
	seconds := time.Since(began).Seconds()
	count := l.commands.Load() - commands
	if count == 0 {
		t.Fatal("no command was answered")
	}
	t.Logf("no election in %.0f s: %d commands, %.0f a second, longest wait %v; nodes and clients took %.2f CPUs", seconds, count,
		float64(count)/seconds, time.Duration(l.longest.Load()).Round(time.Millisecond), (cpu(t, c)-used).Seconds()/seconds)
	return nil
}

// cpu is what a cluster and this process have used so far.
func cpu(t *testing.T, c *harness.Cluster) (used time.Duration) {
	t.Helper()
	var mine syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &mine); err != nil {
		t.Fatal(err)
	}
	used = time.Duration(mine.Utime.Nano() + mine.Stime.Nano())
	for _, n := range c.Nodes {
		theirs, err := harness.CPU(n.PID())
		if err != nil {
			t.Fatal(err)
		}
		used += theirs
	}
	return used
}
