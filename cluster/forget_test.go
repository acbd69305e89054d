package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A node that does not run is taken out of the cluster, after which one of three suffices
// with another. It is refused with what it had on disk, and comes back with an empty one.
func TestForget(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.lead(0)
	c.write(0, "SET k v")
	ctx := context.Background()
	for id, want := range map[string]string{"n2": "I tried hard", "n3": `node "n3" runs`, "n1": `node "n1" leads`} {
		if err := c.nodes[1].Forget(ctx, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("n2 forgets %s: %v, want %q", id, err, want)
		}
	}
	c.stop(2)
	c.eventually(func() error { return c.nodes[1].Forget(ctx, "n3") })
	for _, n := range c.nodes[:2] {
		c.eventually(func() error {
			if s := n.Status(); s.Voters != 2 || len(s.Members) != 2 {
				return fmt.Errorf("%d voters, members %v", s.Voters, s.Members)
			}
			return nil
		})
	}
	if err := c.nodes[1].Forget(ctx, "n3"); err != nil {
		t.Errorf("forgotten twice: %v", err)
	}
	c.write(1, "SET k w")

	c.start(2)
	c.eventually(func() error {
		select {
		case <-c.nodes[2].Done():
			return nil
		default:
			return errors.New("a forgotten node runs on")
		}
	})
	if err := c.nodes[2].Err(); err == nil || !strings.Contains(err.Error(), "empty its directory") {
		t.Errorf("a forgotten node has ended with %v", err)
	}
	c.nodes[2] = nil
	if err := DefaultConfig().Disk.RemoveAll(c.config(2).Dir); err != nil {
		t.Fatal(err)
	}
	c.start(2)
	c.ready()
	if got := c.read(2, "GET k"); !strings.Contains(got, "w") {
		t.Errorf("it has %q", got)
	}
	c.same()
}

// A leader that could not write a change of members must not go by it.
func TestUnwrittenChange(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	n, voter := c.nodes[lead], raft.ServerID(c.config((lead+1)%3).ID)
	n.disk.filled(syscall.ENOSPC)
	n.disk.allow(0)
	if err := n.change(n.raft().DemoteVoter(voter, 0, configTimeout)); err == nil {
		t.Fatal("a full disk has taken an entry")
	}
	select {
	case <-n.Done():
		c.stop(lead)
		c.start(lead)
		c.ready()
	case <-time.After(5 * time.Second):
		t.Error("the node runs on")
	}
	if server, _ := c.nodes[lead].server(c.nodes[lead].raft(), voter); server.Suffrage != raft.Voter {
		t.Errorf("for this node alone %s is a %v", voter, server.Suffrage)
	}
}
