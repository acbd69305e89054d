package sim

import (
	"strings"
	"testing"
	"time"

	"holdfast/test/checked"
)

// A follower whose disk stands still holds up nobody, its own clients included. A leader's
// lets another lead, and its clients go on with that one. When all disks stand still, nothing
// changes.
func TestStandingDisk(t *testing.T) {
	withDrive(t, 3, func(d *drive) {
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

		// More than once: the followers may have writes on their way, and know without a probe.
		term = d.term()
		for range 5 {
			d.pace(3*time.Second, d.hosts...)
			time.Sleep(3 * time.Second)
			d.pace(steady, d.hosts...)
			if _, refused, unknown, longest = d.during(10 * time.Second); refused+unknown > 0 || longest < time.Second {
				t.Errorf("all disks stand still: %d refused, %d unknown, the longest wait was %v", refused, unknown, longest)
			}
			if got := d.term(); got != term {
				t.Fatalf("all disks stood still, and the term went from %d to %d", term, got)
			}
		}
	})
}

// A follower whose disk is slow takes nothing from anybody, its own clients included: writes
// are as fast as the majority is. All wires are equally long here, so that a majority with
// the other follower is as near.
func TestSlowFollower(t *testing.T) {
	withDrive(t, 3, func(d *drive) {
		leader, term := d.leader(0), d.term()
		d.network.level(300 * time.Microsecond)
		d.hurry()
		for _, follower := range d.others(leader) {
			const spell = 2 * time.Second
			d.during(spell)
			without := d.answered()
			d.pace(20*time.Millisecond, follower)
			_, refused, unknown, longest := d.during(spell)
			with := d.answered()
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
	withDrive(t, 3, func(d *drive) {
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
	withDrive(t, 3, func(d *drive) {
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
