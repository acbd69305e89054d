package resp

import (
	"container/list"
	"fmt"
	"math"
	"sync"
	"time"

	"holdfast/fsm"
)

var slowLogCommands = []local{{
	Command: fsm.Command{Name: "SLOWLOG", Arity: -2, Group: "server", Since: "2.2.12",
		Summary: "Commands about the log of commands that took long on this node.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "GET", Arity: -2, Flags: inspection, Group: "server", Since: "2.2.12",
			Summary: "Returns the newest entries of the slow log.", Syntax: "[count]", Cost: "O(N) where N is the number of entries returned"}, run: slowLogGet},
		{Command: fsm.Command{Name: "LEN", Arity: 2, Flags: inspection, Group: "server", Since: "2.2.12",
			Summary: "Returns how many entries the slow log has.", Cost: "O(1)"}, run: slowLogLen},
		{Command: fsm.Command{Name: "RESET", Arity: 2, Flags: inspection, Group: "server", Since: "2.2.12",
			Summary: "Empties the slow log.", Cost: "O(N) where N is the number of entries in the slowlog"}, run: slowLogReset},
	},
}}

// slowLog is the commands of this node's clients that took long, newest first. A command's
// time is what its client has waited for, replication included.
type slowLog struct {
	mu      sync.Mutex
	entries list.List // of *slowEntry
	lastID  int64
}

type slowEntry struct {
	id            int64
	at            time.Time
	took          time.Duration
	args          []string // shortened
	address, name string
}

// What is kept of a command line, as Redis keeps it.
const (
	slowLogArguments = 32
	slowLogBytes     = 128
)

func shortened(args [][]byte) []string {
	kept := make([]string, 0, min(len(args), slowLogArguments))
	for i, arg := range args {
		switch {
		case i == slowLogArguments-1 && len(args) > slowLogArguments:
			return append(kept, fmt.Sprintf("... (%d more arguments)", len(args)-i))
		case len(arg) > slowLogBytes:
			kept = append(kept, fmt.Sprintf("%s... (%d more bytes)", arg[:slowLogBytes], len(arg)-slowLogBytes))
		default:
			kept = append(kept, string(arg))
		}
	}
	return kept
}

func (l *slowLog) add(c *conn, args [][]byte, took time.Duration, most int64) {
	c.mu.Lock()
	name := c.info.name
	c.mu.Unlock()
	e := &slowEntry{at: time.Now(), took: took, args: shortened(args), address: c.address(), name: name}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.lastID
	l.lastID++
	l.entries.PushFront(e)
	for int64(l.entries.Len()) > most {
		l.entries.Remove(l.entries.Back())
	}
}

func slowLogGet(c *conn, args [][]byte) (fsm.Reply, error) {
	count := int64(10)
	switch {
	case len(args) > 3:
		return nil, errSubcommand(string(args[1]), "SLOWLOG")
	case len(args) == 3:
		n, ok := parseInt(args[2])
		if !ok || n < -1 {
			return nil, fsm.NewError("ERR", "count should be greater than or equal to -1")
		}
		if count = n; n < 0 {
			count = math.MaxInt64
		}
	}
	l := &c.server.slowLog
	l.mu.Lock()
	defer l.mu.Unlock()
	var b fsm.Builder
	left := min(count, int64(l.entries.Len()))
	b.Array(int(left))
	for element := l.entries.Front(); left > 0; left, element = left-1, element.Next() {
		e := element.Value.(*slowEntry)
		b.Array(6)
		b.Int(e.id)
		b.Int(e.at.Unix())
		b.Int(e.took.Microseconds())
		b.Append(bulks(e.args, same))
		b.BulkString(e.address)
		b.BulkString(e.name)
	}
	return b.Reply(), nil
}

func slowLogLen(c *conn, _ [][]byte) (fsm.Reply, error) {
	l := &c.server.slowLog
	l.mu.Lock()
	defer l.mu.Unlock()
	return fsm.Int(int64(l.entries.Len())), nil
}

func slowLogReset(c *conn, _ [][]byte) (fsm.Reply, error) {
	l := &c.server.slowLog
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries.Init()
	return fsm.OK, nil
}
