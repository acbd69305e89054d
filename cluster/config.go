package cluster

import (
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"time"
)

// Config is how a node is told what to be. Every field has a default except where
// its comment says otherwise.
type Config struct {
	// ID names the node within its cluster, for ever: 1 to 64 letters, digits,
	// '.', '_' or '-'. Empty takes the id stored in Dir, or makes one up and stores it.
	ID string

	// Dir is where everything is kept that must survive a restart. Required.
	Dir string

	// Bus is the host:port that the other nodes connect to this one at. An empty host
	// listens on every address. Required.
	Bus string

	// Advertise is the host:port of the bus as the other nodes dial it; a name is
	// resolved at every dial. Empty takes the entry of Join that turns out to be this
	// node, else Bus, else the address of the interface that reaches the others.
	Advertise string

	// Client is the host:port that clients use, told to the other nodes for
	// CLUSTER NODES. Optional.
	Client string

	// Join lists bus addresses, host:port, of nodes of the cluster; this node's own
	// may be among them, and a name may resolve to several. Empty forms a cluster of
	// one at the first start.
	Join []string

	// BootstrapExpect is how many new nodes must see each other before they form a
	// cluster. Default 1 without Join, else 3; 1 to 9.
	BootstrapExpect int

	// LogStore is the log's format on disk: "wal" (raft-wal) or "bolt"
	// (raft-boltdb). Default "wal".
	LogStore string

	// CommitTimeout bounds the wait for the outcome of a write or for a current read.
	// Default 10 s; 100 ms to 10 min.
	CommitTimeout time.Duration

	// ElectionTimeout is how long a follower hears nothing from its leader before it
	// stands for election; the real wait is between one and two of it. Default
	// 500 ms; 50 ms to 1 min.
	ElectionTimeout time.Duration

	// MaxClockSkew is by how much a deadline may be early or late because of clocks that
	// are wrong. The time of the cluster is the leader's clock, but no further from the
	// median of the voters' clocks than half of this; a leader whose own clock is further
	// off hands over. Default 1 s; 20 ms to 1 h.
	MaxClockSkew time.Duration

	// SnapshotBytes is how many bytes of log entries are applied before a snapshot
	// is taken by itself, or the size of the last snapshot if that is more. Default
	// 64 MiB; at least 4 KiB.
	SnapshotBytes int64

	// TrailingLogs is how many entries are kept behind a snapshot, for followers that
	// were away for a moment. Default 4096; at least 0.
	TrailingLogs uint64

	// SnapshotRetain is how many snapshots are kept on disk. Default 2; at least 1.
	SnapshotRetain int

	// DigestInterval is how often the nodes compare their states. They do so less often
	// where hashing the state would take more than a hundredth of a core. Default 1 min;
	// 100 ms to 24 h, or 0 for never.
	DigestInterval time.Duration

	// MaxEntryBytes bounds the requests packed into one log entry; a single group of
	// requests may exceed it. Default 1 MiB; 4 KiB to 64 MiB.
	MaxEntryBytes int

	// MaxPendingBytes bounds the requests that wait for an answer on this node:
	// beyond it Write blocks. Default 256 MiB; at least MaxEntryBytes.
	MaxPendingBytes int64

	// UnsafeLocalReads answers reads without asking whether this node still leads.
	// It exists so that a test can show that the quorum round is what makes reads
	// linearizable.
	UnsafeLocalReads bool

	// Logger gets the node's log. Default slog.Default().
	Logger *slog.Logger

	// Listen opens the bus's listener, Dial connects to another node's, by name or by
	// what RemoteAddr says of an earlier connection. Default: TCP. They are how a whole
	// cluster runs on an in-memory network.
	Listen func(address string) (net.Listener, error)
	Dial   func(address string, timeout time.Duration) (net.Conn, error)

	// Disk is where the node keeps its files. Default: the operating system's.
	Disk Disk

	// SegmentBytes is the size of the WAL's files, each of which is reserved when it is
	// begun, so that a large one shows as a stall. Default 16 MiB; 64 KiB to 1 GiB.
	SegmentBytes int

	// Clock is the node's own clock in Unix milliseconds. Default: the system's.
	Clock func() int64

	// Restoring is called when a snapshot begins to be restored, and what it returns when that
	// has ended. Default: nothing happens.
	Restoring func() (ended func())
}

