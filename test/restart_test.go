package test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// killAll pulls every plug at once.
func killAll(t *testing.T, c *harness.Cluster) {
	t.Helper()
	killed := make(chan error, len(c.Nodes))
	for _, n := range c.Nodes {
		go func() { killed <- n.Kill() }()
	}
	for range c.Nodes {
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
	}
}

// deadlines returns PEXPIRETIME of some keys at a node.
func deadlines(t *testing.T, n *harness.Node, keys int) (times []any) {
	t.Helper()
	conn, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for k := range keys {
		times = append(times, do(t, conn, "PEXPIRETIME", fmt.Sprint("timed:", k)))
	}
	return times
}

// All nodes are killed at once under load and started again: every acknowledged write is
// there, deadlines are what they were, and what expired meanwhile is gone. The same from
// a snapshot and a truncated log, in either format of the log.
func TestKillAll(t *testing.T) {
	for _, test := range []struct {
		name     string
		flags    []string
		snapshot bool
	}{
		{"from the log", nil, false},
		{"from a snapshot and the log", []string{"--trailing-logs", "10"}, true},
		{"from bolt", []string{"--log-store", "bolt", "--trailing-logs", "10"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := start(t, test.flags...)
			const timed = 20
			for k := range timed {
				if _, err := c.Nodes[k%3].Do("SET", fmt.Sprint("timed:", k), "v", "EX", fmt.Sprint(1000+k)); err != nil {
					t.Fatal(err)
				}
			}
			before := deadlines(t, c.Nodes[0], timed)
			load := workload.Start(c.Addrs(), workload.Options{Clients: 4})
			time.Sleep(time.Second)
			if test.snapshot {
				for _, n := range c.Nodes {
					if _, err := n.Do("SAVE"); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(500 * time.Millisecond)
			}
			if _, err := c.Nodes[1].Do("SET", "brief", "v", "PX", "700"); err != nil {
				t.Fatal(err)
			}
			for _, n := range c.Nodes {
				load.Down(n.Addr)
			}
			killAll(t, c)
			time.Sleep(700 * time.Millisecond) // brief's time is up while nobody is there
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			for _, n := range c.Nodes {
				load.Up(n.Addr)
			}
			time.Sleep(500 * time.Millisecond)
			load.Stop()
			for _, n := range c.Nodes {
				findings, err := load.Verify(n.Addr)
				if err != nil {
					t.Fatal(err)
				}
				if findings.Bad() || findings.Writes < 100 {
					t.Fatalf("at %s: %v", n.Name, findings)
				}
				if reply, err := n.Do("EXISTS", "brief"); err != nil || reply != int64(0) {
					t.Errorf("%s: a key that expired meanwhile: %v, %v", n.Name, reply, err)
				}
				if after := deadlines(t, n, timed); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("%s: deadlines %v, were %v", n.Name, after, before)
				}
			}
			if test.snapshot {
				for _, n := range c.Nodes {
					if index, err := n.Index("raft_last_snapshot_index"); err != nil || index == 0 {
						t.Errorf("%s has no snapshot: %v", n.Name, err)
					}
				}
			}
			agree(t, c)
		})
	}
}

// A member comes back with an emptied disk. It has forgotten its votes and entries, so it
// gets no vote before it has caught up; nothing acknowledged is lost, although the member
// whose copy it has to make up for is killed at the same time.
func TestEmptiedDisk(t *testing.T) {
	c := start(t)
	load := workload.Start(c.Addrs(), workload.Options{Clients: 2, Interval: time.Millisecond})
	time.Sleep(500 * time.Millisecond)
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	emptied, other := c.Others(leader)[0], c.Others(leader)[1]

	// With a majority: admitted as a non-voter, caught up, a voter again.
	load.Down(emptied.Addr)
	if err := emptied.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := emptied.Wipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	load.Up(emptied.Addr)
	voters := func() uint64 {
		n, err := leader.Index("raft_voters")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(20 * time.Second); voters() != 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d voters", voters())
		}
	}

	// Without: everything is on the leader and the other one. The leader dies, and the one
	// with the emptied disk must not help the other to a majority.
	for _, n := range []*harness.Node{emptied, leader} {
		load.Down(n.Addr)
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := emptied.Wipe(); err != nil {
		t.Fatal(err)
	}
	if err := emptied.Start(); err != nil {
		t.Fatal(err)
	}
	load.Down(other.Addr)
	time.Sleep(3 * time.Second)
	info, err := other.Info("raft")
	if err != nil {
		t.Fatal(err)
	}
	if info["raft_role"] == "leader" || emptied.Ready() == nil {
		t.Fatalf("a node without its data has voted: %v", info)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		load.Up(n.Addr)
	}
	time.Sleep(300 * time.Millisecond)
	load.Stop()
	findings, err := load.Verify(emptied.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if findings.Bad() {
		t.Fatal(findings)
	}
	agree(t, c)
}

// What is set up wrongly is refused with a sentence that says what to do.
func TestRefusedNodes(t *testing.T) {
	c := start(t)
	other := start(t)
	for _, test := range []struct {
		name string
		make func() *harness.Node
		want string
	}{
		{"a directory of another node", func() *harness.Node {
			n := c.Nodes[0]
			if err := n.Kill(); err != nil {
				t.Fatal(err)
			}
			return n.With("--id", "n9")
		}, "belongs to node"},
		{"the peers of another cluster", func() *harness.Node {
			return c.Nodes[0].With("--join", other.Nodes[0].Bus+","+other.Nodes[1].Bus)
		}, "check --join"},
		{"an id that is taken", func() *harness.Node {
			n := c.Nodes[0].With("--id", "n2", "--dir", t.TempDir())
			return n
		}, "give each its own --id"},
	} {
		n := test.make()
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		status, err := n.Wait(20 * time.Second)
		if err != nil || status != 1 {
			t.Errorf("%s: status %d, %v", test.name, status, err)
			n.Kill()
		}
		if log := n.Log(); !strings.Contains(log, test.want) {
			t.Errorf("%s: want %q in\n%s", test.name, test.want, log)
		}
		os.Remove(n.LogFile())
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	agree(t, c)
}
