package cluster

import (
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// Status is the state of the cluster as this node sees it.
type Status struct {
	NodeID        string
	ClusterID     string
	Role          string // "leader", "follower" or "candidate"
	LeaderID      string // "" while there is none
	Term          uint64
	CommitIndex   uint64
	AppliedIndex  uint64
	SnapshotIndex uint64 // the last entry in the newest snapshot
	Voters        int
	Members       []Member
	LastSave      time.Time
	Saving        bool
	LastSaveErr   error
	SaveBegan     time.Time     // the last snapshot, or the present one
	SaveTook      time.Duration // the last one
	Saves         int           // snapshots since the node started
	PendingWrites int
	DiskErr       error // why the node's disk does not let it lead, or nil
	Consistency
}

// Member is one node of the cluster.
type Member struct {
	ID        string
	Bus       string // host:port of the nodes' own traffic
	Client    string // host:port clients use; "" while unknown
	Voter     bool
	Leader    bool
	Self      bool
	Reachable bool
	Diverged  bool // its state differed from that of a majority at the last check

	// ClockSkew is how far its clock is from the median of the voters', ahead if it is
	// positive; ClockKnown is false while that is not known.
	ClockSkew  time.Duration
	ClockKnown bool
}

// Status asks nobody else and never waits.
func (n *Node) Status() Status {
	leader, _ := n.route.get()
	s := Status{
		NodeID: n.identity.NodeID, ClusterID: n.clusterID(), Role: "follower", LeaderID: leader,
		AppliedIndex: n.machine.Index(), PendingWrites: n.outbox.pending(), DiskErr: n.disk.unfit(),
	}
	n.snapshots.mu.Lock()
	s.SnapshotIndex, s.LastSave = n.snapshots.index, n.snapshots.last
	s.Saving, s.LastSaveErr = n.snapshots.saving, n.snapshots.lastErr
	s.SaveBegan, s.SaveTook, s.Saves = n.snapshots.began, n.snapshots.took, n.snapshots.saves
	n.snapshots.mu.Unlock()

	var strays map[string]bool
	s.Consistency, strays = n.quarantine.status()

	r := n.raft()
	if r == nil {
		return s
	}
	s.Role = strings.ToLower(r.State().String())
	s.Term, s.CommitIndex = r.CurrentTerm(), r.CommitIndex()
	future := r.GetConfiguration()
	if future.Error() != nil {
		return s
	}
	for _, server := range future.Configuration().Servers {
		id := string(server.ID)
		m := Member{ID: id, Bus: string(server.Address), Voter: server.Suffrage == raft.Voter, Leader: id == leader, Diverged: strays[id] || id == s.NodeID && s.Diverged}
		if m.Voter {
			s.Voters++
		}
		if id == s.NodeID {
			m.Self, m.Reachable, m.Client = true, true, n.client()
		} else if p := n.peers.get(id); p != nil {
			p.mu.Lock()
			m.Reachable, m.Client = p.link != nil, p.client
			p.mu.Unlock()
		}
		m.ClockSkew, _, m.ClockKnown = n.clocks.skew(id, s.NodeID)
		s.Members = append(s.Members, m)
	}
	return s
}
