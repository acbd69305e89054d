package cluster

import (
	"time"
)

// reapInterval is the least time between two entries that only reap, so that a stream
// of expiring keys becomes a hundred entries a second and not one for each key.
const reapInterval = 10 * time.Millisecond

// reaper has the leader propose an entry whenever a deadline passes, so that keys
// vanish on time, at the same index on every node, without anybody asking for them.
type reaper struct {
	n    *Node
	wake chan struct{}
}

func newReaper(n *Node) *reaper { return &reaper{n: n, wake: make(chan struct{}, 1)} }

// schedule has the reaper look at the earliest deadline again.
func (r *reaper) schedule() {
	if !r.n.route.leading() {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reaper) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		case <-r.n.closing:
			return
		}
		deadline, ok := r.n.machine.NextDeadline()
		if !ok || !r.n.route.leading() {
			continue
		}
		wait := time.Duration(deadline-r.n.now()) * time.Millisecond
		wait = max(wait, reapInterval-time.Since(last))
		if wait > 0 {
			timer.Reset(min(wait, time.Hour))
			continue
		}
		last = time.Now()
		r.n.proposer.wantReap()
		timer.Reset(reapInterval) // the entry may fail: look again
	}
}
