// Package resp serves clients: it speaks the Redis protocol on connections, answers
// what concerns the connection or the node, and hands everything else to the Store.
package resp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"holdfast/fsm"
)

// Server serves clients of one node, on any number of listeners.
type Server struct {
	cfg      Config
	store    Store
	log      *slog.Logger
	table    *table
	inflight *semaphore.Weighted // bytes of Config.InflightBytes
	settings atomic.Pointer[settings]
	stats    stats
	hub      *hub
	aclLog   aclLog
	slowLog  slowLog
	latency  latencyEvents
	monitors monitors

	defaultUser *fsm.User // as long as the cluster has none of that name
	enforced    atomic.Pointer[fsm.Users]
	pause       pause
	runID       string // 40 hexadecimal digits, new with each process
	started     time.Time
	startup     uint64       // the heap in use when there were no keys and clients
	waiting     atomic.Int64 // clients in WAIT
	saving      atomic.Bool  // a SAVE or BGSAVE of a client is under way
	dumps       atomic.Int32 // files that are being sent
	stopping    atomic.Bool
	asked       chan struct{} // closed by SHUTDOWN
	askOnce     sync.Once
	watches     atomic.Uint64 // numbers given to clients that watch keys
	stop        chan struct{} // closed when background work shall end
	wg          sync.WaitGroup

	background context.Context // of work that outlives its connection; ends with Close
	abandon    context.CancelFunc

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[int64]*conn
	lastID    int64
}

// New returns a server for cfg, which must be valid.
func New(cfg Config, store Store, log *slog.Logger) *Server {
	s := &Server{
		cfg:      cfg,
		store:    store,
		log:      log,
		table:    newTable(),
		hub:      newHub(),
		inflight: semaphore.NewWeighted(cfg.InflightBytes),
		runID:    randomHex(20),
		started:  time.Now(),
		stop:     make(chan struct{}),
		asked:    make(chan struct{}),
		conns:    make(map[int64]*conn),
	}
	s.defaultUser = fsm.DefaultUser("")
	if cfg.RequirePass != "" {
		s.defaultUser = fsm.DefaultUser(fsm.PasswordHash(cfg.RequirePass))
	}
	s.aclLog.max = func() int { return s.settings.Load().aclLogMax }
	s.background, s.abandon = context.WithCancel(context.Background())
	s.startup, _, _ = heap()
	s.loadSettings()
	s.wg.Go(s.tick)
	return s
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// tick keeps what is too dear to compute for each command.
func (s *Server) tick() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			s.loadSettings()
			s.enforce()
			s.stats.sample(now)
			used, _, _ := heap()
			s.stats.peak(used)
		}
	}
}

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("resp: server closed")

// Serve accepts connections until l fails or the server is closed, and closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.stopping.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	for wait := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			s.accept(nc)
		case s.stopping.Load():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of file descriptors, most likely: that passes when clients leave, while
			// a node that stops accepting stays away.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.log.Warn("accept", "address", l.Addr().String(), "error", err, "retry", wait)
			select {
			case <-time.After(wait):
			case <-s.stop:
				return ErrServerClosed
			}
		}
	}
}

// accept starts to serve a connection, or refuses it.
func (s *Server) accept(nc net.Conn) {
	set := s.loadSettings()
	s.stats.connections.Add(1)
	s.mu.Lock()
	refusal := ""
	switch {
	case s.stopping.Load():
		s.mu.Unlock()
		nc.Close()
		return
	case len(s.conns) >= set.maxClients:
		refusal = "-ERR max number of clients reached\r\n"
	}
	if refusal != "" {
		s.mu.Unlock()
		s.stats.rejected.Add(1)
		nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		nc.Write([]byte(refusal)) // fits into the socket's buffer, and if not: so be it
		nc.Close()
		return
	}
	s.lastID++
	c := newConn(s, nc, s.lastID, set)
	s.conns[c.id] = c
	s.wg.Add(1)
	s.mu.Unlock()
	c.keepAlive(set.keepAlive)
	go c.serve()
}

// forget ends the bookkeeping of a connection that has ended.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.wg.Done()
}

// clients lists the connections in the order of their ids.
func (s *Server) clients() []*conn {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *conn) int { return int(a.id - b.id) })
	return list
}

// Shutdown stops accepting, closes idle connections, and the others when the commands
// that they have begun are answered. It returns when none is left; when ctx ends before
// that, the rest is closed as by Close, and the error is that of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	for _, c := range s.clients() {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes it where it waits for its client
	}
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// Close closes every connection at once and returns when all have ended. What a command
// in flight has done or will do is not known to its client.
func (s *Server) Close() error {
	s.stopAccepting()
	s.abandon()
	for _, c := range s.clients() {
		c.kill()
	}
	s.wg.Wait()
	return nil
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Swap(true) {
		return
	}
	close(s.stop)
	for _, l := range s.listeners {
		l.Close()
	}
}
