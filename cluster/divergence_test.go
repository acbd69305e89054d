package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/fsm"
)

// quarantined is a cluster that compares its states all the time once it is told to, and
// mends none while held.
type quarantined struct {
	*testCluster
	held atomic.Bool
}

func newQuarantined(t *testing.T, size int) *quarantined {
	q := &quarantined{}
	q.held.Store(true)
	q.testCluster = newCluster(t, size, func(config *Config) {
		config.DigestInterval = 100 * time.Millisecond
		dial := config.Dial
		config.Dial = func(address string, timeout time.Duration) (net.Conn, error) {
			conn, err := dial(address, timeout)
			return withoutStates{conn, &q.held}, err
		}
	})
	q.nextCheck(time.Now().Add(time.Hour))
	return q
}

func (q *quarantined) nextCheck(at time.Time) {
	for _, n := range q.nodes {
		n.digests.mu.Lock()
		n.digests.last = at
		n.digests.mu.Unlock()
	}
}

// withoutStates is a connection on which no state can be asked for while held.
type withoutStates struct {
	net.Conn
	held *atomic.Bool
}

func (c withoutStates) Write(b []byte) (int, error) {
	if c.held.Load() && bytes.HasPrefix(b, append([]byte(preamble), stateConn)) {
		return 0, errors.New("held")
	}
	return c.Conn.Write(b)
}

// corrupt changes the value of k in a node's memory, and nowhere else.
func corrupt(t *testing.T, n *Node) {
	t.Helper()
	if _, err := n.freeze(context.Background()); err != nil { // with all acknowledged writes
		t.Fatal(err)
	}
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	changed := bytes.ReplaceAll(wholeState(t, n.machine), []byte("right"), []byte("wrong"))
	clear(changed[len(changed)-8:]) // no checksum
	if err := n.machine.Restore(bytes.NewReader(changed)); err != nil {
		t.Fatal(err)
	}
	wantLocal(t, n, "wrong")
}

// wantLocal checks what is in a node's own state.
func wantLocal(t *testing.T, n *Node, value string) {
	t.Helper()
	replies, _ := n.machine.Read(0, 0, []fsm.Call{call("GET k")})
	if want := string(fsm.BulkString(value)); string(replies[0]) != want {
		t.Errorf("the state of %s has %q, want %q", n.identity.NodeID, replies[0], want)
	}
}

// wantQuarantined waits until a node is quarantined, and all others know it.
func (q *quarantined) wantQuarantined(i int) {
	q.t.Helper()
	id := q.nodes[i].identity.NodeID
	q.nextCheck(time.Time{})
	q.eventually(func() error {
		for j, n := range q.nodes {
			if n == nil {
				continue
			}
			s := n.Status()
			if s.Diverged != (i == j) {
				return fmt.Errorf("n%d: %+v", j+1, s.Consistency)
			}
			for _, m := range s.Members {
				if m.Diverged != (m.ID == id) {
					return fmt.Errorf("n%d: %+v", j+1, m)
				}
			}
		}
		return nil
	})
	if err := q.nodes[i].Ready(); err != errDiverged {
		q.t.Errorf("a quarantined node is ready: %v", err)
	}
}

// wantRight checks what the clients of a node see.
func (q *quarantined) wantRight(i int) {
	q.t.Helper()
	want := string(fsm.BulkString("right"))
	if got := q.read(i, "GET k"); got != want {
		q.t.Errorf("GET at n%d: %q", i+1, got)
	}
	replies, err := q.nodes[i].ReadLocal(context.Background(), []fsm.Call{call("GET k")}, 1)
	if err != nil || string(replies[0]) != want {
		q.t.Errorf("GET at n%d under READONLY: %q, %v", i+1, replies, err)
	}
	if got := q.write(i, "GETEX k PERSIST"); got != want {
		q.t.Errorf("GETEX at n%d: %q", i+1, got)
	}
}

// wantMended waits until nobody is quarantined any more, also after restarts.
func (q *quarantined) wantMended(i int) {
	q.t.Helper()
	q.held.Store(false)
	q.ready()
	q.same()
	q.wantRight(i)
	q.eventually(func() error {
		if noted, _ := q.nodes[i].storage.stable.Get(divergedKey); len(noted) > 0 {
			return errors.New("the disk still says that the node is quarantined")
		}
		return nil
	})
	q.stop(i)
	q.start(i)
	if q.nodes[i].quarantine.on() {
		q.t.Error("a node whose state was mended is quarantined after a restart")
	}
	q.ready()
	q.same()
}

