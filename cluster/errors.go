package cluster

import "fmt"

// Error says what became of a request that has no reply. Its code reaches the client.
type Error struct{ code, text string }

func (e *Error) Code() string  { return e.code }
func (e *Error) Error() string { return e.text }

var (
	// ErrNoLeader: the request did not run, and may be sent again.
	ErrNoLeader = &Error{"CLUSTERDOWN", "no leader: a majority of the nodes is not reachable; the command did not run"}

	// ErrNotFormed: the same, in a cluster that has never been complete.
	ErrNotFormed = &Error{"CLUSTERDOWN", "the cluster is still forming; the command did not run"}

	// ErrDiskFull: so many disks are full that no majority can store it.
	ErrDiskFull = &Error{"CLUSTERDOWN", "too many disks are full: no majority of the nodes has room; the command did not run"}

	// ErrUncertain: the request may or may not have run, now or later. Only the
	// client knows whether it is safe to send again.
	ErrUncertain = &Error{"UNCERTAIN", "the outcome was not known in time: the command may or may not have been applied"}

	// errDiverged: the same, of what this node could only answer from its own state.
	errDiverged = &Error{"CLUSTERDOWN", "this node is quarantined: its keyspace differs from that of the other nodes; ask one of them"}

	// ErrClosed: the node is shutting down and the request did not run.
	ErrClosed = &Error{"CLUSTERDOWN", "this node is shutting down; the command did not run"}
)

// errTooLarge answers a group that no log entry can hold; it did not run.
func errTooLarge(bytes int) error {
	return &Error{"ERR", fmt.Sprintf("request of %d bytes exceeds the %d bytes that one log entry can hold", bytes, maxRequestBytes)}
}

// errNotLeader is what a node answers another that takes it for the leader. It never
// reaches a client: the request is sent again, under its id, to whoever leads.
var errNotLeader = &Error{"NOTLEADER", "this node does not lead"}
