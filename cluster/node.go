package cluster

import (
	"context"
	"time"

	"holdfast/fsm"
)

// Node is one process of a cluster: its copy of the keyspace and its part in
// replicating it.
type Node struct{}

// Open starts a node and returns when it has loaded what is on its disk and serves
// its bus; it may not have found the others yet. ctx bounds the start.
func Open(ctx context.Context, config Config) (*Node, error) { panic("skeleton") }

// Ready reports why the node cannot serve yet (no leader, not caught up), nil when it
// can.
func (n *Node) Ready() error { panic("skeleton") }

// Done is closed when the node has ended by itself; Err then says why, in a sentence
// for the operator.
func (n *Node) Done() <-chan struct{} { panic("skeleton") }
func (n *Node) Err() error            { panic("skeleton") }

func (n *Node) Write(ctx context.Context, group []fsm.Request) ([]fsm.Reply, error) {
	panic("skeleton")
}
func (n *Node) Read(ctx context.Context, calls []fsm.Call) ([]fsm.Reply, error) { panic("skeleton") }
func (n *Node) ReadLocal(ctx context.Context, calls []fsm.Call) ([]fsm.Reply, error) {
	panic("skeleton")
}
func (n *Node) Wait(ctx context.Context, replicas int) (int, error) { panic("skeleton") }
func (n *Node) Save(ctx context.Context) error                      { panic("skeleton") }
func (n *Node) Digest(ctx context.Context) (string, error)          { panic("skeleton") }
func (n *Node) Setting(name string) (string, bool)                  { panic("skeleton") }
func (n *Node) Status() Status                                      { panic("skeleton") }

// TransferLeadership hands leadership to the most caught-up voter, if this node has
// it. Requests wait meanwhile.
func (n *Node) TransferLeadership(ctx context.Context) error { panic("skeleton") }

// Close moves leadership away, answers what is pending and stops.
func (n *Node) Close() error { panic("skeleton") }

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
	PendingWrites int
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
	Applied   uint64 // the last entry it said it has applied
}

// Keys counts the keys of a database, and those of them that have a deadline.
func (n *Node) Keys(db int) (keys, expires int) { panic("skeleton") }

// Expired counts the keys reaped since the node started.
func (n *Node) Expired() uint64 { panic("skeleton") }
