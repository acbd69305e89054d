package resp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pause is what CLIENT PAUSE has asked for: commands wait until it ends.
type pause struct {
	on     atomic.Bool // there is one: what every command looks at
	mu     sync.Mutex
	active chan struct{} // closed when the pause ends; nil without one
	until  time.Time
	all    bool // reads wait, too
	timer  *time.Timer

	waiting atomic.Int64 // clients
}

// start begins a pause, or extends the present one; never shortens or weakens it.
func (p *pause) start(d time.Duration, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(d)
	if p.active == nil {
		p.active, p.until, p.all = make(chan struct{}), until, all
		p.on.Store(true)
		active := p.active
		p.timer = time.AfterFunc(d, func() { p.expire(active) })
		return
	}
	p.all = p.all || all
	if until.After(p.until) {
		p.until = until
		p.timer.Reset(d)
	}
}

// expire ends the pause that active belongs to, unless it was extended meanwhile.
func (p *pause) expire(active chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active == active && !time.Now().Before(p.until) {
		p.end()
	}
}

// stop ends the pause now.
func (p *pause) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active != nil {
		p.timer.Stop()
		p.end()
	}
}

func (p *pause) end() {
	p.on.Store(false)
	close(p.active)
	p.active = nil
}

// wait returns when a command may run, false when ctx ended before that.
func (p *pause) wait(ctx context.Context, write bool) bool {
	for p.on.Load() {
		p.mu.Lock()
		active := p.active
		if active != nil && !p.all && !write {
			active = nil
		}
		p.mu.Unlock()
		if active == nil {
			return true
		}
		p.waiting.Add(1)
		select {
		case <-active:
		case <-ctx.Done():
		}
		p.waiting.Add(-1)
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}
