package resp

import (
	"fmt"
	"time"
)

// Config is what clients may do and how much of the node they may take for it. Fields
// that name a Redis parameter are what CONFIG GET shows, and a value that CONFIG SET
// has replicated comes before the field's.
type Config struct {
	// RequirePass is the password of the user "default" (requirepass). Default "", which
	// asks for none; at most 512 bytes.
	RequirePass string

	// ACLFile is the file of ACL LOAD and ACL SAVE (aclfile). Optional: what ACL SETUSER
	// changes is kept without one.
	ACLFile string

	// MaxClients is how many connections are served at once (maxclients); the next is
	// told so and closed. Default 10000; 1 to 1000000.
	MaxClients int

	// IdleTimeout closes a connection that has sent nothing for so long (timeout).
	// Default 0, never; whole seconds, 0 to 24 h.
	IdleTimeout time.Duration

	// KeepAlive is how often TCP asks a silent client whether it is still there
	// (tcp-keepalive). Default 300 s; whole seconds, 0 (never) to 24 h.
	KeepAlive time.Duration

	// MaxBulkBytes is the longest argument of a command (proto-max-bulk-len). Default
	// 32 MiB, where Redis has 512 MB: a command must fit into one entry of the
	// replicated log, and that holds 64 MiB. 1 KiB to 512 MiB.
	MaxBulkBytes int64

	// MaxArguments is how many arguments a command may have. Default 1048576, as older
	// versions of Redis fixed it; 16 to 16777216.
	MaxArguments int

	// MaxInlineBytes is the longest inline command, and the longest header of a
	// protocol element. Default 64 KiB; 1 KiB to 1 MiB.
	MaxInlineBytes int

	// QueryBufferBytes is the longest command, all its arguments together, that a
	// connection may have in memory (client-query-buffer-limit). Default 48 MiB, where
	// Redis has 1 GB, for the reason given at MaxBulkBytes; at least MaxBulkBytes.
	QueryBufferBytes int64

	// InflightBytes bounds the memory of all connections together for commands that are
	// longer than 64 KiB. A connection that wants more is not read from until others have
	// finished, and closed after StallTimeout. Default 512 MiB; at least QueryBufferBytes.
	InflightBytes int64

	// StallTimeout is how long a connection may hold such memory while nothing more of
	// its command arrives, or wait for it. Default 30 s; 100 ms to 1 h.
	StallTimeout time.Duration

	// OutputTimeout closes a connection whose client reads nothing of its replies for so
	// long. Replies are written as they are made, so this, and not a limit in bytes, is
	// what bounds output: beside one batch nothing is buffered. Default 60 s; 100 ms to 1 h.
	OutputTimeout time.Duration

	// PubSubHardBytes cuts off a subscriber at once that has more than so many bytes of
	// messages before it, and PubSubSoftBytes one that has for longer than PubSubSoftTime
	// (client-output-buffer-limit pubsub). Defaults 32 MiB, 8 MiB and 60 s; 64 KiB to 4 GiB,
	// 64 KiB to PubSubHardBytes, 1 s to 1 h.
	PubSubHardBytes int64
	PubSubSoftBytes int64
	PubSubSoftTime  time.Duration

	// GroupCommands and GroupBytes bound what a connection hands to the Store at once of
	// a pipeline. Default 1024 and 1 MiB; 1 to 65536, and 1 KiB to 16 MiB. One command may
	// be longer than GroupBytes.
	GroupCommands int
	GroupBytes    int

	// Port, Bind and Dir are told to clients that ask (CONFIG GET, INFO): the TCP port,
	// the addresses and the data directory of the node. They have no effect here.
	Port int
	Bind string
	Dir  string

	// Build is the version of the node itself, told by INFO as holdfast_version.
	// Default "dev".
	Build string
}

