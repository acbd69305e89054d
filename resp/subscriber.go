package resp

import (
	"sync"
	"time"

	"holdfast/fsm"
)

// subscriber is a connection that messages can come to at any time. From the first
// subscription on, all that the connection is sent goes through a queue here, which a
// goroutine of its own writes, so that a message never waits for a client, nor a client
// for another. A client that reads too slowly is cut off at the limits of Config, as
// Redis does (client-output-buffer-limit pubsub).
type subscriber struct {
	c     *conn
	names [3]map[string]struct{} // by kind of subscription; guarded by hub.mu

	mu      sync.Mutex
	changed *sync.Cond
	version int
	queue   []byte // to be written
	writing int    // bytes that are being written
	over    time.Time
	closed  bool
}

// maxSubscriptions is how many a client may have of a kind.
const maxSubscriptions = 1 << 20

var errTooManySubscriptions = fsm.NewError("ERR", "too many subscriptions")

// subscribe makes the connection a subscriber, if it is none yet.
func (c *conn) subscriber() *subscriber {
	if c.sub == nil {
		s := &subscriber{c: c, version: c.version}
		for kind := range s.names {
			s.names[kind] = map[string]struct{}{}
		}
		s.changed = sync.NewCond(&s.mu)
		c.sub = s
		c.server.wg.Go(s.run)
	}
	return c.sub
}

// count is what a confirmation shows: channels and patterns together, or shard channels.
// The caller holds hub.mu.
func (s *subscriber) count(kind subscription) int {
	if kind == toShard {
		return len(s.names[toShard])
	}
	return len(s.names[toChannel]) + len(s.names[toPattern])
}

// push queues a message. A client that has too much before it is cut off.
func (s *subscriber) push(m fsm.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.queue, _ = appendReply(s.queue, m, s.version)
	cfg := &s.c.server.cfg
	switch size := int64(len(s.queue) + s.writing); {
	case size <= cfg.PubSubSoftBytes:
		s.over = time.Time{}
	case s.over.IsZero():
		s.over = time.Now()
	}
	size := int64(len(s.queue) + s.writing)
	if size > cfg.PubSubHardBytes || !s.over.IsZero() && time.Since(s.over) > cfg.PubSubSoftTime {
		s.c.server.log.Warn("subscriber reads too slowly and is cut off", "client", s.c.nc.RemoteAddr().String(), "bytes", size)
		s.closed, s.queue = true, nil
		s.c.server.stats.outputLimit.Add(1)
		go s.c.kill()
	}
	s.changed.Broadcast()
}

// send queues replies of the connection itself, which waits while there is much before
// them.
func (s *subscriber) send(out []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 4*outputChunk && !s.closed {
		s.changed.Wait()
	}
	if !s.closed {
		s.queue = append(s.queue, out...)
		s.changed.Broadcast()
	}
}

// drain returns when all has been written, or will not be.
func (s *subscriber) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue)+s.writing > 0 && !s.closed {
		s.changed.Wait()
	}
}

func (s *subscriber) setVersion(version int) {
	s.mu.Lock()
	s.version = version
	s.mu.Unlock()
}

func (s *subscriber) close() {
	s.mu.Lock()
	s.closed, s.queue = true, nil
	s.changed.Broadcast()
	s.mu.Unlock()
}

// run writes the queue until the connection ends.
func (s *subscriber) run() {
	var out []byte
	for {
		s.mu.Lock()
		s.writing = 0
		s.changed.Broadcast()
		for len(s.queue) == 0 && !s.closed {
			s.changed.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}
		out, s.queue = s.queue, out[:0]
		if cap(s.queue) > 4*outputChunk {
			s.queue = nil
		}
		s.writing = len(out)
		s.mu.Unlock()
		if s.c.write(out) != nil {
			s.close()
			s.c.kill()
			return
		}
	}
}
