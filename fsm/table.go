package fsm

import "strings"

// Command is one row of the command table. Dispatch, arity checks, key routing,
// COMMAND, ACL categories and docs/commands.md are all derived from it.
type Command struct {
	Name    string  // upper case, as clients spell it; a subcommand has its own word alone
	Arity   int     // argument count including the name (and the container's); -n means at least n
	Flags   Flags   // Write, ReadOnly, Fast, ...: the names of Redis COMMAND
	Keys    KeySpec // which arguments are keys
	Group   string  // "string", "generic", "server", "connection", ...: as COMMAND DOCS has it
	Since   string  // the Redis version that brought the command
	Summary string  // one sentence, shown by COMMAND DOCS
	Syntax  string  // the arguments as the Redis command page writes them: "key value [NX | XX] [GET]"
	Cost    string  // the complexity, as the Redis command page gives it: "O(1)"

	// Container is the name of the command that a subcommand belongs to; index sets it.
	Container string

	// Subcommands makes the row a container, such as OBJECT. Its own Run is not called.
	Subcommands []Command

	Run Handler // nil in a container and in what a connection answers itself

	ranges     []KeyRange // see Complete
	categories []string
}

// Complete fills in what is derived from the columns; isContainer says that the row has
// subcommands, here or elsewhere. It is called once, before the row is used.
func (c *Command) Complete(isContainer bool) {
	c.ranges = c.keyRanges()
	if c.categories = []string{"@slow"}; !isContainer || c.Flags != 0 {
		c.categories = c.categorize()
	}
}

// Accepts reports whether a command line may have n words, the name included.
func (c *Command) Accepts(n int) bool {
	if c.Arity < 0 {
		return n >= -c.Arity
	}
	return n == c.Arity
}

// Writes reports whether a command line may change the keyspace: SORT without STORE may
// not, though it is called a write.
func (c *Command) Writes(args [][]byte) bool {
	return c.Flags&Write != 0 && !(c.Keys.Store && storedAt(args) == 0)
}

// FullName is the name as errors and COMMAND spell it: "get", "object|encoding".
func (c *Command) FullName() string {
	if c.Container != "" {
		return strings.ToLower(c.Container + "|" + c.Name)
	}
	return strings.ToLower(c.Name)
}

// Handler runs one command inside tx. args[0] is the command name (args[1] that of
// the subcommand), and len(args) already satisfies Arity. An error is an answer to
// the client, the same on every node; a handler that returns one has not touched the
// keyspace. args are valid only during the call: copy what is kept.
type Handler func(tx *Tx, args [][]byte) (Reply, error)

// Flags say what a command does, under the names of Redis COMMAND.
type Flags uint32

const (
	Write           Flags = 1 << iota // may change the keyspace
	ReadOnly                          // reads the keyspace and never changes it
	DenyOOM                           // may grow memory
	Admin                             // for operators
	PubSub                            // concerns publish and subscribe
	NoScript                          // not from scripts
	Blocking                          // may wait
	Loading                           // answered while a node is loading
	Stale                             // answered while a node is behind
	NoAuth                            // answered before AUTH
	Fast                              // constant or logarithmic time
	NoMulti                           // not inside MULTI
	Dangerous                         // ACL category @dangerous
	MayReplicate                      // may end up in the log without being a Write
	AllowBusy                         // answered while a script runs
	SkipSlowlog                       // not in the slow log: what it runs is
	SkipMonitor                       // not shown to MONITOR: what it runs is
	NoMandatoryKeys                   // may have no keys although it can have some
	ScriptOnly                        // with Internal: scripts may call it
	Internal                          // sent by connections for a client, not by clients
)

// RedisVersion is the version of Redis that clients and scripts are told.
const RedisVersion = "7.2.4"
