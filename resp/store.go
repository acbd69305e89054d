package resp

import (
	"context"
	"time"

	"holdfast/fsm"
)

// Store is what a connection needs from the replicated keyspace. It is safe for
// concurrent use. The code of an error (a Code() string method somewhere in its chain)
// says what became of the requests: CLUSTERDOWN, they did not run; UNCERTAIN, nobody
// knows.
type Store interface {
	// Write replicates a group of requests, which stand together in one log entry, and
	// returns one reply to each, in order. It keeps no reference to the group after it
	// returns, but may read it until then.
	Write(ctx context.Context, group []fsm.Request) ([]fsm.Reply, error)

	// Read runs commands on one state that has every write acknowledged before the call.
	// It returns a reply to each; or, once they are as long as limit, in bytes, to the
	// first ones only, at least one.
	Read(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error)

	// ReadLocal is Read on this node's copy as it is: what READONLY asks for.
	ReadLocal(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error)

	// Wait returns how many other nodes hold every write acknowledged before the call,
	// as soon as that is at least replicas, or when ctx ends (with no error).
	Wait(ctx context.Context, replicas int) (int, error)

	// Save writes a snapshot to disk and returns when it is there.
	Save(ctx context.Context) error

	// Lead makes this node the cluster's leader, in place of another; its error says why not.
	Lead(ctx context.Context) error

	// Forget takes a member that does not run out of the cluster; its error says why not.
	Forget(ctx context.Context, id string) error

	// Settle returns when every node that can be reached has applied all writes that were
	// acknowledged before the call.
	Settle(ctx context.Context) error

	// Users are those that ACL SETUSER has made: another pointer after each change.
	Users() *fsm.Users

	// Broadcast hands a message to Server.Receive on every node, this one included, and
	// returns the answers of those that answered in time.
	Broadcast(ctx context.Context, message []byte) (answers [][]byte)

	// Snapshot freezes the keyspace on this node, with every write acknowledged before the
	// call; writes go on meanwhile. The caller releases it.
	Snapshot(ctx context.Context) (*fsm.Snapshot, error)

	// Digest is a hash of the whole keyspace, deadlines included, on this node.
	Digest(ctx context.Context) (string, error)

	// Setting is a value that CONFIG SET has replicated; false where it never did.
	Setting(name string) (string, bool)

	// Status is the state of the cluster as this node sees it.
	Status() Status
}

// Status is the state of the cluster as one node sees it, for INFO, ROLE and CLUSTER.
type Status struct {
	NodeID        string // as configured: "n1"
	ClusterID     string
	Role          string // "leader", "follower", "candidate"
	LeaderID      string // "" while there is none
	Term          uint64
	CommitIndex   uint64
	AppliedIndex  uint64
	SnapshotIndex uint64 // the last entry in the newest snapshot; 0 without one
	Voters        int
	Members       []Member
	LastSave      time.Time // of the newest snapshot; zero without one
	Saving        bool      // a snapshot is being written
	LastSaveErr   error     // why the last snapshot failed, or nil
	Keys          []KeyCount
	DiskErr       error         // the node's disk is full, or stands still; nil if not
	PendingWrites int           // requests waiting for an answer on this node
	SaveBegan     time.Time     // the last snapshot, or the present one; zero without one
	SaveTook      time.Duration // the last one
	Saves         int           // snapshots since the node started
	Counts        fsm.Counts
	Checked       uint64    // the log index at which the nodes' states were last compared; 0 without one
	Agreed        time.Time // when a majority last had this node's state; zero without one
	Diverged      bool      // this node's state is another: it is quarantined
	Disputed      bool      // states differ, and none is a majority's
}

// Member is one node of the cluster.
type Member struct {
	ID        string
	Bus       string // host:port of the nodes' own traffic
	Client    string // host:port clients use; "" while unknown
	Voter     bool
	Leader    bool
	Self      bool
	Reachable bool // its link answers
	Diverged  bool // its state is not that of a majority

	ClockSkew  time.Duration // of its clock from the median of the voters'; positive: ahead
	ClockKnown bool          // ClockSkew is
}

// KeyCount counts the keys of one database; databases without keys are left out.
type KeyCount struct {
	DB, Keys, Expires int
	MeanTTL           time.Duration // estimated, of those that expire
}
