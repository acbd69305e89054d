package resp

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/fsm"
)

var monitorCommands = []local{
	{Command: fsm.Command{Name: "MONITOR", Arity: 1, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "1.0.0",
		Summary: "Shows the commands of all clients of this node as they have run.", Cost: "O(N) for each command, where N is the number of monitors"},
		run: monitorCommand},
}

// monitors are the connections that have asked for MONITOR. They are written to like
// subscribers, and cut off at the same limits.
type monitors struct {
	any     atomic.Bool // there are some: what every command looks at
	mu      sync.Mutex
	members map[*subscriber]struct{}
}

var errMonitor = fsm.NewError("ERR", "Replica can't interact with the keyspace") // to Redis a monitor is one

// monitorCommand answers through the queue, so that what is shown comes behind it. Like
// in Redis a second MONITOR has no reply.
func monitorCommand(c *conn, _ [][]byte) (fsm.Reply, error) {
	if c.monitoring {
		return nil, nil
	}
	s := c.subscriber()
	if err := c.flush(); err != nil {
		return nil, nil // the connection is closing
	}
	m := &c.server.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	c.monitoring = true
	s.push(fsm.OK)
	if m.members == nil {
		m.members = map[*subscriber]struct{}{}
	}
	m.members[s] = struct{}{}
	m.any.Store(true)
	return nil, nil
}

// leaveMonitor ends MONITOR for the connection.
func (c *conn) leaveMonitor() {
	if !c.monitoring {
		return
	}
	c.monitoring = false
	m := &c.server.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.members, c.sub)
	m.any.Store(len(m.members) > 0)
}

// feed shows a command to all monitors.
func (m *monitors) feed(address string, db uint8, args [][]byte) {
	now := time.Now()
	var line strings.Builder
	fmt.Fprintf(&line, "%d.%06d [%d %s]", now.Unix(), now.Nanosecond()/1000, db, address)
	for _, arg := range args {
		line.WriteByte(' ')
		writeQuoted(&line, arg)
	}
	shown := fsm.Status(line.String())
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.members {
		s.push(shown)
	}
}

// writeQuoted writes a string as redis-cli shows it, on one line.
func writeQuoted(to *strings.Builder, s []byte) {
	to.WriteByte('"')
	for _, b := range s {
		switch b {
		case '\\', '"':
			to.WriteByte('\\')
			to.WriteByte(b)
		case '\n', '\r', '\t', '\a', '\b':
			to.WriteString(strings.Trim(strconv.QuoteRune(rune(b)), "'"))
		default:
			if b >= ' ' && b <= '~' {
				to.WriteByte(b)
			} else {
				fmt.Fprintf(to, "\\x%02x", b)
			}
		}
	}
	to.WriteByte('"')
}
