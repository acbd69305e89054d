package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// patience is an election timeout so long that a leader which is found within half of it
// was not found by silence.
const patience = 5 * time.Second

// crash ends a node as SIGKILL does: nothing is handed over, its connections end.
func (c *testCluster) crash(i int, network *network) {
	n := c.nodes[i]
	n.fail(errors.New("crash"))
	for ended := false; !ended; {
		select {
		case <-n.Done():
			ended = true
		case <-time.After(10 * time.Millisecond):
			network.giveUp(n.config.ID)
		}
	}
	network.cut(n.config.ID, n.config.Bus)
	c.nodes[i] = nil
}

// lead has a certain node lead.
func (c *testCluster) lead(i int) {
	c.t.Helper()
	c.eventually(func() error {
		leader := c.leader()
		if leader == i {
			return nil
		}
		n := c.nodes[leader]
		server, _ := n.server(n.raft(), raft.ServerID(c.config(i).ID))
		n.raft().LeadershipTransferToServer(server.ID, server.Address).Error()
		return errors.New("another node leads")
	})
	c.ready()
}

// level waits until all logs end in the same entry.
func (c *testCluster) level() {
	c.t.Helper()
	c.eventually(func() error {
		for _, n := range c.nodes[1:] {
			if n.raft().LastIndex() != c.nodes[0].raft().LastIndex() {
				return errors.New("the logs differ")
			}
		}
		return nil
	})
}

// replaced checks that a write at node i comes through without an election by silence.
func (c *testCluster) replaced(i int) {
	c.t.Helper()
	began := time.Now()
	c.write(i, "SET after crash")
	if took := time.Since(began); took > patience/2 {
		c.t.Errorf("a write waited %v: the dead leader was replaced by silence", took)
	}
}

func newNetworkedCluster(t *testing.T, electionTimeout time.Duration, change ...func(*Config)) (*testCluster, *network) {
	network := newNetwork()
	c := newCluster(t, 3, func(config *Config) {
		config.ElectionTimeout = electionTimeout
		network.alter(config)
		for _, f := range change {
			f(config)
		}
	})
	t.Cleanup(func() { // before the nodes end, which wait for each other
		network.slow(nil)
		for i := range c.nodes {
			network.giveUp(c.config(i).ID)
		}
	})
	return c, network
}

func TestCrashedLeaderIsReplacedAtOnce(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(2)
	c.write(0, "SET before crash")
	c.crash(2, network)
	c.replaced(1)
}

// A node that has led keeps raft's connections to the others. Those to a process that
// has gone since must not cost it the vote of the process that came after.
func TestVoteOfRestartedNode(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(0)
	time.Sleep(patience/5 + 100*time.Millisecond) // the first heartbeat
	c.lead(2)
	c.crash(1, network)
	c.start(1)
	c.ready()
	c.crash(2, network)
	c.replaced(0) // its id makes it the candidate
}

// Where messages take longer than the followers usually wait for each other, they must
// not both stand, and split the votes.
func TestCrashedLeaderOnSlowNetwork(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(2)
	c.write(0, "SET a 1")
	network.slow(func(from, to string, kind byte) time.Duration { return 60 * time.Millisecond })
	c.crash(2, network)
	c.replaced(1)
}

// What the leader sent before it died may still be on its way into a follower's log when
// the followers compare. The one that gets it has to stand: it refuses its vote to the
// other.
func TestLastEntryOfCrashedLeader(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(2)
	c.write(0, "SET a 1")
	c.level()
	network.slow(func(from, to string, kind byte) time.Duration {
		switch {
		case kind == linkConn:
			return 0
		case from == "n3" && to == c.bus[0]:
			return -1
		case from == "n3" && to == c.bus[1]:
			return 100 * time.Millisecond
		}
		return 200 * time.Millisecond
	})
	last := c.nodes[1].raft().LastIndex()
	leader := c.nodes[2].raft()
	leader.Barrier(0) // an entry: it is sent and not waited for
	c.eventually(func() error {
		if leader.LastIndex() == last {
			return errors.New("not stored yet")
		}
		return nil
	})
	c.crash(2, network)
	c.replaced(0)
	if got := c.nodes[1].raft().LastIndex(); got <= last {
		t.Fatalf("n2 never got the entry")
	}
	if c.leader() != 1 {
		t.Errorf("n%d leads, whose log was shorter", c.leader()+1)
	}
}

