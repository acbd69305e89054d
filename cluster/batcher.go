package cluster

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// batcher shares one question among all the reads that arrived before it was sent.
// Invariant: at most one question is on its way, and whoever waits when it is answered
// came after it was sent.
type batcher struct {
	// start asks, and calls done once or more with the answer, from any goroutine.
	start func(done func(readPoint, error))

	channels sync.Pool // of chan result

	mu      sync.Mutex
	waiting []chan result
	enough  chan struct{} // closed when as many wait as again wants; nil when it does not care
	wanted  int
	spare   []chan result          // memory for waiting
	done    func(readPoint, error) // answers the question on its way, nil without one
	asked   time.Time              // when it was sent
}

type result struct {
	point readPoint
	err   error
}

// confirm returns the answer to a question that is asked after the call.
func (b *batcher) confirm(ctx context.Context) (readPoint, error) {
	ch, _ := b.channels.Get().(chan result)
	if ch == nil {
		ch = make(chan result, 1)
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, ch)
	switch {
	case b.done == nil:
		b.next()
	case b.enough != nil && len(b.waiting) >= b.wanted:
		close(b.enough)
		b.enough = nil
		fallthrough
	default:
		b.mu.Unlock()
	}
	select {
	case r := <-ch:
		b.channels.Put(ch)
		return r.point, r.err
	case <-ctx.Done():
		return readPoint{}, ctx.Err() // ch is not reused: its answer may still come
	}
}

// next sends a question for everybody who waits. It is called with mu held, which it
// gives back.
func (b *batcher) next() {
	batch := b.waiting
	if len(batch) == 0 {
		b.done = nil
		b.mu.Unlock()
		return
	}
	b.waiting, b.spare = b.spare, nil
	var once sync.Once
	done := func(point readPoint, err error) {
		once.Do(func() {
			for _, ch := range batch {
				ch <- result{point, err}
			}
			go b.again(batch)
		})
	}
	b.done, b.asked = done, time.Now()
	b.mu.Unlock()
	b.start(done)
}

// pace is the least time from one question to the next while fewer ask than half of
// those who have just been answered.
const pace = 400 * time.Microsecond

// again sends the next question, when a batch has been answered. A question costs this
// node and another a few system calls and wakeups, so that under load it should be
// shared by many: those who were answered run first, and half of them may ask again
// before it is sent. Not all of them: then this node would have nothing to do while the
// clients work, and the clients nothing while it does.
func (b *batcher) again(batch []chan result) {
	runtime.Gosched()
	clear(batch)
	b.mu.Lock()
	b.spare = batch[:0]
	if wait := pace - time.Since(b.asked); wait > 0 && len(b.waiting) < len(batch)/2 {
		b.wanted = len(batch) / 2
		enough := make(chan struct{})
		b.enough = enough
		b.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-enough:
		case <-timer.C:
		}
		timer.Stop()
		b.mu.Lock()
		b.enough = nil
	}
	b.next()
}

// abort answers the question on its way with an error, if it was sent before some time.
func (b *batcher) abort(sentBefore time.Time, err error) {
	b.mu.Lock()
	done := b.done
	if done == nil || b.asked.After(sentBefore) {
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	done(readPoint{}, err)
}
