package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// testCluster is a cluster of nodes in one process, each with its own directory, on
// TCP ports of the loopback interface.
type testCluster struct {
	t     testing.TB
	dir   string
	bus   []string
	nodes []*Node // nil while a node is down
	alter func(*Config)
}

func newCluster(t testing.TB, size int, alter func(*Config)) *testCluster {
	t.Helper()
	c := &testCluster{t: t, dir: t.TempDir(), nodes: make([]*Node, size), alter: alter}
	for range size {
		c.bus = append(c.bus, freeAddress(t))
	}
	for i := range c.nodes {
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	c.ready()
	return c
}

// Test clusters get these ports one after the other, from anywhere on: tests of several
// checkouts may run at a time. They are below those that the kernel gives to whoever asks
// for none, and not those of package harness, so that a port is still free when a node
// comes back to it.
const firstPort, ports = 23000, 8000

var portsBefore, portsGiven = rand.Int64N(ports), new(atomic.Int64)

func freeAddress(t testing.TB) string {
	t.Helper()
	for range ports {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+(portsBefore+portsGiven.Add(1))%ports)
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatalf("no free port from %d to %d", firstPort, firstPort+ports-1)
	return ""
}

func (c *testCluster) config(i int) Config {
	config := DefaultConfig()
	config.ID = fmt.Sprintf("n%d", i+1)
	config.Dir = filepath.Join(c.dir, config.ID)
	config.Bus = c.bus[i]
	if len(c.bus) > 1 {
		config.Join = c.bus
		config.BootstrapExpect = len(c.bus)
	}
	config.Logger = slog.New(slog.NewTextHandler(testLog(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if c.alter != nil {
		c.alter(&config)
	}
	return config
}

// testLog is where nodes log: nowhere, unless HOLDFAST_TEST_LOG is set.
func testLog() io.Writer {
	if os.Getenv("HOLDFAST_TEST_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}

func (c *testCluster) start(i int) {
	c.t.Helper()
	n, err := Open(context.Background(), c.config(i))
	if err != nil {
		c.t.Fatalf("open n%d: %v", i+1, err)
	}
	c.nodes[i] = n
}

func (c *testCluster) stop(i int) {
	if c.nodes[i] != nil {
		c.nodes[i].Close()
		c.nodes[i] = nil
	}
}

// ready waits until every running node is.
func (c *testCluster) ready() {
	c.t.Helper()
	for i, n := range c.nodes {
		if n == nil {
			continue
		}
		c.eventually(func() error {
			if err := n.Ready(); err != nil {
				return fmt.Errorf("n%d: %w", i+1, err)
			}
			return nil
		})
	}
}

func (c *testCluster) eventually(f func() error) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leader returns the index of the node that leads.
func (c *testCluster) leader() (leader int) {
	c.t.Helper()
	c.eventually(func() error {
		for i, n := range c.nodes {
			if n != nil && n.route.leading() {
				leader = i
				return nil
			}
		}
		return fmt.Errorf("no leader")
	})
	return leader
}

func call(line string) fsm.Call {
	var args [][]byte
	for _, word := range strings.Fields(line) {
		args = append(args, []byte(word))
	}
	return fsm.Call{Args: args}
}

func (c *testCluster) write(i int, line string) string {
	c.t.Helper()
	replies, err := c.nodes[i].Write(context.Background(), []fsm.Request{{Calls: []fsm.Call{call(line)}}})
	if err != nil {
		c.t.Fatalf("%s at n%d: %v", line, i+1, err)
	}
	return string(replies[0])
}

func (c *testCluster) read(i int, line string) string {
	c.t.Helper()
	replies, err := c.nodes[i].Read(context.Background(), []fsm.Call{call(line)}, 1)
	if err != nil {
		c.t.Fatalf("%s at n%d: %v", line, i+1, err)
	}
	return string(replies[0])
}

// same checks that all nodes have the same keyspace.
func (c *testCluster) same() {
	c.t.Helper()
	digests := map[string][]string{}
	for i, n := range c.nodes {
		if n == nil {
			continue
		}
		digest, err := n.Digest(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		digests[digest] = append(digests[digest], strconv.Itoa(i+1))
	}
	if len(digests) != 1 {
		c.t.Fatalf("nodes differ: %v", digests)
	}
}

// hold waits until every node has so many keys, in database 0.
func (c *testCluster) hold(keys int) {
	c.t.Helper()
	c.eventually(func() error {
		for i, n := range c.nodes {
			if got, _ := n.Keys(0); got != keys {
				return fmt.Errorf("n%d has %d keys, want %d", i+1, got, keys)
			}
		}
		return nil
	})
}

func TestWriteAnywhereReadEverywhere(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"wal", "bolt"} {
		t.Run(store, func(t *testing.T) {
			c := newCluster(t, 3, func(config *Config) { config.LogStore = store })
			for round := range 100 {
				value := fmt.Sprint(round)
				if got := c.write(round%3, "SET k "+value); got != string(fsm.OK) {
					t.Fatalf("SET: %q", got)
				}
				for i := range c.nodes {
					if got := c.read(i, "GET k"); got != string(fsm.BulkString(value)) {
						t.Fatalf("round %d: GET at n%d: %q", round, i+1, got)
					}
				}
			}
			c.same()
		})
	}
}

// Of reads with long replies only the first are made, wherever they are made.
func TestReadLimit(t *testing.T) {
	c := newCluster(t, 3, nil)
	calls := []fsm.Call{call("GET k"), call("GET k"), call("GET k")}
	for i, n := range c.nodes {
		c.write(c.leader(), "SET k 0123456789") // followers may not have it yet: then the leader reads
		for limit, want := range map[int]int{1: 1, 20: 2, 1000: 3} {
			replies, err := n.Read(context.Background(), calls, limit)
			if err != nil || len(replies) != want {
				t.Errorf("n%d: %d replies with the limit %d, want %d (%v)", i+1, len(replies), limit, want, err)
			}
		}
	}
}

func TestOneNode(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.write(0, "SET k v")
	c.stop(0)
	c.start(0)
	c.ready()
	if got := c.read(0, "GET k"); got != string(fsm.BulkString("v")) {
		t.Fatalf("after a restart: %q", got)
	}
}

// Counters are exact through changes of leader, although every request that was on
// its way is sent again.
func TestCountersThroughLeaderChanges(t *testing.T) {
	c := newCluster(t, 3, nil)
	const clients, rounds = 8, 6
	stop := make(chan struct{})
	counts := make([]int, clients)
	var all atomic.Int64
	var wg sync.WaitGroup
	for client := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := c.nodes[client%3]
			line := call(fmt.Sprintf("INCR counter%d", client))
			for {
				select {
				case <-stop:
					return
				default:
				}
				replies, err := n.Write(context.Background(), []fsm.Request{{Calls: []fsm.Call{line}}})
				if err != nil {
					t.Errorf("client %d: %v", client, err)
					return
				}
				counts[client]++
				all.Add(1)
				if want := string(fsm.Int(int64(counts[client]))); string(replies[0]) != want {
					t.Errorf("client %d: got %q, want %q", client, replies[0], want)
					return
				}
			}
		}()
	}
	for range rounds {
		enough := all.Load() + 100
		c.eventually(func() error {
			if now := all.Load(); now < enough && !t.Failed() {
				return fmt.Errorf("%d writes, want %d", now, enough)
			}
			return nil
		})
		if err := c.nodes[c.leader()].TransferLeadership(context.Background()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	c.same()
}

// An entry may be applied just after its leader has heard that it leads no longer. The
// requests in it that came from other nodes are answered all the same, once.
func TestAppliedAfterLeadershipWasLost(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	leader, follower := c.nodes[lead], (lead+1)%3
	c.write(follower, "SET k 1")

	hold := func(n *Node) (release func()) {
		n.applyMu.Lock()
		return sync.OnceFunc(n.applyMu.Unlock)
	}
	releaseLeader := hold(leader)
	defer releaseLeader()
	releaseFollower := hold(c.nodes[follower]) // it would answer when it has applied the entry itself
	defer releaseFollower()
	committed := leader.raft().CommitIndex()
	got := make(chan string, 1)
	go func() { got <- c.write(follower, "INCR k") }()
	commits := func(than uint64) {
		c.eventually(func() error {
			if now := leader.raft().CommitIndex(); now <= than && len(got) == 0 {
				return fmt.Errorf("entry %d is the last committed", now)
			}
			return nil
		})
	}
	commits(committed)
	leader.route.set("") // raft still leads, which the node finds out within 100 ms
	releaseLeader()
	for deadline := time.Now().Add(time.Second); leader.machine.Index() <= committed && time.Now().Before(deadline); {
		leader.route.set("") // should it have found out before it applies the entry
	}
	commits(committed + 1) // it is sent again
	releaseFollower()
	if got, want := <-got, string(fsm.Int(2)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := c.write(follower, "INCR k"), string(fsm.Int(3)); got != want {
		t.Errorf("then got %q, want %q", got, want)
	}
	c.same()
}

// A leader does not wait for ever to send to a follower whose answers nobody reads any
// more, as raft's pipelines do; a node that had led could not be stopped.
func TestReplicationHasNoPipelines(t *testing.T) {
	c := newCluster(t, 2, nil)
	follower := c.nodes[1-c.leader()]
	p, err := c.nodes[c.leader()].transport.AppendEntriesPipeline(raft.ServerID(follower.identity.NodeID), raft.ServerAddress(follower.advertised()))
	if errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		for range 10 {
			p.AppendEntries(&raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{})
		}
		close(sent)
	}()
	select {
	case <-sent:
	case <-time.After(5 * time.Second):
		t.Error("a request waits for somebody to read the answers to others")
	}
}

// A key is there until its deadline and gone from then on, whichever node is asked.
func TestDeadlines(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.write(0, "SET short v PX 200")
	c.write(0, "SET long v EX 1000")
	var deadline int64
	if _, err := fmt.Sscanf(c.read(0, "PEXPIRETIME short"), ":%d", &deadline); err != nil {
		t.Fatal(err)
	}
	c.eventually(func() (left error) {
		for i := range c.nodes {
			begun := time.Now().UnixMilli()
			got := c.read(i, "GET short")
			ended := time.Now().UnixMilli()
			switch {
			case got == string(fsm.Nil) && ended < deadline:
				t.Fatalf("n%d: gone %d ms before the deadline", i+1, deadline-ended)
			case got != string(fsm.Nil) && begun >= deadline:
				t.Fatalf("n%d: GET short: %q, asked %d ms after the deadline", i+1, got, begun-deadline)
			case got != string(fsm.Nil):
				left = fmt.Errorf("n%d still has the key", i+1)
			}
		}
		return left
	})
	for i := range c.nodes {
		if got := c.read(i, "GET long"); got != string(fsm.BulkString("v")) {
			t.Errorf("n%d: GET long: %q", i+1, got)
		}
	}
	c.hold(1)
}

// Keys go when their time is up, whether somebody asks for them or not.
func TestReapUnasked(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.write(0, "SET short v PX 200")
	c.hold(0)
}

// A snapshot that a client asks for has every write acknowledged before, on a follower
// too, which learns of them a moment later than the leader.
func TestSaveHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	leader := c.leader()
	follower := c.nodes[(leader+1)%3]
	for i := range 10 {
		c.write(leader, fmt.Sprintf("SET k %d", i))
		acknowledged := c.nodes[leader].machine.Index()
		if err := follower.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if saved := follower.Status().SnapshotIndex; saved < acknowledged {
			t.Fatalf("the snapshot ends at entry %d, entry %d was acknowledged before", saved, acknowledged)
		}
	}
}

func TestRestartFromSnapshotAndLog(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(config *Config) { config.TrailingLogs = 10 })
	for k := range 50 {
		c.write(k%3, fmt.Sprintf("SET k%d v EX 1000", k))
	}
	for _, n := range c.nodes {
		if err := n.Save(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	c.write(0, "SET after snapshot")
	before := c.read(0, "PEXPIRETIME k7")
	for i := range c.nodes {
		c.stop(i)
	}
	for i := range c.nodes {
		c.start(i)
	}
	c.ready()
	c.same()
	if got := c.read(1, "PEXPIRETIME k7"); got != before {
		t.Errorf("deadline %q, was %q", got, before)
	}
	if got := c.read(2, "GET after"); got != string(fsm.BulkString("snapshot")) {
		t.Errorf("GET after: %q", got)
	}
}

func TestFollowerCatchesUpBySnapshot(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"wal", "bolt"} {
		t.Run(store, func(t *testing.T) { testCatchUp(t, store, false) })
		t.Run(store+", crash in between", func(t *testing.T) { testCatchUp(t, store, true) })
	}
}

// testCatchUp has a follower get a snapshot that reaches beyond its log, and starts it
// again. With crash it already has the snapshot when it comes back, and its old log.
func testCatchUp(t *testing.T, store string, crash bool) {
	c := newCluster(t, 3, func(config *Config) { config.TrailingLogs, config.LogStore = 1, store })
	away := (c.leader() + 1) % 3
	c.stop(away)
	here := c.leader()
	for k := range 100 {
		c.write(here, fmt.Sprintf("SET k%d v", k))
	}
	for _, n := range c.nodes {
		if n != nil {
			if err := n.Save(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if crash {
		snapshots := func(i int) string { return filepath.Join(c.config(i).Dir, raftDir, "snapshots") }
		if err := os.RemoveAll(snapshots(away)); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(snapshots(away), os.DirFS(snapshots(here))); err != nil {
			t.Fatal(err)
		}
	}
	c.write(here, "SET k v")
	for range 2 {
		c.start(away)
		c.ready()
		c.same()
		c.write(here, "INCR n")
		c.same()
		c.stop(away)
	}
	c.start(away)
	if first, _ := c.nodes[here].storage.log.FirstIndex(); first < 50 {
		t.Errorf("the log still begins at entry %d", first)
	}
}

// emptyFollower stops a follower and takes away all that is on its disk.
func (c *testCluster) emptyFollower() (lost int) {
	c.t.Helper()
	lost = (c.leader() + 1) % 3
	c.stop(lost)
	if err := os.RemoveAll(c.config(lost).Dir); err != nil {
		c.t.Fatal(err)
	}
	return lost
}

func TestEmptiedDiskComesBackAsNonVoter(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.write(0, "SET k v")
	lost := c.emptyFollower()
	leader := c.nodes[c.leader()]
	c.start(lost)
	c.ready()
	if _, ok := leader.admitted[c.config(lost).ID]; !ok {
		t.Error("the emptied node was not admitted anew")
	}
	c.same()
	if got := leader.Status().Voters; got != 3 {
		t.Errorf("%d voters", got)
	}
}

// A snapshot can be taken right after a change of members, and without any write since.
func TestSnapshotAfterChangeOfMembers(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.write(0, "SET k v")
	lost := c.emptyFollower()
	c.start(lost)
	for deadline := time.Now().Add(20 * time.Second); c.nodes[lost].Ready() != nil; {
		if time.Now().After(deadline) {
			t.Fatal(c.nodes[lost].Ready())
		}
		if err := c.nodes[c.leader()].Save(context.Background()); err != nil {
			t.Fatalf("while members change: %v", err)
		}
	}
	r := c.nodes[c.leader()].raft()
	if err := r.AddVoter(raft.ServerID(c.config(lost).ID), raft.ServerAddress(c.bus[lost]), 0, 0).Error(); err != nil {
		t.Fatal(err)
	}
	for i, n := range c.nodes {
		if err := n.Save(context.Background()); err != nil {
			t.Errorf("n%d: %v", i+1, err)
		}
	}
}

func TestWithoutMajority(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(config *Config) { config.CommitTimeout = 500 * time.Millisecond })
	c.write(0, "SET k v")
	c.stop(1)
	c.stop(2)
	n := c.nodes[0]
	c.eventually(func() error {
		if leader, _ := n.route.get(); leader != "" {
			return fmt.Errorf("still led by %s", leader)
		}
		return nil
	})
	if _, err := n.Write(context.Background(), []fsm.Request{{Calls: []fsm.Call{call("SET k w")}}}); err != ErrNoLeader {
		t.Errorf("write: %v", err)
	}
	if _, err := n.Read(context.Background(), []fsm.Call{call("GET k")}, 1); err != ErrNoLeader {
		t.Errorf("read: %v", err)
	}
	if replies, err := n.ReadLocal(context.Background(), []fsm.Call{call("GET k")}, 1); err != nil || string(replies[0]) != string(fsm.BulkString("v")) {
		t.Errorf("local read: %q, %v", replies, err)
	}
}

// A node that is not a member yet keeps nobody waiting for longer than any other.
func TestBeforeFormation(t *testing.T) {
	config := DefaultConfig()
	config.Dir, config.Bus, config.Join = t.TempDir(), "127.0.0.1:0", []string{"127.0.0.1:1"}
	config.CommitTimeout = 200 * time.Millisecond
	config.Logger = slog.New(slog.NewTextHandler(testLog(), nil))
	n, err := Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := n.Write(ctx, []fsm.Request{{Calls: []fsm.Call{call("SET k v")}}}); err != ErrNotFormed || ctx.Err() != nil {
		t.Errorf("write: %v (%v)", err, ctx.Err())
	}
	if _, err := n.Read(ctx, []fsm.Call{call("GET k")}, 1); err != ErrNotFormed || ctx.Err() != nil {
		t.Errorf("read: %v (%v)", err, ctx.Err())
	}
}

func TestRefusals(t *testing.T) {
	c := newCluster(t, 3, nil)
	other := newCluster(t, 1, nil)
	open := func(change func(*Config)) error {
		config := c.config(0)
		config.Dir, config.ID, config.Bus = filepath.Join(t.TempDir(), "n"), "n9", "127.0.0.1:0"
		change(&config)
		n, err := Open(context.Background(), config)
		if err != nil {
			return err
		}
		defer n.Close()
		select {
		case <-n.Done():
			return n.Err()
		case <-time.After(5 * time.Second):
			return nil
		}
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"directory in use", func(config *Config) { config.Dir = c.config(0).Dir; config.ID = "n1" }, "in use by another process"},
		{"duplicate id", func(config *Config) { config.ID = "n2" }, "duplicate id"},
		{"two clusters", func(config *Config) { config.Join = []string{c.bus[0], other.bus[0]} }, "two clusters"},
	} {
		if err := open(test.change); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}

	c.stop(0)
	foreign := c.config(0)
	if err := open(func(config *Config) { config.Dir = foreign.Dir; config.ID = "other" }); err == nil || !strings.Contains(err.Error(), "belongs to node") {
		t.Errorf("foreign directory: %v", err)
	}
	if err := open(func(config *Config) { config.Dir = foreign.Dir; config.ID = "n1"; config.LogStore = "bolt" }); err == nil || !strings.Contains(err.Error(), "--log-store wal") {
		t.Errorf("other log store: %v", err)
	}
	if err := open(func(config *Config) {
		config.Dir, config.ID, config.Join = foreign.Dir, "n1", []string{other.bus[0]}
	}); err == nil || !strings.Contains(err.Error(), "belongs to cluster") {
		t.Errorf("other cluster: %v", err)
	}
}

// A node that has been closed looks for nobody any more.
func TestNoPeersAfterClose(t *testing.T) {
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	c.stop(0)
	n.peers.add("n2", c.bus[0])
	if left := n.peers.all(); len(left) > 0 {
		t.Errorf("it keeps a link to %s", left[0].id)
	}
}
