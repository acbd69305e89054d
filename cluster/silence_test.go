package cluster

import (
	"testing"
	"time"
)

// quietCluster has n3 lead, and loses what passes between it and some others from then on.
func quietCluster(t *testing.T, timeout time.Duration, unheard ...int) *testCluster {
	c, network := newNetworkedCluster(t, timeout)
	c.lead(2)
	c.write(0, "SET a 1")
	c.level()
	network.slow(func(from, to string, kind byte) time.Duration {
		for _, i := range unheard {
			if from == "n3" && to == c.bus[i] || from == c.config(i).ID && to == c.bus[2] {
				return -1
			}
		}
		return 0
	})
	return c
}

// The followers agree that a leader is silent before the first of raft's timers ends.
func TestSilentLeaderIsReplaced(t *testing.T) {
	const timeout = 3 * time.Second
	c := quietCluster(t, timeout, 0, 1)
	term := c.nodes[0].raft().CurrentTerm()
	began := time.Now()
	c.write(0, "SET a 2")
	if took := time.Since(began); took < timeout/2 || took >= timeout {
		t.Errorf("a write waited %v for another leader, with an election timeout of %v", took, timeout)
	}
	if got := c.nodes[0].raft().CurrentTerm(); got != term+1 {
		t.Errorf("the election took %d terms", got-term)
	}
	if n := c.nodes[1]; n.campaigned.Load() != 0 {
		t.Errorf("n2 stood as well, whose log was no longer and whose id comes later")
	}
}

// One follower that does not hear the leader changes nothing.
func TestUnheardByOne(t *testing.T) {
	const timeout = time.Second
	c := quietCluster(t, timeout, 0)
	term := c.nodes[2].raft().CurrentTerm()
	time.Sleep(3 * timeout)
	if leader, got := c.leader(), c.nodes[2].raft().CurrentTerm(); leader != 2 || got != term {
		t.Errorf("n%d leads in term %d, it was n3 in term %d", leader+1, got, term)
	}
}

// A network whose delays are not much shorter than the election timeout is usual there.
func TestSlowNetworkKeepsLeader(t *testing.T) {
	const timeout = time.Second
	c, network := newNetworkedCluster(t, timeout)
	network.slow(func(from, to string, kind byte) time.Duration { return timeout / 2 })
	time.Sleep(5 * timeout) // it may cost a leader once
	leader := c.leader()
	term := c.nodes[leader].raft().CurrentTerm()
	time.Sleep(6 * timeout)
	if now, got := c.leader(), c.nodes[leader].raft().CurrentTerm(); now != leader || got != term {
		t.Errorf("n%d leads in term %d, it was n%d in term %d", now+1, got, leader+1, term)
	}
}

func TestSilence(t *testing.T) {
	const (
		tick  = time.Second / looksPerTimeout
		least = 3 * time.Second / 4
	)
	var s silence
	var now, contact time.Time
	hear := func() { contact = now }
	// quietFor is how long the leader has to be silent, from now on, until that is too long.
	quietFor := func() (d time.Duration) {
		hear()
		for !s.look("a", contact, now) {
			now = now.Add(tick)
			if d += tick; d > time.Minute {
				t.Fatal("never too long")
			}
		}
		return d
	}
	between := func(what string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s: silent after %v, want %v to %v", what, got, least, most)
		}
	}
	begin := func() {
		s, now = silence{timeout: time.Second}, time.Unix(1e9, 0)
		hear()
	}
	beats := func(n, every int) {
		for i := range n * every {
			if now = now.Add(tick); i%every == 0 {
				hear()
			}
			if s.look("a", contact, now) {
				t.Fatalf("silent with a heartbeat every %v", time.Duration(every)*tick)
			}
		}
	}

	begin()
	beats(50, 2)
	between("regular heartbeats", quietFor(), least-2*tick, least+2*tick)

	begin()
	beats(50, 8)
	between("seldom heartbeats", quietFor(), 13*tick, 17*tick)

	begin()
	beats(1, 2)
	now = now.Add(time.Hour) // this process was stopped
	if s.look("a", contact, now) {
		t.Error("silent while this process did not run")
	}

	begin()
	beats(2, 9)
	beats(10*usualFades, 2)
	between("one gap long ago", quietFor(), least-2*tick, least+2*tick)

	begin()
	for range 100 { // this node leads
		now = now.Add(tick)
		s.look("", contact, now)
	}
	hear() // raft says so of a node that ceases to lead
	s.look("", contact, now)
	beats(50, 2)
	between("a node that has led", quietFor(), least-2*tick, least+2*tick)

	begin()
	s.trip = time.Second / 8
	between("a slow network", quietFor(), 7*time.Second/8, 7*time.Second/8+2*tick)

	begin()
	beats(1, 2)
	quietFor()
	if s.look("", contact, now) || s.of("", contact) {
		t.Error("silent without a leader")
	}
	if s.look("b", contact, now) {
		t.Error("another leader is silent from the start")
	}
	hear()
	if s.of("a", contact) || s.of("b", now.Add(tick)) {
		t.Error("a leader that has been heard is silent")
	}
}
