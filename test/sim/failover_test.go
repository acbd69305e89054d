package sim

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// breakage is what happens to a leader, and how long the clients of all others may wait
// for it, on wires of 0.3 ms and disks of 1 ms.
type breakage struct {
	name string
	most time.Duration
	do   func(d *drive, leader *host)
}

// Clients of the nodes that are left see one slow reply, whatever happens to the leader, and
// the first election is the last. Nobody else uses these processors' time: it is virtual.
func TestPauses(t *testing.T) {
	breakages := []breakage{
		{"its process is killed", 50 * time.Millisecond, func(_ *drive, leader *host) { leader.kill(false) }},
		{"it is stopped", 30 * time.Millisecond, func(d *drive, leader *host) {
			d.running.Go(func() {
				leader.stop()
				if !slices.ContainsFunc(d.others(leader), func(h *host) bool { return h.node().Status().Role != "follower" }) {
					d.find("%s has stopped, and has told nobody to follow it", leader.name)
				}
			})
		}},
		{"another node is told to lead", 30 * time.Millisecond, func(d *drive, leader *host) {
			heir := d.others(leader)[0].node()
			d.running.Go(func() { heir.Lead(context.Background()) })
		}},
		{"its power is cut", 480 * time.Millisecond, func(_ *drive, leader *host) { leader.kill(true) }},
		{"it is paused", 480 * time.Millisecond, func(_ *drive, leader *host) { leader.pause() }},
		{"it is cut off", 480 * time.Millisecond, func(d *drive, leader *host) { d.network.setCut(true, d.wires("alone", leader)...) }},
	}
	for _, nodes := range []int{3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			t.Parallel()
			withDrive(t, nodes, func(d *drive) {
				d.network.level(300 * time.Microsecond)
				for _, b := range breakages {
					d.fail(t, b)
				}
			})
		})
	}
}

// fail does something to the leader, and looks at what the clients of all others see.
func (d *drive) fail(t *testing.T, b breakage) {
	t.Helper()
	old, term := d.leader(0), d.term()
	b.do(d, old)
	answers, refused, unknown, longest := d.during(time.Second, d.others(old)...)
	t.Logf("%s: the longest wait was %v", b.name, longest)
	if answers == 0 || refused+unknown > 0 || longest > b.most {
		t.Errorf("%s: %d answers, %d refused, %d unknown, the longest wait was %v, want %v", b.name, answers, refused, unknown, longest, b.most)
	}
	if got := d.term(); got != term+1 {
		t.Errorf("%s: the term went from %d to %d", b.name, term, got)
	}
	old.resume()
	d.network.mend()
	d.ready()
	d.pace(steady, d.hosts...)
	d.during(time.Second) // what was held up is behind everybody
}

// Who stands for election may die as well. The others have left the matter to it by then,
// so that it takes one of raft's own timers to have another stand.
func TestCandidateDies(t *testing.T) {
	withDrive(t, 5, func(d *drive) {
		d.network.level(300 * time.Microsecond)
		leader := d.leader(0)
		leader.kill(false)
		candidate := d.candidate()
		candidate.kill(true)
		left := slices.DeleteFunc(d.others(leader), func(h *host) bool { return h == candidate })
		answers, refused, unknown, longest := d.during(2*time.Second, left...)
		t.Logf("the longest wait was %v", longest)
		if most := 1200 * time.Millisecond; answers == 0 || refused+unknown > 0 || longest > most {
			t.Errorf("%d answers, %d refused, %d unknown, the longest wait was %v, want %v", answers, refused, unknown, longest, most)
		}
	})
}

// candidate waits for a host that stands for election.
func (d *drive) candidate() *host {
	for {
		for _, h := range d.hosts {
			if node := h.node(); node != nil && node.Status().Role == "candidate" {
				return h
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
}
