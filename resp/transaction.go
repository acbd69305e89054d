package resp

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"holdfast/fsm"
)

// transaction is what a connection has queued since MULTI. EXEC makes one request of
// it, which stands in one log entry: on every node all of it is applied, or nothing.
type transaction struct {
	rows    []*row
	calls   []fsm.Call // in the order of rows; their database is set by EXEC
	bytes   int64
	held    int64 // of Server.inflight
	aborted bool  // a command could not be queued: EXEC will refuse
}

// transactionFlags are those of commands that are always answered, but not in scripts.
const transactionFlags = always | fsm.NoScript | fsm.AllowBusy

var transactionCommands = []local{
	{Command: fsm.Command{Name: "DISCARD", Arity: 1, Flags: transactionFlags, Group: "transactions", Since: "2.0.0",
		Summary: "Throws away the commands queued since MULTI, and ends WATCH.", Cost: "O(N), when N is the number of queued commands"}, run: discardCommand},
	{Command: fsm.Command{Name: "EXEC", Arity: 1, Flags: fsm.Loading | fsm.Stale | fsm.NoScript | fsm.SkipSlowlog, Group: "transactions", Since: "1.2.0",
		Summary: "Runs the commands queued since MULTI as one, unless a watched key has changed.", Cost: "Depends on commands in the transaction"}, run: execCommand},
	{Command: fsm.Command{Name: "MULTI", Arity: 1, Flags: transactionFlags, Group: "transactions", Since: "1.2.0",
		Summary: "Queues the commands that follow, up to EXEC.", Cost: "O(1)"}, run: multiCommand},
	{Command: fsm.Command{Name: "UNWATCH", Arity: 1, Flags: transactionFlags, Group: "transactions", Since: "2.2.0",
		Summary: "Forgets the watched keys.", Cost: "O(1)"}, run: unwatchCommand},
	{Command: fsm.Command{Name: "WATCH", Arity: -2, Flags: transactionFlags, Keys: fsm.KeySpec{First: 1, Last: -1, Step: 1}, Group: "transactions", Since: "2.2.0",
		Summary: "Lets the next EXEC come to nothing if one of the keys has changed until then.", Syntax: "key [key ...]", Cost: "O(1) for every key."}, run: watchCommand},
}

// immediate lists the commands that are run, and not queued, after MULTI.
var immediate = map[string]bool{"multi": true, "exec": true, "discard": true, "watch": true, "quit": true, "reset": true}

var (
	errNestedMulti = fsm.NewError("ERR", "MULTI calls can not be nested")
	errWatchMulti  = fsm.NewError("ERR", "WATCH inside MULTI is not allowed")
	errNoMulti     = fsm.NewError("ERR", "Command not allowed inside a transaction")
	errExecAlone   = fsm.NewError("ERR", "EXEC without MULTI")
	errDiscard     = fsm.NewError("ERR", "DISCARD without MULTI")
	errExecAbort   = fsm.NewError("EXECABORT", "Transaction discarded because of previous errors.")
	errTooQueued   = fsm.NewError("ERR", "the commands of the transaction are longer than client-query-buffer-limit")
)

var queued = fsm.Status("QUEUED")

func multiCommand(c *conn, _ [][]byte) (fsm.Reply, error) {
	if c.multi != nil {
		return nil, errNestedMulti
	}
	c.multi = &transaction{}
	return fsm.OK, nil
}

// queue keeps a command for EXEC.
func (c *conn) queue(row *row, args [][]byte) {
	t := c.multi
	if row.Flags&fsm.NoMulti != 0 || inSubscription[row.full] && row.Flags&fsm.PubSub != 0 || row.full == "monitor" {
		c.abort(errNoMulti)
		return
	}
	size := int64(0)
	for _, arg := range args {
		size += int64(len(arg)) + 32
	}
	if t.bytes+size > c.server.cfg.QueryBufferBytes || !c.holdQueued(t.bytes+size) {
		c.abort(errTooQueued)
		return
	}
	t.bytes += size
	own := make([][]byte, len(args))
	for i, arg := range args {
		own[i] = append([]byte(nil), arg...)
	}
	t.rows = append(t.rows, row)
	t.calls = append(t.calls, fsm.Call{Args: own})
	c.answer(queued)
}

// abort answers an error that makes EXEC refuse the transaction.
func (c *conn) abort(err error) {
	c.multi.aborted = true
	c.answer(errorReply(err))
}

// holdQueued takes queued commands into the budget for large ones.
func (c *conn) holdQueued(bytes int64) bool {
	more := bytes - freeBuffer - c.multi.held
	if more <= 0 {
		return true
	}
	if !c.server.inflight.TryAcquire(more) {
		return false
	}
	c.multi.held += more
	return true
}

// leaveMulti ends the queueing and returns what was queued.
func (c *conn) leaveMulti() *transaction {
	t := c.multi
	c.multi = nil
	if t != nil && t.held > 0 {
		c.server.inflight.Release(t.held)
	}
	return t
}

func discardCommand(c *conn, _ [][]byte) (fsm.Reply, error) {
	if c.leaveMulti() == nil {
		return nil, errDiscard
	}
	c.unwatch()
	return fsm.OK, nil
}

