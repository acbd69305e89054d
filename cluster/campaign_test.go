package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// Raft obeys TimeoutNow in any state. So nobody is told to stand who leads or knows another
// leader than the one that is gone, who is no voter, whose term is over, or who has stood in
// it already.
func TestWhoMayStand(t *testing.T) {
	c, network := newNetworkedCluster(t, patience)
	c.lead(2)
	c.level()
	n1, n3 := c.nodes[0], c.nodes[2]
	term := n3.raft().CurrentTerm()
	refused := func(why string, n *Node, dead string, of uint64) {
		t.Helper()
		n.campaign(dead, of)
		if state, now := n.raft().State(), n.raft().CurrentTerm(); state == raft.Candidate || now != term {
			t.Fatalf("%s stands: it is %v in term %d, it was term %d", why, state, now, term)
		}
	}
	refused("a leader", n3, "n2", term)
	refused("a node that knows another leader", n1, "n2", term)
	refused("a node for a term that is over", n1, "n3", term-1)
	n1.campaigned.Store(term)
	refused("a node that has stood", n1, "n3", term)
	n1.campaigned.Store(0)

	network.slow(func(from, to string, kind byte) time.Duration {
		if kind == linkConn && from == "n3" && to == c.bus[0] {
			return -1 // the leader does not hear how far it is, so that it stays a non-voter
		}
		return 0
	})
	if err := n3.raft().DemoteVoter("n1", 0, patience).Error(); err != nil {
		t.Fatal(err)
	}
	c.eventually(func() error {
		if n1.isVoter(n1.raft()) {
			return errors.New("n1 is a voter")
		}
		return nil
	})
	refused("a non-voter", n1, "n3", term)
	c.write(1, "SET k v")
	if got := n3.raft().CurrentTerm(); got != term || c.leader() != 2 {
		t.Errorf("n%d leads in term %d, n3 did in term %d", c.leader()+1, got, term)
	}
}
