package test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
)

// lay makes a cluster of which nothing runs yet.
func lay(t *testing.T, nodes int) *harness.Cluster {
	t.Helper()
	c, err := harness.New(harness.Config{Binary: binary, Dir: t.TempDir(), Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, c)
	return c
}

// A cluster forms once, whoever comes first and however late the others are, and comes
// together again in any order.
func TestFormationInAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	c := lay(t, 3)
	clusterID := ""
	for round := range 4 {
		for i, k := range dice.Perm(3) {
			if i > 0 {
				time.Sleep(time.Duration(dice.IntN(1500)) * time.Millisecond)
			}
			if err := c.Nodes[k].Start(); err != nil {
				t.Fatal(err)
			}
			if round == 0 && i == 1 { // two of three do not begin without the third
				time.Sleep(time.Second)
				if err := c.Nodes[k].Ready(); err == nil || !strings.Contains(err.Error(), "waiting for new nodes") {
					t.Errorf("with two of three nodes: %v", err)
				}
			}
		}
		if err := c.WaitReady(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		conn, err := c.Nodes[0].Dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, conn, "INCR", "rounds"); got != int64(round+1) {
			t.Errorf("round %d: the counter is %v", round, got)
		}
		conn.Close()
		agree(t, c)
		for _, n := range c.Nodes {
			info, err := n.Info("raft")
			if err != nil || info["raft_voters"] != "3" {
				t.Errorf("%s sees %s voters, %v", n.Name, info["raft_voters"], err)
			}
			id := identity(t, n)
			if clusterID == "" {
				clusterID = id
			}
			if id != clusterID {
				t.Errorf("%s is in cluster %s, not in %s", n.Name, id, clusterID)
			}
		}
		for _, n := range c.Nodes {
			if round%2 == 0 {
				err = n.Kill()
			} else {
				err = n.Stop()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// identity is the cluster that a node's directory belongs to.
func identity(t *testing.T, n *harness.Node) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.Dir, "node.json"))
	if err != nil {
		t.Fatal(err)
	}
	var id struct {
		ClusterID string `json:"cluster_id"`
	}
	if err := json.Unmarshal(data, &id); err != nil {
		t.Fatal(err)
	}
	return id.ClusterID
}

// A node whose settings are wrong ends with a sentence that says what to do, and does
// no harm to those that run.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c, other := lay(t, 3), lay(t, 1)
	for _, c := range []*harness.Cluster{c, other} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	// A newcomer has ports and a directory of its own, and the flags of the second node.
	newcomer := func(flags ...string) *harness.Node {
		n := c.Add("newcomer", 4)
		c.Nodes = c.Nodes[:3] // it is not to be waited for
		return c.Nodes[1].With(slices.Concat([]string{"--dir", n.Dir, "--listen", n.Addr, "--bus", n.Bus, "--http", n.HTTP}, flags)...)
	}
	wantRefusal(t, newcomer(), `duplicate id`, `"n2"`, "give each its own --id (and --dir)")
	wantRefusal(t, newcomer("--dir", c.Nodes[0].Dir, "--id", "n1"), c.Nodes[0].Dir, "in use by another process", "--dir")
	wantRefusal(t, newcomer("--dir", t.TempDir(), "--id", "n5", "--join", c.Nodes[0].Bus+","+other.Nodes[0].Bus), "names nodes of two clusters", "name those of one")

	moved := c.Nodes[2]
	if err := moved.Stop(); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, moved.With("--id", "stranger"), moved.Dir, `belongs to node "n3"`, "--id n3")
	wantRefusal(t, moved.With("--log-store", "bolt"), `"wal"`, "start with --log-store wal")
	wantRefusal(t, moved.With("--join", other.Nodes[0].Bus), "other cluster", "check --join")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	agree(t, c)
}

// Addresses may change between two lives of a node, even of all of them at once, as long
// as somebody it knows is where it was.
func TestChangedAddress(t *testing.T) {
	t.Parallel()
	c := lay(t, 3)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Nodes[0].Do("SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	spare := []string{c.Add("spare", 4).Bus, c.Add("spare", 5).Bus}
	c.Nodes = c.Nodes[:3]
	for i, n := range []*harness.Node{leader, c.Others(leader)[0]} {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		n.Bus = spare[i]
		n.Flags = append(n.Flags, "--bus", n.Bus)
		if i == 1 { // where others dial it is not where it listens
			n.Flags = append(n.Flags, "--bus", strings.Replace(n.Bus, "127.0.0.1", "0.0.0.0", 1), "--advertise", n.Bus)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		agree(t, c)
	}
	// Both moved nodes can lead, so the others find them.
	for range 2 {
		leader, err := c.Leader()
		if err != nil {
			t.Fatal(err)
		}
		if err := leader.Stop(); err != nil {
			t.Fatal(err)
		}
		for _, n := range c.Others(leader) {
			if got, err := n.Do("GET", "k"); err != nil || got != "v" {
				t.Errorf("GET at %s: %v, %v", n.Name, got, err)
			}
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		reply, err := n.Do("CLUSTER", "NODES")
		if err != nil {
			t.Fatal(err)
		}
		for _, moved := range spare {
			_, port, _ := strings.Cut(moved, ":")
			if !strings.Contains(reply.(string), "@"+port) {
				t.Errorf("%s does not know of %s:\n%s", n.Name, moved, reply)
			}
		}
	}
	agree(t, c)
}
