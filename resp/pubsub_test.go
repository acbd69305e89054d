package resp

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// A subscriber that does not read is cut off, and nobody else waits for it.
func TestSlowSubscriber(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PubSubHardBytes, cfg.PubSubSoftBytes = 1<<20, 1<<20
	s, address := serve(t, cfg, newMemoryStore())
	slow, quick, publisher := dial(t, address), dial(t, address), dial(t, address)
	slow.want("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", "SUBSCRIBE", "a")
	quick.want("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", "SUBSCRIBE", "a")
	payload := strings.Repeat("x", 100<<10)
	const messages = 200
	var wg sync.WaitGroup
	wg.Go(func() {
		for range messages {
			if _, err := readReply(quick.r); err != nil {
				t.Errorf("the quick subscriber: %v", err)
				return
			}
		}
	})
	start := time.Now()
	for range messages {
		if reply := publisher.do("PUBLISH", "a", payload); reply != ":1\r\n" && reply != ":2\r\n" {
			t.Fatalf("PUBLISH: %q", reply)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("publishing took %v", took)
	}
	wg.Wait()
	if cut := s.stats.outputLimit.Load(); cut != 1 {
		t.Errorf("%d subscribers were cut off", cut)
	}
	if got := publisher.do("PUBLISH", "a", "last"); got != ":1\r\n" {
		t.Errorf("after that: %q", got)
	}
}

// Subscribing, messages and other commands may come together from anywhere.
func TestSubscribersTogether(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := dial(t, address)
			c.do("HELLO", "3")
			for range 200 {
				c.send(command("SUBSCRIBE", "a", "b") + command("PUBLISH", "a", "m") + command("SET", "k", "v") + command("UNSUBSCRIBE"))
				for replies := 0; replies < 6; { // 2 + 1 + 1 + 2, and any number of messages
					reply, err := readReply(c.r)
					if err != nil {
						t.Error(err)
						return
					}
					if !strings.Contains(reply, "\r\nmessage\r\n") {
						replies++
					}
				}
			}
		})
	}
	wg.Wait()
}
