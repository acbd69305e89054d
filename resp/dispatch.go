package resp

import (
	"errors"
	"strings"
	"time"

	"holdfast/fsm"
)

// batch collects consecutive commands of one kind, so that a pipeline of writes is
// replicated as one group and a pipeline of reads is answered at one index.
type batch struct {
	write  bool
	rows   []*row        // of each command
	calls  []fsm.Call    // of each command
	group  []fsm.Request // of the writes: group[i].Calls is calls[i:i+1]
	bytes  int
	maxGet int // commands in the next batch of reads: fewer when their replies are long
}

func (b *batch) empty() bool { return len(b.rows) == 0 }

func (b *batch) reset() {
	clear(b.rows)
	clear(b.calls)
	clear(b.group)
	b.rows, b.calls, b.group, b.bytes = b.rows[:0], b.calls[:0], b.group[:0], 0
}

// dispatch answers one command of size bytes, or puts it into the batch.
func (c *conn) dispatch(args [][]byte, size int) {
	row, err := c.server.table.lookup(args)
	if err == nil && !row.Accepts(len(args)) {
		err = fsm.ErrArity(row.full)
	}
	if !c.identify() {
		c.runBatch()
		c.closing = true // the user has been deleted
		return
	}
	if err == nil && !c.authenticated && row.Flags&fsm.NoAuth == 0 {
		err = errNoAuth
	}
	if err == nil {
		err = c.allowed(row, args)
	}
	switch {
	case row == nil && isHTTP(args[0]):
		// A browser was made to talk to this port: its next lines are not a client's.
		c.runBatch()
		c.server.log.Warn("possible attack: an HTTP request", "client", c.nc.RemoteAddr().String())
		c.closing = true
	case err != nil:
		if row != nil {
			row.stats.rejected.Add(1)
		}
		c.runBatch()
		if c.multi != nil {
			c.multi.aborted = true
		}
		c.answer(errorReply(err))
	case c.sub != nil && c.version == 2 && !inSubscription[row.full] && c.listens():
		c.runBatch()
		c.answer(errorReply(errInSubscription(row.full)))
	case c.multi != nil && !immediate[row.full]:
		c.queue(row, args)
	case row.run != nil:
		c.runBatch()
		c.runLocal(row, args)
	default:
		c.enqueue(row, args, size)
	}
}

// isHTTP recognizes the lines of an HTTP request that Redis closes a connection for.
func isHTTP(name []byte) bool {
	return strings.EqualFold(string(name), "post") || strings.EqualFold(string(name), "host:")
}

var errNoAuth = fsm.NewError("NOAUTH", "Authentication required.")

// runLocal answers a command that the connection or the node answers itself.
func (c *conn) runLocal(row *row, args [][]byte) {
	c.lastRow.Store(row)
	if !c.server.pause.wait(c.ctx, false) {
		c.closing = true
		return
	}
	start := time.Now()
	reply, err := row.run(c, args)
	if err != nil {
		reply = errorReply(err)
	}
	row.stats.add(1, time.Since(start), reply.IsError())
	c.server.stats.commands.Add(1)
	if len(reply) > 0 { // CLIENT REPLY OFF has no reply at all
		c.answer(reply)
	}
}

// enqueue puts a command of the keyspace into the batch, which is run first where it
// holds the other kind or is full.
func (c *conn) enqueue(row *row, args [][]byte, size int) {
	b, cfg := &c.batch, &c.server.cfg
	write := row.Flags&fsm.Write != 0 || c.heldTo(row)
	if !b.empty() {
		full := len(b.rows) >= cfg.GroupCommands || b.bytes+size > cfg.GroupBytes ||
			!write && len(b.rows) >= b.maxGet
		if b.write != write || full {
			// The arguments of this command stay where they are: only what the batch
			// used is given back.
			c.runBatch()
		}
	} else if b.maxGet == 0 {
		b.maxGet = min(firstReads, cfg.GroupCommands)
	}
	b.write = write
	b.rows = append(b.rows, row)
	b.calls = append(b.calls, fsm.Call{DB: c.db, Args: args})
	b.bytes += size
}

// runBatch runs what has been collected and answers it in order.
func (c *conn) runBatch() {
	b := &c.batch
	if b.empty() {
		return
	}
	c.lastRow.Store(b.rows[len(b.rows)-1])
	if !c.server.pause.wait(c.ctx, b.write) {
		c.closing = true
		b.reset()
		return
	}
	start := time.Now()
	replies, err := c.callStore(b)
	took := time.Since(start) / time.Duration(len(b.rows)) // each command's share of the batch
	fallback := fsm.Reply(nil)
	if err != nil {
		fallback = errorReply(err)
	} else if len(replies) < len(b.rows) {
		fallback = errorReply(errors.New("internal error: a command got no reply"))
	}
	total := 0
	for i, row := range b.rows {
		reply := fallback
		if i < len(replies) && len(replies[i]) > 0 {
			reply = replies[i]
		}
		total += len(reply)
		row.stats.add(1, took, reply.IsError())
		c.answer(reply)
	}
	c.server.stats.commands.Add(int64(len(b.rows)))
	if !b.write {
		b.fitReads(total, c.server.cfg.GroupCommands)
	}
	b.reset()
}

func (c *conn) callStore(b *batch) ([]fsm.Reply, error) {
	if b.write {
		for i := range b.calls {
			request := fsm.Request{Calls: b.calls[i : i+1 : i+1]}
			if c.heldTo(b.rows[i]) {
				request.User = c.user.Name
			}
			b.group = append(b.group, request)
		}
		return c.server.store.Write(c.ctx, b.group)
	}
	if c.readOnly {
		return c.server.store.ReadLocal(c.ctx, b.calls)
	}
	return c.server.store.Read(c.ctx, b.calls)
}

// heldTo reports whether a command runs others for the client, which has to be held to
// what its user may do. The keyspace does that.
func (c *conn) heldTo(row *row) bool { return row.Group == "scripting" && !c.user.Unrestricted() }

// firstReads is how many reads a connection's first batch has at most.
const firstReads = 16

// fitReads keeps the replies of a batch of reads near a megabyte, whatever the values
// are: a connection holds those of one batch in memory, and a thousand GETs of a
// megabyte each would be a gigabyte.
func (b *batch) fitReads(total, most int) {
	const target = 1 << 20
	n := len(b.rows)
	switch {
	case total > target:
		b.maxGet = max(1, n*target/total)
	case n >= b.maxGet:
		b.maxGet = min(2*b.maxGet, most)
	}
}

// errorReply is the reply to a command that failed: "-CODE text" by the Code method
// found in err's chain, else -ERR.
func errorReply(err error) fsm.Reply {
	coded, ok := errors.AsType[interface {
		error
		Code() string
	}](err)
	if !ok {
		return fsm.ErrorReply(err)
	}
	text := strings.TrimPrefix(err.Error(), coded.Code()+" ")
	return fsm.ErrorReply(fsm.NewError(coded.Code(), text))
}
