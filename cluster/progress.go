package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"holdfast/fsm"
)

// progress tells readers when the machine has come as far as they need.
type progress struct {
	waiting atomic.Int32 // waiters, so that an apply without any takes no lock

	mu      sync.Mutex
	waiters []*waiter
}

type waiter struct {
	index uint64
	clock fsm.Millis
	done  chan struct{}
}

// wait returns when m has applied index and its clock has reached clock, or with
// ctx's error.
func (p *progress) wait(ctx context.Context, m *fsm.Machine, index uint64, clock fsm.Millis) error {
	if m.Index() >= index && m.Clock() >= clock {
		return nil
	}
	w := &waiter{index, clock, make(chan struct{})}
	p.mu.Lock()
	p.waiters = append(p.waiters, w)
	p.waiting.Add(1)
	p.mu.Unlock()
	p.advance(m) // it may have come that far before the waiter was seen

	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, other := range p.waiters {
			if other == w {
				p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
				p.waiting.Add(-1)
			}
		}
		return ctx.Err()
	}
}

// advance releases the waiters that m has come far enough for.
func (p *progress) advance(m *fsm.Machine) {
	if p.waiting.Load() == 0 {
		return
	}
	index, clock := m.Index(), m.Clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.waiters[:0]
	for _, w := range p.waiters {
		if index >= w.index && clock >= w.clock {
			close(w.done)
			p.waiting.Add(-1)
		} else {
			left = append(left, w)
		}
	}
	clear(p.waiters[len(left):])
	p.waiters = left
}