// A follower that sees the leader die while another already stands, as it does when a
// leader has handed over and left, must not stand against it.
func TestElectionUnderWay(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(2)
	c.write(0, "SET a 1")
	c.level()
	network.slow(func(from, to string, kind byte) time.Duration {
		switch {
		case kind == linkConn || from != "n2":
			return 0
		case to == c.bus[2]:
			return -1
		case to == c.bus[0]:
			return 300 * time.Millisecond
		}
		return 0
	})
	term := c.nodes[1].raft().CurrentTerm()
	if err := c.nodes[1].timeoutNow(); err != nil {
		t.Fatal(err)
	}
	c.eventually(func() error {
		if c.nodes[1].raft().CurrentTerm() == term {
			return errors.New("n2 does not stand yet")
		}
		return nil
	})
	c.crash(2, network)
	c.replaced(0)
	if got := c.nodes[0].raft().CurrentTerm(); got != term+1 {
		t.Errorf("the election took %d terms", got-term)
	}
}

// Whoever finds that another leads, or stands, has nothing to compare.
func TestBestLogBesideLeader(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(1)
	c.crash(2, network)
	n := c.nodes[0]
	mine, _ := n.logState()
	if best, err := n.bestLog("n3", n.raft().CurrentTerm(), mine, poll{askLogState, nil, patience}); err == nil {
		t.Errorf("n1 would stand (%v) while n2 leads", best)
	}
}

// Links to a leader that lives may break as often as they like: nobody stands.
func TestBrokenLinksToLivingLeader(t *testing.T) {
	c, _ := newNetworkedCluster(t, patience)
	c.lead(2)
	term := c.nodes[2].raft().CurrentTerm()
	for range 20 {
		for _, n := range c.nodes[:2] {
			c.eventually(func() error {
				l := n.peers.link("n3")
				if l == nil {
					return errors.New("no link to the leader")
				}
				l.close()
				return nil
			})
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.write(0, "SET a 1")
	if got := c.nodes[2].raft().CurrentTerm(); got != term || c.leader() != 2 {
		t.Errorf("n%d leads in term %d, n3 did in term %d", c.leader()+1, got, term)
	}
}

// A new leader does not know that what it has in its log was committed, and acknowledged,
// before an entry of its own is. It must not answer from what it knows.
func TestReadAfterElection(t *testing.T) {
	c, network := newNetworkedCluster(t, DefaultConfig().ElectionTimeout)
	c.lead(2)
	c.write(2, "SET k old")
	c.level()
	network.slow(func(from, to string, kind byte) time.Duration {
		switch {
		case kind == linkConn:
			return 0
		case from == "n3" && to == c.bus[1]:
			return -1 // n1 alone gets the entry
		case from == "n1":
			return 200 * time.Millisecond // also the first entry of its own
		}
		return 0
	})
	c.write(2, "SET k new")
	c.crash(2, network)
	if got := c.read(0, "GET k"); got != string(fsm.BulkString("new")) {
		t.Errorf("n1 answers %q after its election", got)
	}
}

// A candidate that was told to stand, and hears of a leader of its own term, notes the
// name and stays a candidate. Should that leader die before it says more, the candidate
// must not refuse its vote for the sake of the name for ever: here it alone can be asked,
// and its own log is too short to win.
func TestCandidateForgetsLeader(t *testing.T) {
	c, network := newNetworkedCluster(t, time.Second)
	c.lead(0)
	c.level()
	n1, n2, n3 := c.nodes[0].raft(), c.nodes[1].raft(), c.nodes[2].raft()
	mute := func(names ...string) { // what these nodes say to n2, and n2 to anybody, is lost
		network.slow(func(from, to string, kind byte) time.Duration {
			if kind == raftConn && (from == "n2") != (to == c.bus[1]) && (from == "n2" || slices.Contains(names, from)) {
				return -1
			}
			return 0
		})
	}
	until := func(what string, done func() bool) {
		t.Helper()
		c.eventually(func() error {
			if !done() {
				return errors.New(what)
			}
			return nil
		})
	}
	mute("n1")
	term := n1.CurrentTerm()
	if err := errors.Join(c.nodes[1].timeoutNow(), c.nodes[2].timeoutNow()); err != nil {
		t.Fatal(err)
	}
	until("n3 does not lead", func() bool { return n3.State() == raft.Leader && n3.CurrentTerm() == term+1 })
	until("n2 is no candidate that knows a leader", func() bool {
		_, leader := n2.LeaderWithID()
		return n2.State() == raft.Candidate && leader == "n3"
	})
	mute("n1", "n3")
	c.write(0, "SET a 1") // on n1 and n3
	if n1.LastIndex() <= n2.LastIndex() {
		t.Fatal("n2 has the entry")
	}
	c.crash(2, network)
	network.slow(nil)
	c.write(0, "SET a 2")
}
