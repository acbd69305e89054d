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

	mu      sync.Mutex
	waiting []chan result
	spare   []chan result          // memory for waiting
	done    func(readPoint, error) // answers the question on its way, nil without one
	asked   time.Time              // when it was sent
}

type result struct {
	point readPoint
	err   error
}

var resultChannels = sync.Pool{New: func() any { return make(chan result, 1) }}

// confirm returns the answer to a question that is asked after the call.
func (b *batcher) confirm(ctx context.Context) (readPoint, error) {
	ch := resultChannels.Get().(chan result)
	b.mu.Lock()
	b.waiting = append(b.waiting, ch)
	if b.done == nil {
		b.next()
	} else {
		b.mu.Unlock()
	}
	select {
	case r := <-ch:
		resultChannels.Put(ch)
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

// again sends the next question, when a batch has been answered. Those who were in it
// run first: they, or others who get their turn meanwhile, ask again as likely as not,
// and share the question.
func (b *batcher) again(batch []chan result) {
	runtime.Gosched()
	clear(batch)
	b.mu.Lock()
	b.spare = batch[:0]
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