// execCommand sends the commands of the keyspace as one request. Those that the
// connection answers itself are run after it, and their replies put where they belong.
func execCommand(c *conn, _ [][]byte) (fsm.Reply, error) {
	t := c.leaveMulti()
	switch {
	case t == nil:
		return nil, errExecAlone
	case t.aborted:
		c.unwatch()
		return nil, errExecAbort
	}
	data, write := t.data(c.db)
	watch := c.watch
	c.watch = 0 // a request that was sent ends it
	start := time.Now()
	request := fsm.Request{Calls: data, Multi: true, Watch: watch}
	if slices.ContainsFunc(t.rows, c.heldTo) {
		request.User, write = c.user.Name, true
	}
	reply, err := c.callTransaction(request, write)
	switch {
	case err != nil:
		return nil, err
	case reply.IsError() || string(reply) == string(fsm.NilArray):
		return reply, nil
	}
	c.countTransaction(t, data, reply, time.Since(start))
	switch {
	case len(data) == len(t.rows):
		return reply, nil
	}
	return c.runQueued(t, reply)
}

// countTransaction counts the keyspace's commands, which share the time of all of them.
func (c *conn) countTransaction(t *transaction, data []fsm.Call, replies fsm.Reply, took time.Duration) {
	if len(data) == 0 {
		return
	}
	took /= time.Duration(len(data))
	_, replies, _ = nextHeader(replies)
	var rows []*row
	for _, row := range t.rows {
		if row.run != nil {
			continue
		}
		rows = append(rows, row)
		var one fsm.Reply
		one, replies = nextReply(replies)
		failed := int64(0)
		if one.IsError() {
			failed = 1
			c.server.stats.countError(one)
		}
		row.stats.add(1, failed, took)
	}
	c.server.stats.commands.Add(int64(len(rows)))
	c.observe(rows, data, took)
}

// data returns the calls of the keyspace, each with the database that SELECT among the
// commands leads to, and whether any of them writes.
func (t *transaction) data(db uint8) (calls []fsm.Call, write bool) {
	for i, row := range t.rows {
		switch {
		case row.run == nil:
			calls = append(calls, fsm.Call{DB: db, Args: t.calls[i].Args})
			write = write || row.Writes(t.calls[i].Args)
		case row.full == "select":
			if n, err := selectArg(t.calls[i].Args[1]); err == nil {
				db = n
			}
		}
	}
	return calls, write
}

func (c *conn) callTransaction(request fsm.Request, write bool) (fsm.Reply, error) {
	if !c.server.pause.wait(c.ctx, write) {
		c.closing = true
		return nil, errors.New("the connection was closed")
	}
	switch {
	case write || request.Watch != 0:
		replies, err := c.server.store.Write(c.ctx, []fsm.Request{request})
		if err != nil {
			return nil, err
		}
		return replies[0], nil
	case len(request.Calls) == 0:
		return fsm.EmptyArray, nil
	}
	read := c.server.store.Read // all of them see one state
	if c.readOnly {
		read = c.server.store.ReadLocal
	}
	replies, err := read(c.ctx, request.Calls, math.MaxInt)
	if err != nil {
		return nil, err
	}
	var b fsm.Builder
	b.Array(len(replies))
	for _, reply := range replies {
		b.Append(reply)
	}
	return b.Reply(), nil
}

// runQueued runs the connection's own commands, and joins their replies with those of
// the keyspace's.
func (c *conn) runQueued(t *transaction, replies fsm.Reply) (fsm.Reply, error) {
	_, replies, _ = nextHeader(replies)
	var b fsm.Builder
	b.Array(len(t.rows))
	for i, row := range t.rows {
		if row.run == nil {
			var one fsm.Reply
			one, replies = nextReply(replies)
			b.Append(one)
			continue
		}
		start := time.Now()
		reply, err := row.run(c, t.calls[i].Args)
		if err != nil {
			reply = errorReply(err)
		} else if len(reply) == 0 {
			reply = fsm.OK // CLIENT REPLY: in an array something must stand
		}
		took, failed := time.Since(start), int64(0)
		if reply.IsError() {
			failed = 1
		}
		row.stats.add(1, failed, took)
		c.observe(t.rows[i:i+1], t.calls[i:i+1], took)
		b.Append(reply)
	}
	return b.Reply(), nil
}

// watchCommand tells the keyspace which keys to watch for this client: EXEC asks there.
func watchCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if c.multi != nil {
		return nil, errWatchMulti
	}
	if c.watch == 0 {
		c.watch = c.server.watches.Add(1)
	}
	call := append([][]byte{[]byte("WATCH"), strconv.AppendUint(nil, c.watch, 10)}, args[1:]...)
	replies, err := c.server.store.Write(c.ctx, []fsm.Request{{Calls: []fsm.Call{{DB: c.db, Args: call}}}})
	if err != nil {
		return nil, err
	}
	return replies[0], nil
}

func unwatchCommand(c *conn, _ [][]byte) (fsm.Reply, error) {
	c.unwatch()
	return fsm.OK, nil
}

// unwatch lets the keyspace forget what this client watches. The next WATCH goes by
// another number, so nobody needs to wait for it.
func (c *conn) unwatch() {
	if c.watch == 0 {
		return
	}
	number := c.watch
	c.watch = 0
	c.server.wg.Go(func() {
		call := [][]byte{[]byte("UNWATCH"), strconv.AppendUint(nil, number, 10)}
		for {
			_, err := c.server.store.Write(c.server.background, []fsm.Request{{Calls: []fsm.Call{{Args: call}}}})
			if err == nil || c.server.stopping.Load() {
				return // what a node that stops leaves behind is dropped with its incarnation
			}
			select {
			case <-time.After(time.Second):
			case <-c.server.stop:
			}
		}
	})
}
