package test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/test/harness"
)

// A leader that stood still while another was elected must not answer from what it
// remembers: by the time it wakes, the questions in its sockets' buffers are waiting
// for it, and nothing has told it yet that it was deposed.
func TestPausedLeaderServesNoStaleRead(t *testing.T) {
	c := start(t)
	const trials = 5
	answers := 0
	for trial := range trials {
		stale, fresh := askPausedLeader(t, c, trial)
		if stale > 0 {
			t.Errorf("trial %d: %d of %d answers were stale", trial, stale, stale+fresh)
		}
		answers += fresh
	}
	t.Logf("%d answers of leaders that had been paused, none of them stale", answers)
	agree(t, c)
}

// The test above proves something only if it can fail: where the quorum round is
// replaced by a plain local read, the very same questions get stale answers.
func TestPausedLeaderWithLocalReadsIsStale(t *testing.T) {
	c := start(t, "--unsafe-local-reads")
	const trials = 10
	for trial := range trials {
		stale, fresh := askPausedLeader(t, c, trial)
		if stale > 0 {
			t.Logf("trial %d: %d of %d answers were stale", trial, stale, stale+fresh)
			return
		}
	}
	t.Errorf("in %d trials a leader without quorum rounds gave no stale answer: the test of stale reads finds nothing", trials)
}

// askPausedLeader pauses the leader, has the others elect another and write a newer
// value, queues reads on connections to the paused node, and wakes it. It returns how
// many of the answers were the old value, and how many the new one.
func askPausedLeader(t *testing.T, c *harness.Cluster, trial int) (stale, fresh int) {
	t.Helper()
	const connections, reads = 16, 5
	paused, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	before, after := fmt.Sprintf("before %d", trial), fmt.Sprintf("after %d", trial)
	var asking []*harness.Conn
	for range connections {
		conn, err := paused.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		asking = append(asking, conn)
	}
	do(t, asking[0], "SET", "k", before)
	for _, conn := range asking {
		if got := do(t, conn, "GET", "k"); got != before {
			t.Fatalf("before the pause: %v", got)
		}
	}

	if err := paused.Pause(); err != nil {
		t.Fatal(err)
	}
	leader, err := c.Leader(paused)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leader.Do("SET", "k", after); err != nil {
		t.Fatal(err)
	}
	for _, conn := range asking {
		for range reads {
			if err := conn.Send("GET", "k"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := paused.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range asking {
		for range reads {
			got, err := conn.Receive()
			switch {
			case err != nil:
				t.Errorf("an answer of %s after its pause: %v", paused.Name, err)
				return stale, fresh
			case got == before:
				stale++
			case got == after:
				fresh++
			default:
				t.Errorf("an answer of %s after its pause: %v", paused.Name, got)
			}
		}
	}
	return stale, fresh
}
