package resp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/fsm"
)

// DEBUG is one row, as in Redis, where its subcommands are no commands of their own.
var debugCommands = []local{{
	Command: fsm.Command{Name: "DEBUG", Arity: -2, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "1.0.0",
		Summary: "Commands for debugging.", Syntax: "<DIGEST | SLEEP seconds | HELP>", Cost: "Depends on subcommand."},
	run: debugCommand,
}}

func debugCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	switch sub := strings.ToLower(string(args[1])); {
	case sub == "help" && len(args) == 2:
		return statusLines([]string{
			"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
			"DIGEST",
			"    Returns a hash of the whole keyspace, equal on nodes that applied the same entries.",
			"SLEEP <seconds>",
			"    Makes this connection wait; the others are served meanwhile. Decimals allowed.",
			"HELP",
			"    Prints this help.",
		}), nil
	case sub == "digest" && len(args) == 2:
		digest, err := c.server.store.Digest(c.ctx)
		if err != nil {
			return nil, err
		}
		return fsm.Status(digest), nil
	case sub == "sleep" && len(args) == 3:
		return c.sleep(args[2])
	}
	return nil, errSubcommand(string(args[1]), "DEBUG")
}

// errSubcommand is what Redis says where the handler itself finds too many arguments.
func errSubcommand(sub, container string) error {
	return fsm.NewError("ERR", fmt.Sprintf(
		"unknown subcommand or wrong number of arguments for '%.128s'. Try %s HELP.", sub, container))
}

// sleep blocks this connection alone. In Redis it stops the server; here that would only
// hand leadership to another node.
func (c *conn) sleep(arg []byte) (fsm.Reply, error) {
	seconds, err := strconv.ParseFloat(string(arg), 64)
	if err != nil || seconds != seconds || seconds > 1e9 {
		return nil, fsm.ErrNotFloat
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	case <-c.ctx.Done():
		c.closing = true
	}
	return fsm.OK, nil
}
