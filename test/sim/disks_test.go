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

	mu      sync.Mutex
	rest    time.Duration // of a client between two writes
	by      map[*host]int // answers, by the host that the client is at
	answers int
	refused int           // did not run
	unknown int           // may have run
	longest time.Duration // wait for an answer, whatever it was
}

// steady is how long an fsync of the log takes on a disk that is well.
const steady = time.Millisecond

func withDrive(t *testing.T, do func(d *drive)) {
	synctest.Test(t, func(*testing.T) {
		d := &drive{world: newWorld(1, 3, plants{}), stopped: make(chan struct{}), rest: 20 * time.Millisecond, by: map[*host]int{}}
		// A snapshot would wait for the log with a mutex, which stops a bubble's clock.
		d.alter = func(c *cluster.Config) { c.SnapshotBytes = 1 << 40 }
		for _, h := range d.hosts {
			h.run()
		}
		d.pace(steady, d.hosts...)
		if d.ready() {
			for _, h := range d.hosts {
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
		d.longest = max(d.longest, time.Since(began))
		switch out {
		case checked.Done:
			d.answers++
			d.by[h]++
		case checked.Refused:
			d.refused++
		case checked.Unknown:
			d.unknown++
		}
		d.mu.Unlock()
	}
}

// pace sets how long an fsync of the log takes on some hosts.
func (d *drive) pace(pace time.Duration, hosts ...*host) {
	for _, h := range hosts {
		h.process.disk.pace.Store(int64(pace))
	}
}

func (d *drive) full(full bool, hosts ...*host) {
	for _, h := range hosts {
		h.process.disk.full.Store(full)
	}
}

func (d *drive) term() uint64 { return d.leader(0).node().Status().Term }

// during returns what the clients see for a while.
func (d *drive) during(span time.Duration) (answers, refused, unknown int, longest time.Duration) {
	d.mu.Lock()
	d.answers, d.refused, d.unknown, d.longest = 0, 0, 0, 0
	clear(d.by)
	d.mu.Unlock()
	time.Sleep(span)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers, d.refused, d.unknown, d.longest
}

// hurry has the clients write without a rest.
func (d *drive) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rest = 0
}

// answeredBy is how many answers there were at each host in the last span.
func (d *drive) answeredBy() (counts []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		counts = append(counts, d.by[h])
	}
	return counts
}

// A follower whose disk stands still holds up nobody, its own clients included. A leader's
// lets another lead, and its clients go on with that one. When all disks stand still, nothing
// changes.
func TestStandingDisk(t *testing.T) {
	withDrive(t, func(d *drive) {
		old, term := d.leader(0), d.term()
		d.pace(10*time.Second, d.others(old)[0])
		answers, refused, unknown, longest := d.during(10 * time.Second)
		t.Logf("a follower's disk stands still: %d answers, the longest wait was %v", answers, longest)
		if answers < 750 || refused+unknown > 0 || longest > 500*time.Millisecond || d.term() != term {
			t.Errorf("%d answers, %d refused, %d unknown, the longest wait was %v; term %d, then %d", answers, refused, unknown, longest, term, d.term())
		}
		d.pace(steady, d.hosts...)
		d.during(15 * time.Second)

		d.pace(10*time.Second, old)
		answers, refused, unknown, longest = d.during(20 * time.Second)
		t.Logf("the leader's disk stands still: %d answers, the longest wait was %v", answers, longest)
		if answers < 1500 || refused+unknown > 0 || longest > 3*time.Second {
			t.Errorf("%d answers, %d refused, %d unknown, the longest wait was %v", answers, refused, unknown, longest)
		}
		if now := d.leader(0); now == old {
			t.Error("it leads still")
		} else if got := d.term(); got != term+1 {
			t.Errorf("another leads in term %d, want %d", got, term+1)
		}
		d.pace(steady, d.hosts...)
		d.during(20 * time.Second)

		term = d.term()
		d.pace(3*time.Second, d.hosts...)
		time.Sleep(3 * time.Second)
		d.pace(steady, d.hosts...)
		if _, refused, unknown, longest = d.during(20 * time.Second); refused+unknown > 0 || longest < time.Second {
			t.Errorf("all disks stand still: %d refused, %d unknown, the longest wait was %v", refused, unknown, longest)
		}
		if got := d.term(); got != term {
			t.Errorf("all disks stood still, and the term went from %d to %d", term, got)
		}
	})
}

// A follower whose disk is slow takes nothing from anybody, its own clients included: writes
// are as fast as the majority is. All wires are equally long here, so that a majority with
// the other follower is as near.
func TestSlowFollower(t *testing.T) {
	withDrive(t, func(d *drive) {
		leader, term := d.leader(0), d.term()
		d.network.level(300 * time.Microsecond)
		d.hurry()
		for _, follower := range d.others(leader) {
			const spell = 2 * time.Second
			d.during(spell)
			without := d.answeredBy()
			d.pace(20*time.Millisecond, follower)
			_, refused, unknown, longest := d.during(spell)
			with := d.answeredBy()
			d.pace(steady, follower)
			t.Logf("%s is slow: %v answers, without that %v; the longest wait was %v", follower.name, with, without, longest)
			if refused+unknown > 0 || longest > 50*time.Millisecond {
				t.Errorf("%d refused, %d unknown, the longest wait was %v", refused, unknown, longest)
			}
			for i := range with {
				if float64(with[i]) < 0.9*float64(without[i]) {
					t.Errorf("%s is slow: clients of %s had %d answers, without that %d", follower.name, d.hosts[i].name, with[i], without[i])
				}
			}
		}
		if d.leader(0) != leader || d.term() != term {
			t.Errorf("it is %s that leads in term %d, it was %s in term %d", d.leader(0).name, d.term(), leader.name, term)
		}
	})
}

// A leader whose disk is slow for long hands over; not if another's is as slow, and not
// again and again.
func TestSlowDisk(t *testing.T) {
	withDrive(t, func(d *drive) {
		const slow = 60 * time.Millisecond
		old, term := d.leader(0), d.term()
		before, _, _, _ := d.during(5 * time.Second)
		d.pace(slow, old)
		_, refused, unknown, longest := d.during(20 * time.Second)
		after, _, _, _ := d.during(5 * time.Second)
		t.Logf("in 5 s %d answers before and %d after; the longest wait was %v", before, after, longest)
		if d.leader(0) == old || d.term() != term+1 {
			t.Errorf("it is %s that leads in term %d, it was %s in term %d", d.leader(0).name, d.term(), old.name, term)
		}
		if refused+unknown > 0 || longest > time.Second || after < before/2 {
			t.Errorf("%d refused, %d unknown, the longest wait was %v", refused, unknown, longest)
		}
		for _, as := range [][]*host{d.hosts, {d.leader(0), old}} {
			term := d.term()
			d.pace(steady, d.hosts...)
			d.pace(slow, as...)
			if d.during(30 * time.Second); d.term() != term {
				t.Errorf("%d disks are slow, and the term went from %d to %d", len(as), term, d.term())
			}
		}
	})
}

// A leader whose disk is full hands over. With all disks full writes are refused and reads
// go on; with room everything does, without a restart.
func TestFullDisk(t *testing.T) {
	withDrive(t, func(d *drive) {
		old, term := d.leader(0), d.term()
		d.full(true, old)
		answers, refused, unknown, longest := d.during(10 * time.Second)
		t.Logf("the leader's disk is full: %d answers, the longest wait was %v", answers, longest)
		if answers < 500 || refused+unknown > 0 || longest > 500*time.Millisecond {
			t.Errorf("%d answers, %d refused, %d unknown, the longest wait was %v", answers, refused, unknown, longest)
		}
		if d.leader(0) == old || d.term() != term+1 {
			t.Errorf("it is %s that leads in term %d, it was %s in term %d", d.leader(0).name, d.term(), old.name, term)
		}
		if err := old.node().Ready(); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("a node with a full disk is ready: %v", err)
		}

		d.full(true, d.hosts...)
		d.during(10 * time.Second)
		term = d.term()
		answers, refused, unknown, longest = d.during(10 * time.Second)
		t.Logf("all disks are full: %d refused, the longest wait was %v", refused, longest)
		if answers > 0 || unknown > 0 || refused < 100 || longest > time.Second || d.term() != term {
			t.Errorf("all disks are full: %d answers, %d refused, %d unknown, the longest wait was %v; term %d, then %d", answers, refused, unknown, longest, term, d.term())
		}
		for _, h := range d.hosts {
			began := time.Now()
			if value, out := d.newClient(h).Do("GET", d.hosts[0].name+"0"); out != checked.Done || value == nil || time.Since(began) > time.Second {
				t.Errorf("all disks are full: a read on %s has outcome %v after %v", h.name, out, time.Since(began))
			}
		}

		d.full(false, d.hosts...)
		d.during(15 * time.Second)
		if answers, refused, unknown, _ = d.during(5 * time.Second); answers < 250 || refused+unknown > 0 {
			t.Errorf("there is room again: %d answers, %d refused, %d unknown", answers, refused, unknown)
		}
	})
}
