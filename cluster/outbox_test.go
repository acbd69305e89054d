package cluster

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/fsm"
)

// The low water rises over what was answered and what was given up, and over nothing that
// is still open: the once-table keeps what is above it, and runs nothing that is below.
func TestLowWater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(time.Second, 1<<20, func() {})
		o.register(7)
		outcomes := make(chan string, 10)
		write := func() {
			go func() {
				_, err := o.write(context.Background(), []fsm.Request{{Calls: []fsm.Call{call("INCR k")}}})
				outcomes <- fmt.Sprint(err)
			}()
			synctest.Wait()
		}
		var memory []byte
		take := func(lowWater uint64, requests int) frame {
			t.Helper()
			f := o.take(1<<20, &memory)
			if f.LowWater != lowWater || f.Count != requests {
				t.Errorf("a frame of %d requests with low water %d, want %d with %d", f.Count, f.LowWater, requests, lowWater)
			}
			return f
		}
		write()
		write()
		f := take(0, 2)
		o.answered(f.numbers, []fsm.Reply{nil, fsm.Int(2)}) // the first is still open
		write()
		take(0, 1)
		time.Sleep(2 * time.Second)
		o.expire(time.Now()) // and is given up
		write()
		take(3, 1)
		for _, want := range []string{"<nil>", ErrUncertain.Error(), ErrUncertain.Error()} {
			if got := <-outcomes; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		o.abort()
		if got := <-outcomes; got != ErrUncertain.Error() {
			t.Errorf("got %s", got)
		}
	})
}

// Whoever gives up at the moment at which the answer comes gets the answer.
func TestAnsweredWhileGivenUp(t *testing.T) {
	for range 100 { // either may be seen first
		ctx, cancel := context.WithCancel(context.Background())
		var o *outbox
		o = newOutbox(time.Second, 1<<20, func() {
			if f := o.take(1<<20, new([]byte)); f.Count == 1 {
				o.answered(f.numbers, []fsm.Reply{fsm.Int(1)})
				cancel()
			}
		})
		o.register(7)
		replies, err := o.write(ctx, []fsm.Request{{Calls: []fsm.Call{call("INCR k")}}})
		if err != nil || len(replies) != 1 || string(replies[0]) != string(fsm.Int(1)) {
			t.Fatalf("got %q, %v", replies, err)
		}
	}
}
