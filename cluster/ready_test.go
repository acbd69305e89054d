package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A node that has come back with nothing is ready once it is a voter again, and not already when
// the snapshot that it got knows it as one: whoever waits for it stops the next one then.
func TestReadyWhenEmptied(t *testing.T) {
	c, network := newNetworkedCluster(t, patience, func(config *Config) {
		config.TrailingLogs, config.LogStore = 1, "bolt" // it forgets entries at once
	})
	c.lead(2)
	for k := range 20 {
		c.write(2, fmt.Sprintf("SET k%d v", k))
	}
	if err := c.nodes[2].Save(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.stop(0)
	if err := os.RemoveAll(c.config(0).Dir); err != nil {
		t.Fatal(err)
	}
	network.slow(func(from, to string, kind byte) time.Duration {
		if from == "n3" && to == c.bus[0] && kind == raftConn {
			return 100 * time.Millisecond // between the snapshot and what comes after it
		}
		return 0
	})
	c.start(0)
	c.eventually(c.nodes[0].Ready)
	server, known := c.nodes[2].server(c.nodes[2].raft(), "n1")
	if !known || server.Suffrage != raft.Voter {
		t.Errorf("n1 is ready and no voter: %+v", server)
	}
}
