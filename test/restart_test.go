package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// All nodes are killed at once under load and started again: every acknowledged write
// is there, deadlines are what they were, and keys whose time came meanwhile are gone.
func TestRestartOfAllNodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		flags    []string
		snapshot bool // taken under way, so that the log does not reach back
		wiped    bool // one node loses its disk
	}{
		{name: "wal"},
		{name: "bolt", flags: []string{"--log-store", "bolt"}},
		{name: "snapshot", flags: []string{"--trailing-logs", "16"}, snapshot: true},
		{name: "snapshot and an emptied disk", flags: []string{"--trailing-logs", "16"}, snapshot: true, wiped: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, test.flags...)
			load := letLoose(t, c, c.Addrs(), workload.Options{Clients: 4, Interval: time.Millisecond})
			first := setKeys(t, c.Nodes[0], "first")
			if test.snapshot {
				for _, n := range c.Nodes {
					if _, err := n.Do("SAVE"); err != nil {
						t.Fatal(err)
					}
					if len(n.Snapshots()) == 0 {
						t.Fatalf("%s has no snapshot", n.Name)
					}
				}
			}
			letWrite(t, load)
			second := setKeys(t, c.Nodes[1], "second")
			killAll(t, c, load)

			victim := c.Nodes[2]
			if test.wiped {
				if err := victim.Wipe(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Until(second.dead))
			for i := range c.Nodes { // in another order than the first time
				if err := c.Nodes[(i+1)%3].Start(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.WaitReady(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			wantKept(t, c, load, first, second)
			if test.wiped {
				wantReadmitted(t, c, victim)
			}
			if test.snapshot {
				if applied := appliedAtStart(c.Nodes[0]); applied == 0 {
					t.Errorf("%s did not start from its snapshot, but from entry %d", c.Nodes[0].Name, applied)
				}
			}
			agree(t, c)
		})
	}
}

// An emptied node counts for nothing before it was readmitted. Here it held the second
// copy of writes that the third node slept through; would it vote for that one, as it
// could in good faith, the writes were lost.
func TestEmptiedNodeDoesNotVote(t *testing.T) {
	t.Parallel()
	c := start(t, "--commit-timeout", "1s")
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	emptied, asleep := c.Others(leader)[0], c.Others(leader)[1]
	if err := asleep.Kill(); err != nil {
		t.Fatal(err)
	}
	load := letLoose(t, c, []string{leader.Addr, emptied.Addr}, workload.Options{Clients: 4, Interval: time.Millisecond})
	letWrite(t, load)
	keys := setKeys(t, leader, "awake")
	load.Down(leader.Addr)
	load.Down(emptied.Addr)
	for _, n := range []*harness.Node{leader, emptied} {
		n.Signal(syscall.SIGKILL)
	}
	leader.Wait(time.Second)
	emptied.Wait(time.Second)
	load.Stop()
	if err := emptied.Wipe(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*harness.Node{asleep, emptied} {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}

	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		for _, n := range []*harness.Node{asleep, emptied} {
			info, err := n.Info("raft")
			if err != nil {
				continue // it is only starting
			}
			if info["raft_role"] == "leader" || info["raft_leader_id"] != "" {
				t.Fatalf("%s is led by %q with the vote of an emptied node", n.Name, info["raft_leader_id"])
			}
		}
	}
	for _, n := range []*harness.Node{asleep, emptied} {
		if _, err := n.Do("SET", "k", "v"); err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN") {
			t.Errorf("SET at %s without a majority: %v", n.Name, err)
		}
	}

	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	wantKept(t, c, load, keys)
	wantReadmitted(t, c, emptied)
	agree(t, c)
}

// enoughWrites are what a load has to have written to show anything.
const enoughWrites = 100

// letWrite returns when a load has written enough from now on.
func letWrite(t *testing.T, load *workload.Load) {
	t.Helper()
	enough := load.Findings().Writes + enoughWrites
	for limit := time.Now().Add(30 * time.Second); load.Findings().Writes < enough; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("hardly anything is written")
		}
	}
}