// A follower whose state differs is found out. Its clients get right answers all the same,
// it neither leads nor writes snapshots, and it remembers that across a restart, until its
// state is mended.
func TestDivergedFollower(t *testing.T) {
	t.Parallel()
	q := newQuarantined(t, 3)
	q.write(0, "SET k right")
	i := (q.leader() + 1) % 3
	n := q.nodes[i]
	corrupt(t, n)
	if err := n.Save(context.Background()); err != nil { // before anybody has noticed
		t.Fatal(err)
	}
	q.wantQuarantined(i)
	q.wantRight(i)
	q.write(i, "SET later v")
	if _, err := n.Snapshot(context.Background()); err != errDiverged {
		t.Errorf("a snapshot of the wrong state is handed out: %v", err)
	}
	if err := n.Save(context.Background()); err != errDiverged {
		t.Errorf("a snapshot of the wrong state is saved: %v", err)
	}
	if err := n.Lead(context.Background()); err != errDiverged {
		t.Errorf("Lead: %v", err)
	}

	q.stop(i)
	q.start(i)
	if !q.nodes[i].quarantine.on() {
		t.Error("the quarantine ends with the process")
	}
	q.eventually(func() error { _, err := q.nodes[i].freeze(context.Background()); return err })
	wantLocal(t, q.nodes[i], "wrong") // from the snapshot
	q.wantRight(i)
	q.wantMended(i)
}

// To the state of the leader a node adds what its own log has since.
func TestMendReplays(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	n := c.nodes[(lead+1)%3]
	c.write(lead, "INCR n")
	fresh, err := n.fetchState(c.nodes[lead].identity.NodeID)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		c.write(lead, "INCR n")
	}
	if _, err := n.freeze(context.Background()); err != nil { // with all acknowledged writes
		t.Fatal(err)
	}
	if err := n.replay(fresh); err != nil {
		t.Fatal(err)
	}
	if got, want := wholeState(t, fresh), wholeState(t, n.machine); !bytes.Equal(got, want) {
		t.Errorf("the state is %q, want %q", got, want)
	}
	if _, err := n.fetchState(c.nodes[(lead+2)%3].identity.NodeID); err == nil {
		t.Error("a follower hands out its state")
	}
}

func wholeState(t *testing.T, m *fsm.Machine) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := m.Snapshot().WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// A leader whose state differs hands leadership on at once, also if raft gives it back.
func TestDivergedLeader(t *testing.T) {
	t.Parallel()
	q := newQuarantined(t, 3)
	q.write(0, "SET k right")
	i := q.leader()
	corrupt(t, q.nodes[i])
	q.wantQuarantined(i)
	if lead := q.leader(); lead == i {
		t.Fatalf("n%d still leads", i+1)
	}
	q.wantRight(i)
	term := q.nodes[i].raft().CurrentTerm()
	if err := q.nodes[i].timeoutNow(); err != nil {
		t.Fatal(err)
	}
	q.eventually(func() error {
		if now := q.nodes[i].raft().CurrentTerm(); now < term+2 {
			return fmt.Errorf("term %d, and it was %d: want that of its election and that of another's", now, term)
		}
		return nil
	})
	for range 20 {
		q.wantRight(i)
		q.wantRight((i + 1) % 3)
	}
	q.wantMended(i)
}

// When the leader goes, a node that is quarantined does not take its place.
func TestDivergedNodeIsNoSuccessor(t *testing.T) {
	q := newQuarantined(t, 3)
	q.write(0, "SET k right")
	lead := q.leader()
	i, fit := (lead+1)%3, (lead+2)%3
	corrupt(t, q.nodes[i])
	q.wantQuarantined(i)
	others := []string{q.nodes[i].identity.NodeID, q.nodes[fit].identity.NodeID}
	if got := q.nodes[lead].furthest(others); got != others[1] {
		t.Errorf("leadership would go to %q, want %q", got, others[1])
	}
	q.stop(lead)
	if got := q.leader(); got != fit {
		t.Errorf("n%d leads, want n%d", got+1, fit+1)
	}
	q.wantRight(i)
	q.start(lead)
	q.wantMended(i)
}

// Where no state is a majority's all nodes say so, and go on.
func TestDisputed(t *testing.T) {
	q := newQuarantined(t, 2)
	q.write(0, "SET k right")
	corrupt(t, q.nodes[q.leader()])
	q.nextCheck(time.Time{})
	for i, n := range q.nodes {
		q.eventually(func() error {
			if s := n.Status(); !s.Disputed || s.Diverged {
				return fmt.Errorf("n%d: %+v", i+1, s.Consistency)
			}
			return nil
		})
		if err := n.Ready(); err != nil {
			t.Errorf("n%d: %v", i+1, err)
		}
	}
}

func TestMajority(t *testing.T) {
	for _, test := range []struct {
		voters   int
		sums     string // of the voters, then of the others
		others   string
		majority string
		differ   bool
	}{
		{3, "aaa", "", "a", false},
		{3, "aab", "", "a", true},
		{3, "bba", "a", "b", true},
		{3, "abc", "", "", true},
		{3, "aa", "", "a", false},
		{3, "ab", "aaa", "", true},
		{3, "a", "", "", false},
		{2, "ab", "", "", true},
		{4, "aabb", "a", "", true},
		{5, "aaabb", "", "a", true},
		{5, "aab", "", "", true},
		{1, "a", "b", "a", true},
	} {
		c := check{index: 7, voters: test.voters}
		for i, sum := range test.sums + test.others {
			c.reports = append(c.reports, report{fmt.Sprint("n", i), i < len(test.sums), string(sum)})
		}
		again, err := decodeCheck(c.encode())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%v: decoded as %v, %v", c, again, err)
		}
		if got := c.majority(); got != test.majority || c.differ() != test.differ {
			t.Errorf("%v: majority %q, differ %v", test, got, c.differ())
		}
	}
}
