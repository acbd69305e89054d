package resp

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"holdfast/fsm"
)

const (
	operator   = fsm.Admin | fsm.NoScript
	inspection = fsm.Admin | fsm.Loading | fsm.Stale
)

// serverCommands are about the node.
var serverCommands = []local{
	{Command: fsm.Command{Name: "BGSAVE", Arity: -1, Flags: operator, Group: "server", Since: "1.0.0",
		Summary: "Begins to write a snapshot to disk.", Syntax: "[SCHEDULE]", Cost: "O(1)"}, run: bgsaveCommand},
	{Command: fsm.Command{Name: "INFO", Arity: -1, Flags: fsm.Loading | fsm.Stale | fsm.Dangerous, Group: "server", Since: "1.0.0",
		Summary: "Describes the node and the cluster.", Syntax: "[section [section ...]]", Cost: "O(1)"}, run: infoCommand},
	{Command: fsm.Command{Name: "LASTSAVE", Arity: 1, Flags: always | fsm.Dangerous, Group: "server", Since: "1.0.0",
		Summary: "Returns when the newest snapshot was written, in Unix seconds.", Cost: "O(1)"}, run: lastSaveCommand},
	{Command: fsm.Command{Name: "LOLWUT", Arity: -1, Flags: fsm.ReadOnly | fsm.Fast, Group: "server", Since: "5.0.0",
		Summary: "Shows a picture and the version.", Syntax: "[VERSION version]", Cost: "O(1)"}, run: lolwutCommand},
	{Command: fsm.Command{Name: "MODULE", Arity: -2, Group: "server", Since: "4.0.0",
		Summary: "Commands about modules, of which there are none.", Cost: "Depends on subcommand."},
		subs: []local{{Command: fsm.Command{Name: "LIST", Arity: 2, Flags: operator, Group: "server", Since: "4.0.0",
			Summary: "Returns the loaded modules: none.", Cost: "O(1)"}, run: emptyCommand}}},
	{Command: fsm.Command{Name: "ROLE", Arity: 1, Flags: fsm.NoScript | always | fsm.Dangerous, Group: "server", Since: "2.8.12",
		Summary: "Returns the role of the node: to clients, every node is a master.", Cost: "O(1)"}, run: roleCommand},
	{Command: fsm.Command{Name: "SAVE", Arity: 1, Flags: operator | fsm.NoMulti, Group: "server", Since: "1.0.0",
		Summary: "Writes a snapshot to disk.", Cost: "O(N) where N is the total number of keys in all databases"}, run: saveCommand},
	{Command: fsm.Command{Name: "TIME", Arity: 1, Flags: always, Group: "server", Since: "2.6.0",
		Summary: "Returns the node's clock.", Cost: "O(1)"}, run: timeCommand},
	{Command: fsm.Command{Name: "WAIT", Arity: 3, Flags: fsm.NoScript, Group: "generic", Since: "3.0.0",
		Summary: "Waits until other nodes have the writes acknowledged so far.", Syntax: "numreplicas timeout", Cost: "O(1)"}, run: waitCommand},
}

func okCommand(c *conn, args [][]byte) (fsm.Reply, error)    { return fsm.OK, nil }
func emptyCommand(c *conn, args [][]byte) (fsm.Reply, error) { return fsm.EmptyArray, nil }

func timeCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	now := time.Now()
	var b fsm.Builder
	b.Array(2)
	b.BulkString(fmt.Sprint(now.Unix()))
	b.BulkString(fmt.Sprint(now.Nanosecond() / 1000))
	return b.Reply(), nil
}

// roleCommand answers as a master without replicas: the offset is the index of the last
// entry applied. Replicas would be offered to clients as places to read from, but every
// node is that by itself.
func roleCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	var b fsm.Builder
	b.Array(3)
	b.BulkString("master")
	b.Int(int64(c.server.store.Status().AppliedIndex))
	b.Array(0)
	return b.Reply(), nil
}

func waitCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	replicas, ok := parseInt(args[1])
	if !ok {
		return nil, fsm.ErrNotInteger
	}
	timeout, err := parseTimeout(args[2])
	if err != nil {
		return nil, err
	}
	ctx := c.ctx
	if timeout > 0 { // 0 is no limit
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	c.server.waiting.Add(1)
	defer c.server.waiting.Add(-1)
	n, err := c.server.store.Wait(ctx, int(replicas))
	if err != nil {
		return nil, err
	}
	return fsm.Int(int64(n)), nil
}

var errSaving = fsm.NewError("ERR", "Background save already in progress")

func saveCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if c.server.store.Status().Saving || !c.server.saving.CompareAndSwap(false, true) {
		return nil, errSaving
	}
	defer c.server.saving.Store(false)
	if err := c.server.store.Save(c.ctx); err != nil {
		return nil, err
	}
	return fsm.OK, nil
}

// bgsaveCommand begins a snapshot. Shutdown waits for it to end, as it does for commands.
func bgsaveCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args) > 2 || len(args) == 2 && !strings.EqualFold(string(args[1]), "schedule") {
		return nil, fsm.ErrSyntax
	}
	s := c.server
	if s.store.Status().Saving || !s.saving.CompareAndSwap(false, true) {
		return nil, errSaving
	}
	s.wg.Go(func() {
		defer s.saving.Store(false)
		if err := s.store.Save(s.background); err != nil {
			s.log.Error("background save", "error", err)
		}
	})
	return fsm.Status("Background saving started"), nil
}

func lastSaveCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	return fsm.Int(c.server.lastSave(c.server.store.Status())), nil
}

// lastSave is when the newest snapshot was written, in Unix seconds: without one, when
// the node started, as in Redis.
func (s *Server) lastSave(status Status) int64 {
	if status.LastSave.IsZero() {
		return s.started.Unix()
	}
	return status.LastSave.Unix()
}

// lolwutCommand draws a holdfast: what seaweed keeps to the rock by.
func lolwutCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args) > 1 && strings.EqualFold(string(args[1]), "version") && len(args) > 2 {
		if _, ok := parseInt(args[2]); !ok {
			return nil, fsm.ErrNotInteger
		}
	}
	var picture strings.Builder
	const width, height = 40, 12
	for y := range height {
		line := []byte(strings.Repeat(" ", width))
		for stem := range 5 {
			x := float64(4+8*stem) + 2.5*math.Sin(float64(y)/1.7+float64(stem)*1.3)
			line[int(x)] = "()"[(y+stem)%2]
		}
		if y == height-1 {
			line = []byte(strings.Repeat("/^\\_", width/4))
		}
		picture.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	picture.WriteString("\nHoldfast. Redis ver. " + redisVersion + "\n")
	return verbatim(picture.String()), nil
}
