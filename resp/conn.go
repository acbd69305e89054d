package resp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/fsm"
)

const (
	firstBuffer = 4 << 10  // what a connection reads into at first: most commands are short
	freeBuffer  = 64 << 10 // beyond this a buffer counts against Config.InflightBytes
	outputChunk = 64 << 10 // replies are written when there is this much of them
)

// conn is one client's connection. One goroutine reads, runs and answers, so that a
// client which does not read its replies, or whose commands wait, is not read from.
type conn struct {
	server *Server
	nc     net.Conn
	id     int64
	fd     int // for CLIENT LIST; -1 where the connection has none
	since  time.Time
	ctx    context.Context // ends when the connection is killed
	cancel context.CancelFunc

	parser parser
	buf    []byte // buf[r:w] is read but not parsed
	r, w   int
	full   bool     // the last read filled buf: there is probably more
	args   [][]byte // memory for the arguments of the commands in batch
	batch  batch
	out    []byte // replies to be written
	held   int64  // bytes taken from Server.inflight

	readBy, writeBy time.Time // the deadlines that nc has

	version       int // of the protocol: 2 or 3
	db            uint8
	authenticated bool
	user          *fsm.User // who the client is; the default user before it says so
	users         *fsm.Users
	readOnly      bool // READONLY: reads may be answered from this node's copy
	reply         replyMode
	multi         *transaction // since MULTI, nil otherwise
	sub           *subscriber  // once the client has listened to channels, or is a monitor
	monitoring    bool         // since MONITOR
	wishes        wishes       // for a dump
	watch         uint64       // the number under which the keyspace watches keys for EXEC; 0: none
	closing       bool         // close when what is in out is written

	mu   sync.Mutex // guards info, which CLIENT LIST reads
	info clientInfo

	lastActive atomic.Int64 // Unix milliseconds
	lastRow    atomic.Pointer[row]
	killed     atomic.Bool
	leaving    atomic.Bool // the last reply has been written
}

// clientInfo is what other connections may ask of one.
type clientInfo struct {
	name, libName, libVersion string
	user                      string
	db                        uint8
	version                   int
	noEvict, noTouch          bool
	readOnly, monitoring      bool
	queued                    int    // since MULTI; -1 outside
	listening                 [3]int // subscriptions of each kind
	buffered, free            int    // of the query buffer
	outCap                    int
}

func newConn(s *Server, nc net.Conn, id int64, set *settings) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{
		server: s, nc: nc, id: id, since: time.Now(), ctx: ctx, cancel: cancel,
		buf: make([]byte, firstBuffer), version: 2,
		parser: parser{maxArgs: s.cfg.MaxArguments, maxInline: s.cfg.MaxInlineBytes},
	}
	c.fd = descriptor(nc)
	c.info.version, c.info.queued = 2, -1
	c.identify()
	c.authenticated = c.user.Enabled && c.user.NoPass
	c.lastActive.Store(c.since.UnixMilli())
	return c
}

func descriptor(nc net.Conn) (number int) {
	number = -1
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { number = int(fd) })
		}
	}
	return number
}

func (c *conn) keepAlive(period time.Duration) {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: period > 0, Idle: period, Interval: max(period/3, time.Second), Count: 3})
	}
}

// kill ends the connection from outside, without a reply to what it has in flight.
func (c *conn) kill() {
	c.killed.Store(true)
	c.cancel()
	c.nc.Close()
}