// DefaultConfig is complete.
func DefaultConfig() Config {
	return Config{
		MaxClients:       10000,
		KeepAlive:        300 * time.Second,
		MaxBulkBytes:     32 << 20,
		MaxArguments:     1 << 20,
		MaxInlineBytes:   64 << 10,
		QueryBufferBytes: 48 << 20,
		InflightBytes:    512 << 20,
		StallTimeout:     30 * time.Second,
		OutputTimeout:    60 * time.Second,
		PubSubHardBytes:  32 << 20,
		PubSubSoftBytes:  8 << 20,
		PubSubSoftTime:   time.Minute,
		GroupCommands:    1024,
		GroupBytes:       1 << 20,
		Build:            "dev",
	}
}

// Validate reports the first field that is out of its range, with its value.
func (c *Config) Validate() error {
	const day = 24 * time.Hour
	switch {
	case len(c.RequirePass) > 512:
		return fmt.Errorf("requirepass of %d bytes: want at most 512", len(c.RequirePass))
	case c.MaxClients < 1 || c.MaxClients > 1000000:
		return fmt.Errorf("max-clients %d: want 1 to 1000000", c.MaxClients)
	case c.IdleTimeout < 0 || c.IdleTimeout > day || c.IdleTimeout%time.Second != 0:
		return fmt.Errorf("idle-timeout %v: want whole seconds, 0 to 24h", c.IdleTimeout)
	case c.KeepAlive < 0 || c.KeepAlive > day || c.KeepAlive%time.Second != 0:
		return fmt.Errorf("keep-alive %v: want whole seconds, 0 to 24h", c.KeepAlive)
	case c.MaxBulkBytes < 1<<10 || c.MaxBulkBytes > 512<<20:
		return fmt.Errorf("max-bulk-bytes %d: want 1024 to %d", c.MaxBulkBytes, 512<<20)
	case c.MaxArguments < 16 || c.MaxArguments > 16<<20:
		return fmt.Errorf("max-arguments %d: want 16 to %d", c.MaxArguments, 16<<20)
	case c.MaxInlineBytes < 1<<10 || c.MaxInlineBytes > 1<<20:
		return fmt.Errorf("max-inline-bytes %d: want 1024 to %d", c.MaxInlineBytes, 1<<20)
	case c.QueryBufferBytes < c.MaxBulkBytes:
		return fmt.Errorf("query-buffer-bytes %d is less than max-bulk-bytes %d", c.QueryBufferBytes, c.MaxBulkBytes)
	case c.InflightBytes < c.QueryBufferBytes:
		return fmt.Errorf("inflight-bytes %d is less than query-buffer-bytes %d", c.InflightBytes, c.QueryBufferBytes)
	case c.StallTimeout < 100*time.Millisecond || c.StallTimeout > time.Hour:
		return fmt.Errorf("stall-timeout %v: want 100ms to 1h", c.StallTimeout)
	case c.OutputTimeout < 100*time.Millisecond || c.OutputTimeout > time.Hour:
		return fmt.Errorf("output-timeout %v: want 100ms to 1h", c.OutputTimeout)
	case c.PubSubHardBytes < 64<<10 || c.PubSubHardBytes > 4<<30:
		return fmt.Errorf("pubsub-hard-bytes %d: want %d to %d", c.PubSubHardBytes, 64<<10, int64(4<<30))
	case c.PubSubSoftBytes < 64<<10 || c.PubSubSoftBytes > c.PubSubHardBytes:
		return fmt.Errorf("pubsub-soft-bytes %d: want %d to pubsub-hard-bytes %d", c.PubSubSoftBytes, 64<<10, c.PubSubHardBytes)
	case c.PubSubSoftTime < time.Second || c.PubSubSoftTime > time.Hour:
		return fmt.Errorf("pubsub-soft-time %v: want 1s to 1h", c.PubSubSoftTime)
	case c.GroupCommands < 1 || c.GroupCommands > 65536:
		return fmt.Errorf("group-commands %d: want 1 to 65536", c.GroupCommands)
	case c.GroupBytes < 1<<10 || c.GroupBytes > 16<<20:
		return fmt.Errorf("group-bytes %d: want 1024 to %d", c.GroupBytes, 16<<20)
	}
	return nil
}