// killAll kills all nodes at once, and ends the load.
func killAll(t *testing.T, c *harness.Cluster, load *workload.Load) {
	t.Helper()
	for _, n := range c.Nodes {
		load.Down(n.Addr)
	}
	for _, n := range c.Nodes {
		if err := n.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		if _, err := n.Wait(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	load.Stop()
}

// keys are some with deadlines, in pairs: one that lives and one that does not.
type keys struct {
	prefix    string
	deadlines []int64   // of those that live, in Unix ms
	dead      time.Time // when the others are
}

const keyPairs = 200

func setKeys(t *testing.T, n *harness.Node, prefix string) keys {
	t.Helper()
	conn, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sets, asks [][]string
	for i := range keyPairs {
		sets = append(sets,
			[]string{"SET", fmt.Sprintf("%s:lives:%d", prefix, i), "v", "EX", fmt.Sprint(1000 + i)},
			[]string{"SET", fmt.Sprintf("%s:dies:%d", prefix, i), "v", "PX", "1500"})
		asks = append(asks, []string{"PEXPIRETIME", fmt.Sprintf("%s:lives:%d", prefix, i)})
	}
	for _, reply := range pipeline(t, conn, sets) {
		if reply != "OK" {
			t.Fatalf("SET: %v", reply)
		}
	}
	k := keys{prefix: prefix, dead: time.Now().Add(1600 * time.Millisecond)}
	for _, reply := range pipeline(t, conn, asks) {
		k.deadlines = append(k.deadlines, reply.(int64))
	}
	return k
}

func pipeline(t *testing.T, conn *harness.Conn, commands [][]string) []any {
	t.Helper()
	replies, err := conn.Pipeline(commands...)
	if err != nil {
		t.Fatal(err)
	}
	return replies
}

// wantKept checks on every node that nothing is lost, and nothing back that has expired.
func wantKept(t *testing.T, c *harness.Cluster, load *workload.Load, sets ...keys) {
	t.Helper()
	var findings workload.Findings
	for _, n := range c.Nodes {
		var err error
		if findings, err = load.Verify(n.Addr); err != nil {
			t.Fatal(err)
		}
		conn, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, set := range sets {
			var asks [][]string
			for i := range keyPairs {
				asks = append(asks,
					[]string{"PEXPIRETIME", fmt.Sprintf("%s:lives:%d", set.prefix, i)},
					[]string{"EXISTS", fmt.Sprintf("%s:dies:%d", set.prefix, i)})
			}
			replies := pipeline(t, conn, asks)
			for i, want := range set.deadlines {
				if replies[2*i] != want {
					t.Fatalf("%s: the deadline of %s:lives:%d is %v, was %d", n.Name, set.prefix, i, replies[2*i], want)
				}
				if replies[2*i+1] != int64(0) {
					t.Fatalf("%s: %s:dies:%d is there after its deadline", n.Name, set.prefix, i)
				}
			}
		}
	}
	t.Log(findings)
	if findings.Bad() {
		t.Error("promises were broken")
	}
	if findings.Writes < enoughWrites {
		t.Error("too few writes to show anything")
	}
	// What is expired takes no room either. This count is each node's own.
	agree(t, c)
	for _, n := range c.Nodes {
		size, err := n.Do("DBSIZE")
		if err != nil {
			t.Fatal(err)
		}
		info, err := n.Info("keyspace")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("keys=%d,", size); !strings.HasPrefix(info["db0"], want) {
			t.Errorf("%s holds %s in memory, want %s", n.Name, info["db0"], want)
		}
	}
}

// wantReadmitted checks in the logs that a node whose disk was emptied first lost its
// vote, then came in without one, and got it back only after that.
func wantReadmitted(t *testing.T, c *harness.Cluster, emptied *harness.Node) {
	t.Helper()
	story := []string{"a voter has come back without its data", "node admitted as a non-voter", "membership: promote"}
	var at time.Time
	for _, message := range story {
		next := logged(c, message, emptied.Name, at)
		if next.IsZero() {
			t.Errorf("nobody logged %q of %s after %v", message, emptied.Name, at)
		}
		at = next
	}
	for _, n := range c.Nodes {
		if info, err := n.Info("raft"); err != nil || info["raft_voters"] != "3" {
			t.Errorf("%s sees %s voters, %v", n.Name, info["raft_voters"], err)
		}
	}
}

// appliedAtStart is the entry that a node had come to when it last started.
func appliedAtStart(n *harness.Node) (applied int) {
	for line := range strings.Lines(n.Log()) {
		var record struct {
			Msg     string
			Applied int
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "started" {
			applied = record.Applied
		}
	}
	return applied
}

// logged is when, after some time, any node first logged a message about a node.
func logged(c *harness.Cluster, message, about string, after time.Time) (first time.Time) {
	for _, n := range c.Nodes {
		for line := range strings.Lines(n.Log()) {
			var record struct {
				Time time.Time
				Msg  string
				Node string // the last of that name is whom the message is about
			}
			if json.Unmarshal([]byte(line), &record) != nil || !strings.HasPrefix(record.Msg, message) || record.Node != about {
				continue
			}
			if record.Time.After(after) && (first.IsZero() || record.Time.Before(first)) {
				first = record.Time
			}
		}
	}
	return first
}
