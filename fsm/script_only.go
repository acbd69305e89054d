package fsm

import (
	"strconv"
	"strings"
)

// scriptOnlyCommands are commands that a connection answers itself, for scripts, which
// have none.
var scriptOnlyCommands = []Command{
	{Name: "ECHO", Arity: 2, Flags: ReadOnly | Internal | ScriptOnly, Group: "connection", Since: "1.0.0", Summary: "Returns the given string.", Cost: "O(1)",
		Run: func(_ *Tx, args [][]byte) (Reply, error) { return Bulk(args[1]), nil }},
	{Name: "PING", Arity: -1, Flags: ReadOnly | Internal | ScriptOnly, Group: "connection", Since: "1.0.0", Summary: "Returns PONG, or the given message.", Cost: "O(1)",
		Run: func(_ *Tx, args [][]byte) (Reply, error) {
			switch len(args) {
			case 1:
				return Status("PONG"), nil
			case 2:
				return Bulk(args[1]), nil
			}
			return nil, ErrArity("ping")
		}},
	{Name: "PUBLISH", Arity: 3, Flags: MayReplicate | Internal | ScriptOnly, Group: "pubsub", Since: "2.0.0", Summary: "Sends a message to all who listen to a channel.", Cost: "O(1)", Run: publishCommand(false)},
	{Name: "SELECT", Arity: 2, Flags: ReadOnly | Internal | ScriptOnly, Group: "connection", Since: "1.0.0", Summary: "Changes the database of the rest of the script.", Cost: "O(1)",
		Run: func(tx *Tx, args [][]byte) (Reply, error) {
			db, err := databaseArg(args[1])
			if err == nil {
				tx.db = db
			}
			return OK, err
		}},
	{Name: "SPUBLISH", Arity: 3, Flags: MayReplicate | Internal | ScriptOnly, Group: "pubsub", Since: "7.0.0", Summary: "Sends a message to all who listen to a shard channel.", Cost: "O(1)", Run: publishCommand(true)},
	{Name: "TIME", Arity: 1, Flags: ReadOnly | Internal | ScriptOnly, Group: "server", Since: "2.6.0", Summary: "Returns the time that the script runs at.", Cost: "O(1)",
		Run: func(tx *Tx, _ [][]byte) (Reply, error) {
			var b Builder
			b.Array(2)
			b.BulkString(strconv.FormatInt(int64(tx.now/1000), 10))
			b.BulkString(strconv.FormatInt(int64(tx.now%1000*1000), 10))
			return b.Reply(), nil
		}},
}

// connectionOnly lists commands that scripts may not call, as they are a connection's.
var connectionOnly = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(`acl auth client cluster command config debug discard exec hello info
		latency memory monitor multi psubscribe psync punsubscribe quit readonly readwrite replicaof reset role save
		bgsave shutdown slowlog ssubscribe subscribe sunsubscribe sync unsubscribe unwatch wait watch`) {
		names[name] = true
	}
	return names
}()

// publishCommand makes a message an event of the entry: every node gives it to those who
// listen there. How many that is cannot be known here, so the answer is 0.
func publishCommand(shard bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		if !tx.asking {
			tx.m.events = append(tx.m.events, Event{Channel: string(args[1]), Payload: append([]byte(nil), args[2]...), Shard: shard, Message: true})
		}
		return Int(0), nil
	}
}
