package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// sender takes what waits in the outbox to a leader that is another node: one frame at
// a time, so that a frame holds all that gathered while the last one was away. More
// of them at a time measured slower.
type sender struct {
	n     *Node
	wake  chan struct{}
	epoch atomic.Uint64 // raised when the leader changes: no frame is on its way to the new one
	busy  atomic.Uint64 // the epoch whose frame is on its way

	memory []byte // for requests on their way from the outbox into a frame

	mu        sync.Mutex
	gathering gathering
}

func newSender(n *Node) *sender {
	s := &sender{n: n, wake: make(chan struct{}, 1)}
	s.epoch.Store(1)
	return s
}

func (s *sender) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// forget no longer waits for the frame on its way: the leader is another, or the requests
// have been given up. Should its answer come after all it still counts.
func (s *sender) forget() {
	s.epoch.Add(1)
	s.mu.Lock()
	s.gathering = gathering{}
	s.mu.Unlock()
}

func (s *sender) run() {
	for {
		select {
		case <-s.wake:
			s.send()
		case <-s.n.closing:
			return
		}
	}
}

func (s *sender) send() {
	epoch := s.epoch.Load()
	leader, _ := s.n.route.get()
	if leader == "" || leader == s.n.identity.NodeID || s.busy.Load() == epoch {
		return
	}
	l := s.n.peers.link(leader)
	if l == nil {
		return // linkUp kicks
	}
	s.mu.Lock()
	last := s.gathering
	s.mu.Unlock()
	last.wait(s.n.outbox.gather, s.wake)
	if s.epoch.Load() != epoch {
		s.n.outbox.gather(1)
		s.kick()
		return
	}
	f := s.n.outbox.take(s.n.config.MaxEntryBytes, &s.memory)
	if f.id == 0 {
		return
	}
	s.busy.Store(epoch)
	start := time.Now()
	var e encoder
	e.buf = make([]byte, 0, len(f.Requests)+64)
	e.section(f.Section)
	l.ask(askPropose, e.buf, func(answer []byte, err error) {
		defer s.busy.CompareAndSwap(epoch, 0)
		d := decoder{buf: answer}
		if err == nil {
			replies := d.replies()
			if err = d.err; err == nil {
				s.n.outbox.answered(f.numbers, replies)
				s.mu.Lock()
				s.gathering.answered(len(f.numbers), start)
				s.mu.Unlock()
				s.busy.CompareAndSwap(epoch, 0)
				s.kick()
				return
			}
		}
		if err == ErrDiskFull {
			s.n.outbox.turnedAway(f.id)
		}
		// Whether it was applied is not known here; under their ids it is safe to
		// send the requests again. A leader that has just lost its office, or has
		// not noticed yet that it won, says no: give the news a moment to arrive.
		time.AfterFunc(2*time.Millisecond, func() {
			s.n.outbox.resend(f.id)
		})
	})
}
