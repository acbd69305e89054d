package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// route is where requests go: to the leader that raft knows of.
type route struct {
	self string

	mu      sync.Mutex
	leader  string        // "" while there is none
	changed chan struct{} // closed at the next change
	leads   atomic.Bool   // leader == self
}

func newRoute(self string) *route { return &route{self: self, changed: make(chan struct{})} }

// set takes note of the leader and reports whether it is another one.
func (r *route) set(leader string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leader == r.leader {
		return false
	}
	r.leader = leader
	r.leads.Store(leader == r.self)
	close(r.changed)
	r.changed = make(chan struct{})
	return true
}

// leading reports whether this node leads, as far as it knows.
func (r *route) leading() bool { return r.leads.Load() }

// get returns the leader and a channel that is closed when that changes.
func (r *route) get() (leader string, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader, r.changed
}

// waitChange returns when the leader changes, at the latest after d.
func (r *route) waitChange(d time.Duration) {
	_, changed := r.get()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// pause is waitChange bounded by ctx as well.
func (r *route) pause(ctx context.Context, changed <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