// DefaultConfig is complete except for Dir and Bus.
func DefaultConfig() Config {
	return Config{
		LogStore:        "wal",
		CommitTimeout:   10 * time.Second,
		ElectionTimeout: 500 * time.Millisecond,
		MaxClockSkew:    time.Second,
		SnapshotBytes:   64 << 20,
		TrailingLogs:    4096,
		SnapshotRetain:  2,
		DigestInterval:  time.Minute,
		MaxEntryBytes:   1 << 20,
		MaxPendingBytes: 256 << 20,
		Logger:          slog.Default(),
		Listen:          func(address string) (net.Listener, error) { return net.Listen("tcp", address) },
		Dial: func(address string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", address, timeout)
		},
		Disk:         systemDisk{},
		SegmentBytes: 16 << 20,
		Clock:        func() int64 { return time.Now().UnixMilli() },
		Restoring:    func() func() { return func() {} },
	}
}

var validID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate reports the first field that is out of range, by its name and value, and
// fills in the default of BootstrapExpect.
func (c *Config) Validate() error {
	if c.ID != "" && !validID.MatchString(c.ID) {
		return fmt.Errorf("id %q: want 1 to 64 letters, digits, '.', '_' or '-'", c.ID)
	}
	if c.Dir == "" {
		return fmt.Errorf("dir: a directory for the node's data is required")
	}
	addresses := map[string][]string{"bus": {c.Bus}, "join": c.Join}
	if c.Advertise != "" {
		addresses["advertise"] = []string{c.Advertise}
	}
	for name, list := range addresses {
		for _, address := range list {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fmt.Errorf("%s %q: want host:port", name, address)
			}
		}
	}
	if c.BootstrapExpect == 0 {
		c.BootstrapExpect = 3
		if len(c.Join) == 0 {
			c.BootstrapExpect = 1
		}
	}
	switch {
	case c.BootstrapExpect < 1 || c.BootstrapExpect > 9:
		return fmt.Errorf("bootstrap-expect %d: want 1 to 9", c.BootstrapExpect)
	case c.BootstrapExpect > 1 && len(c.Join) == 0:
		return fmt.Errorf("bootstrap-expect %d needs join: the addresses of the other nodes", c.BootstrapExpect)
	case c.LogStore != "wal" && c.LogStore != "bolt":
		return fmt.Errorf("log-store %q: want wal or bolt", c.LogStore)
	case c.CommitTimeout < 100*time.Millisecond || c.CommitTimeout > 10*time.Minute:
		return fmt.Errorf("commit-timeout %v: want 100ms to 10m", c.CommitTimeout)
	case c.ElectionTimeout < 50*time.Millisecond || c.ElectionTimeout > time.Minute:
		return fmt.Errorf("election-timeout %v: want 50ms to 1m", c.ElectionTimeout)
	case c.MaxClockSkew < 20*time.Millisecond || c.MaxClockSkew > time.Hour:
		return fmt.Errorf("max-clock-skew %v: want 20ms to 1h", c.MaxClockSkew)
	case c.SnapshotBytes < 4<<10:
		return fmt.Errorf("snapshot-bytes %d: want at least 4096", c.SnapshotBytes)
	case c.SnapshotRetain < 1:
		return fmt.Errorf("snapshot-retain %d: want at least 1", c.SnapshotRetain)
	case c.DigestInterval != 0 && (c.DigestInterval < 100*time.Millisecond || c.DigestInterval > 24*time.Hour):
		return fmt.Errorf("digest-interval %v: want 100ms to 24h, or 0", c.DigestInterval)
	case c.MaxEntryBytes < 4<<10 || c.MaxEntryBytes > 64<<20:
		return fmt.Errorf("max-entry-bytes %d: want 4096 to %d", c.MaxEntryBytes, 64<<20)
	case c.SegmentBytes < 64<<10 || c.SegmentBytes > 1<<30:
		return fmt.Errorf("segment-bytes %d: want 65536 to %d", c.SegmentBytes, 1<<30)
	case c.MaxPendingBytes < int64(c.MaxEntryBytes):
		return fmt.Errorf("max-pending-bytes %d is below max-entry-bytes %d", c.MaxPendingBytes, c.MaxEntryBytes)
	}
	return nil
}