// serve answers the client until it leaves. A panic ends this connection alone and is
// logged with its stack: what a handler here had half done was this connection's own
// state, since the keyspace changes only in fsm.Apply, which runs elsewhere.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.release()
	defer c.silence()
	defer c.leaveMonitor()
	defer c.unwatch()
	defer c.leaveMulti()
	defer c.nc.Close()
	defer c.cancel()
	defer func() {
		if p := recover(); p != nil {
			c.server.stats.panics.Add(1)
			c.server.log.Error("connection panicked", "client", c.nc.RemoteAddr().String(),
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	for !c.closing {
		if err := c.fill(); err != nil {
			if c.server.stopping.Load() && !c.killed.Load() {
				c.linger()
			}
			return
		}
		c.execute()
		if err := c.flush(); err != nil {
			return
		}
		c.publish()
	}
}

var errStopping = errors.New("resp: server is stopping")

// fill reads more of what the client sends, once at least.
func (c *conn) fill() error {
	if c.r > 0 {
		copy(c.buf, c.buf[c.r:c.w])
		c.r, c.w = 0, c.w-c.r
	}
	if err := c.makeRoom(); err != nil {
		return err
	}
	if deadline := c.readDeadline(); c.readBy != deadline { // mostly there is none
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return err
		}
		c.readBy = deadline
	}
	// Checked after the deadline was set: a Shutdown that comes later sets its own.
	if c.server.stopping.Load() {
		return errStopping
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	c.full = c.w == len(c.buf)
	c.server.stats.input.Add(int64(n))
	c.server.stats.reads.Add(1)
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom sees to it that there is somewhere to read to. The buffer grows with what has
// arrived, never with what a header promises.
func (c *conn) makeRoom() error {
	switch {
	case c.w == 0 && cap(c.buf) > freeBuffer:
		c.release()
		c.buf = make([]byte, firstBuffer)
		return nil
	case c.w < len(c.buf) && !(c.full && len(c.buf) < freeBuffer):
		return nil
	}
	limit := int(c.server.cfg.QueryBufferBytes)
	if c.w >= limit {
		c.server.log.Warn("query buffer limit reached", "client", c.nc.RemoteAddr().String(), "bytes", c.w)
		return c.refuse("client query buffer limit reached")
	}
	size := min(2*len(c.buf), max(limit, firstBuffer))
	if err := c.hold(int64(size + c.parser.buffered())); err != nil {
		return c.refuse("too many large commands in flight")
	}
	grown := make([]byte, size)
	copy(grown, c.buf[:c.w])
	c.buf = grown
	return nil
}

// hold has the connection hold n bytes of the budget for large commands, and waits for
// its share where others have taken all of it.
func (c *conn) hold(n int64) error {
	more := n - freeBuffer - c.held
	if more <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.server.cfg.StallTimeout)
	defer cancel()
	if err := c.server.inflight.Acquire(ctx, more); err != nil {
		return err
	}
	c.held += more
	return nil
}

func (c *conn) release() {
	if c.held > 0 {
		c.server.inflight.Release(c.held)
		c.held = 0
	}
}

// refuse tells the client why its connection is closed.
func (c *conn) refuse(why string) error {
	err := errProtocol(why)
	c.answer(errorReply(err))
	c.flush()
	c.linger()
	return err
}

// readDeadline is when to give up on a silent client.
func (c *conn) readDeadline() time.Time {
	if c.held > 0 {
		return time.Now().Add(c.server.cfg.StallTimeout)
	}
	if idle := c.server.settings.Load().idleTimeout; idle > 0 && !c.monitoring && !c.listens() {
		return time.Now().Add(idle)
	}
	return time.Time{}
}

// execute runs every complete command that has arrived.
func (c *conn) execute() {
	c.parser.maxBulk = c.server.settings.Load().maxBulk
	c.lastActive.Store(time.Now().UnixMilli())
	for !c.closing {
		c.parser.anonymous = !c.authenticated
		first := len(c.args)
		n, args, err := c.parser.next(c.buf[c.r:c.w], c.args)
		if err != nil {
			c.runBatch()
			c.answer(errorReply(err))
			c.server.log.Info("protocol error", "client", c.nc.RemoteAddr().String(), "error", err)
			c.closing = true
			break
		}
		if n == 0 {
			break
		}
		c.r += n
		c.args = args
		if len(args) > first {
			c.dispatch(args[first:len(args):len(args)], n)
		}
		if c.batch.empty() {
			c.args = c.args[:0]
		}
	}
	c.runBatch()
	if c.args = c.args[:0]; cap(c.args) > 4096 {
		c.args = nil
	}
}

// answer appends a reply to what is to be written, unless the client wants none.
func (c *conn) answer(reply fsm.Reply) {
	if reply.IsError() {
		c.server.stats.countError(reply)
	}
	if !c.reply.wanted() {
		return
	}
	if len(reply) > outputChunk && c.flush() != nil {
		return
	}
	out, ok := appendReply(c.out, reply, c.version)
	if !ok {
		c.server.log.Error("malformed reply", "command", c.lastName(), "bytes", len(reply))
		out = append(c.out, "-ERR internal error: malformed reply\r\n"...)
	}
	if c.out = out; len(c.out) >= outputChunk {
		c.flush()
	}
}

// flush writes the replies, piece by piece, so that a slow client needs only to read a
// piece within the timeout, and one that reads nothing is closed.
func (c *conn) flush() error {
	if c.sub != nil {
		c.sub.send(c.out)
	} else if err := c.write(c.out); err != nil {
		return c.broken(err)
	}
	if cap(c.out) > 2*outputChunk {
		c.out = nil
	}
	c.out = c.out[:0]
	if c.closing {
		if c.sub != nil {
			c.server.hub.forget(c.sub)
			c.sub.drain()
		}
		c.linger()
	}
	return nil
}

func (c *conn) write(out []byte) error {
	for len(out) > 0 {
		if err := c.moveWriteDeadline(); err != nil {
			return err
		}
		n, err := c.nc.Write(out[:min(len(out), 4*outputChunk)])
		c.server.stats.output.Add(int64(n))
		c.server.stats.writes.Add(1)
		if err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}

// moveWriteDeadline gives the client at least OutputTimeout from now. To move a deadline is
// to move a timer, so that most of the time the one that stands is left alone.
func (c *conn) moveWriteDeadline() error {
	now, timeout := time.Now(), c.server.cfg.OutputTimeout
	if c.writeBy.Sub(now) >= timeout {
		return nil
	}
	c.writeBy = now.Add(timeout + timeout/4)
	return c.nc.SetWriteDeadline(c.writeBy)
}

// silence ends the client's listening.
func (c *conn) silence() {
	if c.sub != nil {
		c.server.hub.forget(c.sub)
		c.sub.close()
	}
}

// broken ends a connection that cannot be written to; commands it has already sent that
// were not begun are not run, since nobody would see their replies.
func (c *conn) broken(err error) error {
	if errors.Is(err, net.ErrClosed) || c.killed.Load() {
		// ours, not the client's
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.server.log.Warn("client does not read its replies", "client", c.nc.RemoteAddr().String())
	}
	c.out, c.closing = nil, true
	c.kill()
	return err
}

// linger lets the client read the last reply and the end behind it: closing a socket with
// unread input makes the kernel send a reset, which can overtake the data. So input is
// thrown away, for a moment and up to a limit.
func (c *conn) linger() {
	c.leaving.Store(true)
	if half, ok := c.nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	scratch := c.buf
	for thrown := 0; thrown < 1<<20; {
		n, err := c.nc.Read(scratch)
		if err != nil {
			return
		}
		thrown += n
	}
}

// publish makes visible to CLIENT LIST what the last commands have changed.
func (c *conn) publish() {
	c.mu.Lock()
	c.info.db, c.info.version, c.info.readOnly, c.info.monitoring = c.db, c.version, c.readOnly, c.monitoring
	if c.info.queued = -1; c.multi != nil {
		c.info.queued = len(c.multi.rows)
	}
	if c.sub != nil {
		c.server.hub.mu.RLock()
		for kind, names := range c.sub.names {
			c.info.listening[kind] = len(names)
		}
		c.server.hub.mu.RUnlock()
	}
	c.info.buffered, c.info.free, c.info.outCap = c.w-c.r, len(c.buf)-(c.w-c.r), cap(c.out)
	c.mu.Unlock()
}

func (c *conn) lastName() string {
	if row := c.lastRow.Load(); row != nil {
		return row.full
	}
	return "NULL"
}

// replyMode is what CLIENT REPLY asked for.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkip // the next command is not answered
)

// wanted reports whether the command that was just run is to be answered.
func (m *replyMode) wanted() bool {
	if *m == replySkip {
		*m = replyOn
		return false
	}
	return *m == replyOn
}
