package resp

import (
	"errors"
	"slices"
	"strings"
	"time"

	"holdfast/fsm"
)

// batch collects consecutive commands of one kind, so that a pipeline of writes is
// replicated as one group and a pipeline of reads is answered at one index.
type batch struct {
	write bool
	rows  []*row        // of each command
	calls []fsm.Call    // of each command
	group []fsm.Request // of the writes: group[i].Calls is calls[i:i+1]
	bytes int
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
		c.runBatch()
		c.reject(row, err)
	case c.sub != nil && c.version == 2 && !inSubscription[row.full] && c.listens():
		c.runBatch()
		c.answer(errorReply(errInSubscription(row.full)))
	case c.monitoring && (row.Flags&(fsm.Write|fsm.ReadOnly) != 0 || row.full == "publish" || row.full == "spublish"):
		c.runBatch()
		c.reject(row, errMonitor)
	case c.multi != nil && !immediate[row.full]:
		c.queue(row, args)
	case row.run != nil:
		c.runBatch()
		c.runLocal(row, args)
	default:
		c.enqueue(row, args, size)
	}
}

// reject answers a command that is not run; row is nil where there is no such command.
func (c *conn) reject(row *row, err error) {
	if row != nil {
		row.stats.rejected.Add(1)
	}
	if c.multi != nil {
		c.multi.aborted = true
	}
	c.answer(errorReply(err))
}

// isHTTP recognizes the lines of an HTTP request that Redis closes a connection for.
func isHTTP(name []byte) bool {
	return strings.EqualFold(string(name), "post") || strings.EqualFold(string(name), "host:")
}

var errNoAuth = fsm.NewError("NOAUTH", "Authentication required.")

// runLocal answers a command that the connection or the node answers itself.
func (c *conn) runLocal(r *row, args [][]byte) {
	c.lastRow.Store(r)
	if !c.server.pause.wait(c.ctx, false) {
		c.closing = true
		return
	}
	start := time.Now()
	reply, err := r.run(c, args)
	if err != nil {
		reply = errorReply(err)
	}
	took, failed := time.Since(start), int64(0)
	if reply.IsError() {
		failed = 1
	}
	r.stats.add(1, failed, took)
	c.server.stats.commands.Add(1)
	if len(reply) > 0 { // CLIENT REPLY OFF has no reply at all
		c.answer(reply)
	}
	c.observe([]*row{r}, []fsm.Call{{DB: c.db, Args: args}}, took)
}

// enqueue puts a command of the keyspace into the batch, which is run first where it
// holds the other kind or is full.
func (c *conn) enqueue(row *row, args [][]byte, size int) {
	b, cfg := &c.batch, &c.server.cfg
	write := row.Writes(args) || c.heldTo(row)
	if !b.empty() {
		full := len(b.rows) >= cfg.GroupCommands || b.bytes+size > cfg.GroupBytes
		if b.write != write || full {
			// The arguments of this command stay where they are: only what the batch
			// used is given back.
			c.runBatch()
		}
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
	for done := 0; done < len(b.rows); {
		start := time.Now()
		replies, err := c.callStore(b, done)
		done += c.answerBatch(b.rows[done:], b.calls[done:], replies, err, time.Since(start))
		if c.closing {
			break // nobody would see the rest
		}
	}
	b.reset()
}

// answerBatch answers the first of some commands, at least one, and returns how many.
func (c *conn) answerBatch(rows []*row, calls []fsm.Call, replies []fsm.Reply, err error, took time.Duration) int {
	if err == nil && (len(replies) == 0 || len(replies) < len(rows) && c.batch.write) {
		err = errNoReply
	}
	if err != nil {
		replies = slices.Repeat([]fsm.Reply{errorReply(err)}, len(rows))
	}
	took /= time.Duration(len(replies)) // each command's share
	for i := 0; i < len(replies); {
		row, first, failed := rows[i], i, int64(0)
		for ; i < len(replies) && rows[i] == row; i++ {
			reply := replies[i]
			if len(reply) == 0 {
				reply = errorReply(errNoReply)
			}
			if reply.IsError() {
				failed++
			}
			c.answer(reply)
		}
		row.stats.add(int64(i-first), failed, took)
	}
	c.server.stats.commands.Add(int64(len(replies)))
	c.observe(rows[:len(replies)], calls[:len(replies)], took)
	return len(replies)
}

var errNoReply = errors.New("internal error: a command got no reply")

// callStore runs the commands of a batch from one on. Of reads with long replies it
// runs the first ones only: a connection holds replies in memory until they are written,
// and a thousand GETs of a megabyte each would be a gigabyte.
func (c *conn) callStore(b *batch, from int) ([]fsm.Reply, error) {
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
		return c.server.store.ReadLocal(c.ctx, b.calls[from:], c.server.cfg.GroupBytes)
	}
	return c.server.store.Read(c.ctx, b.calls[from:], c.server.cfg.GroupBytes)
}

// heldTo reports whether a command runs others for the client, or reads keys that its
// line does not name, and has to be held to what its user may do. The keyspace does that.
func (c *conn) heldTo(row *row) bool {
	return (row.Group == "scripting" || row.Keys.Derived) && !c.user.Unrestricted()
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
