package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// questions is what a batcher asks: each is answered, with its number as the index, a
// millisecond after it was sent.
type questions struct{ sent []time.Time }

func (q *questions) start(done func(readPoint, error)) {
	q.sent = append(q.sent, time.Now())
	number := uint64(len(q.sent))
	time.AfterFunc(time.Millisecond, func() { done(readPoint{index: number}, nil) })
}

// Nobody is answered by a question that was sent before he asked, and all who asked
// while one was on its way share the next.
func TestBatcherAsksAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q questions
		b := &batcher{start: q.start}
		answers := make(chan uint64, 10)
		ask := func() {
			point, err := b.confirm(t.Context())
			if err != nil {
				t.Error(err)
			}
			answers <- point.index
		}
		go ask()
		time.Sleep(time.Millisecond / 2)
		for range 5 { // the first question is on its way
			go ask()
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got := <-answers; got != 1 {
			t.Errorf("the first was answered by question %d", got)
		}
		for range 5 {
			if got := <-answers; got != 2 {
				t.Errorf("one of those who came later was answered by question %d", got)
			}
		}
		if len(q.sent) != 2 {
			t.Errorf("%d questions", len(q.sent))
		}
	})
}

// After a question of eight, the next waits for four of them, for a moment.
func TestBatcherPace(t *testing.T) {
	for _, test := range []struct {
		again int
		at    time.Duration // after the last question was sent; it took 100 µs
	}{{1, pace}, {3, pace}, {4, 200 * time.Microsecond}, {8, 200 * time.Microsecond}} {
		synctest.Test(t, func(t *testing.T) {
			var q questions
			b := &batcher{start: func(done func(readPoint, error)) {
				q.sent = append(q.sent, time.Now())
				time.AfterFunc(100*time.Microsecond, func() { done(readPoint{}, nil) })
			}}
			ask := func() { b.confirm(t.Context()) }
			go ask() // a question of its own
			synctest.Wait()
			for i := range 8 {
				go func() {
					ask()
					if i < test.again {
						time.Sleep(100 * time.Microsecond)
						ask()
					}
				}()
			}
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			if got := q.sent[2].Sub(q.sent[1]); got != test.at {
				t.Errorf("%d of 8 ask again: the next question after %v, want %v", test.again, got, test.at)
			}
		})
	}
}

// A question that is never answered holds up nobody for ever, and a late answer to it
// does no harm.
func TestBatcherAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late func(readPoint, error)
		b := &batcher{start: func(done func(readPoint, error)) { late = done }}
		failed := make(chan error, 1)
		go func() {
			_, err := b.confirm(context.Background())
			failed <- err
		}()
		time.Sleep(time.Second)
		b.abort(time.Now().Add(-2*time.Second), ErrNoLeader)
		select {
		case err := <-failed:
			t.Fatalf("a question of one second was given up: %v", err)
		default:
		}
		b.abort(time.Now(), ErrNoLeader)
		if err := <-failed; !errors.Is(err, ErrNoLeader) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		late(readPoint{}, nil)
		go b.confirm(t.Context())
		synctest.Wait()
		late(readPoint{}, nil)
	})
}
