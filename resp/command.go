package resp

import (
	"strings"

	"holdfast/fsm"
)

var commandCommands = []local{{
	Command: fsm.Command{Name: "COMMAND", Arity: -1, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "2.8.13",
		Summary: "Describes the commands.", Cost: "O(N) where N is the total number of Redis commands"},
	run: commandCommand,
	subs: []local{
		{Command: fsm.Command{Name: "COUNT", Arity: 2, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "2.8.13",
			Summary: "Returns how many commands there are.", Cost: "O(1)"}, run: commandCount},
		{Command: fsm.Command{Name: "DOCS", Arity: -2, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "7.0.0",
			Summary: "Returns the documentation of commands.", Syntax: "[command-name [command-name ...]]",
			Cost: "O(N) where N is the number of commands to look up"}, run: commandDocs},
		{Command: fsm.Command{Name: "GETKEYS", Arity: -4, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "2.8.13",
			Summary: "Returns the keys in a command line.", Syntax: "command [arg [arg ...]]",
			Cost: "O(N) where N is the number of arguments to the command"}, run: commandGetKeys},
		{Command: fsm.Command{Name: "GETKEYSANDFLAGS", Arity: -4, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "7.0.0",
			Summary: "Returns the keys in a command line, and what becomes of them.", Syntax: "command [arg [arg ...]]",
			Cost: "O(N) where N is the number of arguments to the command"}, run: commandGetKeysAndFlags},
		{Command: fsm.Command{Name: "INFO", Arity: -2, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "2.8.13",
			Summary: "Describes some commands, or all.", Syntax: "[command-name [command-name ...]]",
			Cost: "O(N) where N is the number of commands to look up"}, run: commandInfo},
		{Command: fsm.Command{Name: "LIST", Arity: -2, Flags: fsm.Loading | fsm.Stale, Group: "server", Since: "7.0.0",
			Summary: "Returns the names of the commands.",
			Syntax:  "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
			Cost:    "O(N) where N is the total number of Redis commands"}, run: commandList},
	},
}}

func commandCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	return describeRows(c.server.table.list), nil
}

func commandCount(c *conn, args [][]byte) (fsm.Reply, error) {
	return fsm.Int(int64(len(c.server.table.list))), nil
}

func commandInfo(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args) == 2 {
		return describeRows(c.server.table.list), nil
	}
	var rows []*row
	for _, name := range args[2:] {
		rows = append(rows, c.server.table.byFullName(name))
	}
	return describeRows(rows), nil
}

func describeRows(rows []*row) fsm.Reply {
	var b fsm.Builder
	b.Array(len(rows))
	for _, r := range rows {
		if r == nil {
			b.Nil()
		} else {
			r.describe(&b)
		}
	}
	return b.Reply()
}

// describe writes the row as COMMAND has it.
func (r *row) describe(b *fsm.Builder) {
	b.Array(10)
	b.BulkString(r.full)
	b.Int(int64(r.Arity))
	statusSet(b, r.flagNames())
	b.Int(int64(r.Keys.First))
	b.Int(int64(r.Keys.Last))
	b.Int(int64(r.Keys.Step))
	statusSet(b, r.Categories())
	if tip, ok := tips[r.full]; ok {
		b.Set(1)
		b.BulkString(tip)
	} else {
		b.Set(0)
	}
	ranges := r.KeyRanges()
	b.Set(len(ranges))
	for _, keys := range ranges {
		describeKeys(b, keys)
	}
	if len(r.list) == 0 {
		b.Set(0)
		return
	}
	b.Array(len(r.list))
	for _, sub := range r.list {
		sub.describe(b)
	}
}

// tips are what Redis hints at beside the flags. Those that are for clients of Redis
// Cluster alone are left out.
var tips = map[string]string{
	"dump":    "nondeterministic_output",
	"hgetall": "nondeterministic_output_order", "hkeys": "nondeterministic_output_order", "hvals": "nondeterministic_output_order",
	"hrandfield": "nondeterministic_output", "hscan": "nondeterministic_output",
	"sdiff": "nondeterministic_output_order", "sinter": "nondeterministic_output_order",
	"smembers": "nondeterministic_output_order", "sunion": "nondeterministic_output_order",
	"spop": "nondeterministic_output", "srandmember": "nondeterministic_output", "sscan": "nondeterministic_output",
	"zrandmember": "nondeterministic_output", "zscan": "nondeterministic_output",
}

