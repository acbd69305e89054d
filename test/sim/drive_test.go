package sim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster"
	"holdfast/test/checked"
)

// drive is a cluster with a client on each node, who writes without a pause.
type drive struct {
	*world
	stopped chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	rest time.Duration // of a client between two writes
	seen map[*host]*sight
}

// sight is what the client on a host has seen.
type sight struct {
	answers int
	refused int           // did not run
	unknown int           // may have run
	longest time.Duration // wait for an answer, whatever it was
}

// steady is how long an fsync of the log takes on a disk that is well.
const steady = time.Millisecond

func withDrive(t *testing.T, nodes int, do func(d *drive)) {
	synctest.Test(t, func(*testing.T) {
		d := &drive{world: newWorld(1, nodes, plants{}), stopped: make(chan struct{}), rest: 20 * time.Millisecond, seen: map[*host]*sight{}}
		// A snapshot would wait for the log with a mutex, which stops a bubble's clock.
		d.alter = func(c *cluster.Config) { c.SnapshotBytes = 1 << 40 }
		for _, h := range d.hosts {
			h.run()
		}
		d.pace(steady, d.hosts...)
		if d.ready() {
			for _, h := range d.hosts {
				d.seen[h] = &sight{}
				d.running.Go(func() { d.write(h) })
			}
			time.Sleep(time.Second)
			do(d)
		}
		d.pace(steady, d.hosts...)
		close(d.stopped)
		d.running.Wait()
		if d.ready() {
			d.agree()
		}
		d.close()
		for _, text := range d.found() {
			t.Error(text)
		}
		if t.Failed() {
			kept, err := d.keep("")
			t.Logf("the history and the log are kept in %s (%v)", kept, err)
		}
	})
}

func (d *drive) write(h *host) {
	c := d.newClient(h)
	value := strings.Repeat("x", 1000)
	for i := 0; ; i++ {
		d.mu.Lock()
		rest := d.rest
		d.mu.Unlock()
		select {
		case <-d.stopped:
			return
		case <-time.After(rest):
		}
		began := time.Now()
		_, out := c.Do("SET", fmt.Sprint(h.name, i%100), value)
		d.mu.Lock()
		seen := d.seen[h]
		seen.longest = max(seen.longest, time.Since(began))
		switch out {
		case checked.Done:
			seen.answers++
		case checked.Refused:
			seen.refused++
		case checked.Unknown:
			seen.unknown++
		}
		d.mu.Unlock()
	}
}

// pace sets how long an fsync of the log takes on some hosts.
func (d *drive) pace(pace time.Duration, hosts ...*host) {
	for _, h := range hosts {
		if h.process != nil {
			h.process.disk.pace.Store(int64(pace))
		}
	}
}

func (d *drive) full(full bool, hosts ...*host) {
	for _, h := range hosts {
		h.process.disk.full.Store(full)
	}
}

func (d *drive) term() uint64 { return d.leader(0).node().Status().Term }

// during returns what clients see for a while, those of some hosts or all.
func (d *drive) during(span time.Duration, of ...*host) (answers, refused, unknown int, longest time.Duration) {
	d.mu.Lock()
	for _, seen := range d.seen {
		*seen = sight{}
	}
	d.mu.Unlock()
	time.Sleep(span)
	if len(of) == 0 {
		of = d.hosts
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range of {
		seen := d.seen[h]
		answers, refused, unknown = answers+seen.answers, refused+seen.refused, unknown+seen.unknown
		longest = max(longest, seen.longest)
	}
	return answers, refused, unknown, longest
}

// hurry has the clients write without a rest.
func (d *drive) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rest = 0
}

// answered is how many answers there were at each host in the last span.
func (d *drive) answered() (counts []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		counts = append(counts, d.seen[h].answers)
	}
	return counts
}
