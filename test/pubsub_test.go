package test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/test/harness"
)

// hears reads a message from a subscriber's connection.
func hears(t *testing.T, c *harness.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	reply, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(reply)
}

// What is published on one node is heard on all, in order, and events of keys are the
// same everywhere: an expiry once, on time, without anybody touching the key.
func TestPubSub(t *testing.T) {
	c := start(t)
	var subscribers []*harness.Conn
	for _, n := range c.Nodes {
		conn, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		subscribers = append(subscribers, conn)
		do(t, conn, "SUBSCRIBE", "news", "__keyevent@0__:expired")
		hears(t, conn) // the second confirmation
	}
	for i := range 30 {
		from := c.Nodes[i%3]
		reply, err := from.Do("PUBLISH", "news", fmt.Sprint(i))
		if err != nil || reply != int64(3) {
			t.Fatalf("PUBLISH at %s: %v, %v", from.Name, reply, err)
		}
	}
	for i, conn := range subscribers {
		for k := range 30 {
			if got, want := hears(t, conn), fmt.Sprintf("[message news %d]", k); got != want {
				t.Fatalf("n%d: got %s, want %s", i+1, got, want)
			}
		}
	}
	counts, err := c.Nodes[1].Do("PUBSUB", "NUMSUB", "news")
	if got := fmt.Sprint(counts); err != nil || got != "[news 3]" {
		t.Errorf("PUBSUB NUMSUB: %s, %v", got, err)
	}

	if _, err := c.Nodes[0].Do("CONFIG", "SET", "notify-keyspace-events", "Ex"); err != nil {
		t.Fatal(err)
	}
	const ttl = 300 * time.Millisecond
	if _, err := c.Nodes[1].Do("SET", "session", "v", "PX", fmt.Sprint(ttl.Milliseconds())); err != nil {
		t.Fatal(err)
	}
	set := time.Now()
	for i, conn := range subscribers {
		if got := hears(t, conn); got != "[message __keyevent@0__:expired session]" {
			t.Errorf("n%d: %s", i+1, got)
		}
		if late := time.Since(set) - ttl; late > 500*time.Millisecond {
			t.Errorf("n%d hears of the expiry %v late", i+1, late)
		}
	}
	for i, conn := range subscribers { // and not again
		do(t, conn, "SUBSCRIBE", "end")
		if _, err := c.Nodes[i].Do("PUBLISH", "end", "x"); err != nil {
			t.Fatal(err)
		}
	}
	agree(t, c)
}

// A node that stands still is not waited for by every message.
func TestPublishBesidePausedNode(t *testing.T) {
	c := start(t)
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	paused := c.Others(leader)[0]
	if err := paused.Pause(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 50 {
		if _, err := leader.Do("PUBLISH", "news", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("50 messages took %v", took)
	}
	if err := paused.Resume(); err != nil {
		t.Fatal(err)
	}
	agree(t, c)
}