func statusSet(b *fsm.Builder, words []string) {
	b.Set(len(words))
	for _, word := range words {
		b.Status(word)
	}
}

// flagNames are the flags in the order of Redis.
func (r *row) flagNames() []string {
	var names []string
	for _, f := range []struct {
		flag fsm.Flags
		name string
	}{
		{fsm.Write, "write"}, {fsm.ReadOnly, "readonly"}, {fsm.DenyOOM, "denyoom"}, {fsm.Admin, "admin"},
		{fsm.PubSub, "pubsub"}, {fsm.NoScript, "noscript"}, {fsm.Blocking, "blocking"}, {fsm.Loading, "loading"},
		{fsm.Stale, "stale"}, {fsm.SkipMonitor, "skip_monitor"}, {fsm.SkipSlowlog, "skip_slowlog"}, {fsm.Fast, "fast"}, {fsm.NoAuth, "no_auth"}, {fsm.MayReplicate, "may_replicate"},
		{fsm.NoMulti, "no_multi"}, {fsm.AllowBusy, "allow_busy"},
	} {
		if r.Flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	if r.Keys.NumKeys != 0 || r.Keys.Derived {
		names = append(names, "movablekeys")
	}
	return names
}

func commandList(c *conn, args [][]byte) (fsm.Reply, error) {
	wanted := func(*row) bool { return true }
	switch {
	case len(args) == 2:
	case len(args) == 5 && strings.EqualFold(string(args[2]), "filterby"):
		value := string(args[4])
		switch strings.ToLower(string(args[3])) {
		case "module":
			wanted = func(*row) bool { return false }
		case "aclcat":
			wanted = func(r *row) bool {
				for _, category := range r.Categories() {
					if strings.EqualFold(category, "@"+value) {
						return true
					}
				}
				return false
			}
		case "pattern":
			wanted = func(r *row) bool { return matches(value, r.full) }
		default:
			return nil, fsm.ErrSyntax
		}
	default:
		return nil, fsm.ErrSyntax
	}
	var names []string
	c.server.table.all(func(r *row) {
		filtered := len(args) > 2
		if (filtered || !strings.Contains(r.full, "|")) && wanted(r) {
			names = append(names, r.full)
		}
	})
	var b fsm.Builder
	b.Array(len(names))
	for _, name := range names {
		b.BulkString(name)
	}
	return b.Reply(), nil
}

// matches is the match of patterns that knows no case.
func matches(pattern, name string) bool {
	return fsm.Match([]byte(strings.ToLower(pattern)), []byte(strings.ToLower(name)))
}

var (
	errInvalidCommand   = fsm.NewError("ERR", "Invalid command specified")
	errInvalidArity     = fsm.NewError("ERR", "Invalid number of arguments specified for command")
	errInvalidArguments = fsm.NewError("ERR", "Invalid arguments specified for command")
	errNoKeys           = fsm.NewError("ERR", "The command has no key arguments")
)

func commandGetKeys(c *conn, args [][]byte) (fsm.Reply, error) {
	return c.keysOf(args[2:], func(b *fsm.Builder, key []byte, _ fsm.KeyRange) { b.Bulk(key) })
}

func commandGetKeysAndFlags(c *conn, args [][]byte) (fsm.Reply, error) {
	return c.keysOf(args[2:], func(b *fsm.Builder, key []byte, r fsm.KeyRange) {
		b.Array(2)
		b.Bulk(key)
		statusSet(b, r.UseIn(args[2:]))
	})
}

// keysOf lists the keys of a command line, each as write writes it.
func (c *conn) keysOf(line [][]byte, write func(*fsm.Builder, []byte, fsm.KeyRange)) (fsm.Reply, error) {
	row, err := c.server.table.lookup(line)
	switch {
	case err != nil || row.subs != nil && row.run == nil:
		return nil, errInvalidCommand
	case row.Keys == fsm.KeySpec{}:
		return nil, errNoKeys
	case !row.Accepts(len(line)):
		return nil, errInvalidArity
	}
	var keys fsm.Builder
	n := 0
	if !row.KeysIn(line, func(key []byte, r fsm.KeyRange) { write(&keys, key, r); n++ }) {
		return nil, errInvalidArguments
	}
	var b fsm.Builder
	b.Array(n)
	b.Append(keys.Reply())
	return b.Reply(), nil
}
