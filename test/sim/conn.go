package sim

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// end is one side of a connection: a net.Conn. Its fields are guarded by the network's
// mutex. Writing never blocks.
type end struct {
	network       *network
	host          string
	peer          *end
	in            wire // what it reads comes this way
	local, remote address
	wake          chan struct{} // for the one who reads

	packets  []packet // not read yet
	last     time.Time
	deadline time.Time // of reading
	closed   bool      // by its owner
	dead     bool      // its process is no more
	reset    bool
}

// packet arrives at a time; without data it is the end.
type packet struct {
	data []byte
	at   time.Time
}

func (e *end) kick() { kick(e.wake) }

func (e *end) Read(b []byte) (int, error) {
	for {
		n, wait, err := e.poll(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if wait < 0 {
			<-e.wake
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// poll takes what has arrived. Otherwise it says how long it may take until there is
// something to do, which is negative if nobody knows.
func (e *end) poll(b []byte) (n int, wait time.Duration, err error) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	now := time.Now()
	switch {
	case e.closed || e.dead:
		return 0, 0, net.ErrClosed
	case e.reset:
		return 0, 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	case !e.deadline.IsZero() && !now.Before(e.deadline):
		return 0, 0, os.ErrDeadlineExceeded
	}
	wait = -1
	if len(e.packets) > 0 && !e.network.stops(e.in) {
		if first := &e.packets[0]; now.Before(first.at) {
			wait = first.at.Sub(now)
		} else if first.data == nil {
			return 0, 0, io.EOF
		} else {
			n = copy(b, first.data)
			if first.data = first.data[n:]; len(first.data) == 0 {
				e.packets = e.packets[1:]
			}
			return n, 0, nil
		}
	}
	if !e.deadline.IsZero() && (wait < 0 || e.deadline.Sub(now) < wait) {
		wait = e.deadline.Sub(now)
	}
	return 0, wait, nil
}

func (e *end) Write(b []byte) (int, error) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	switch {
	case e.closed || e.dead:
		return 0, net.ErrClosed
	case e.reset:
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	case len(b) == 0:
		return 0, nil
	case e.peer.dead || e.peer.closed:
		// The other side has no such connection: it says so if it can be reached.
		if out := (wire{e.in.to, e.in.from}); !e.network.stops(out) && !e.network.stops(e.in) {
			e.reset = true
			e.kick()
		}
		return len(b), nil
	}
	e.send(append([]byte(nil), b...))
	return len(b), nil
}

func (e *end) send(data []byte) {
	p := e.peer
	at := time.Now().Add(e.network.delay(p.in))
	if at.Before(p.last) {
		at = p.last
	}
	p.last = at
	p.packets = append(p.packets, packet{data, at})
	p.kick()
}

// finish tells the other side that nothing more comes.
func (e *end) finish() {
	if !e.peer.closed && !e.peer.dead {
		e.send(nil)
	}
}

func (e *end) Close() error {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.closed = true
	if !e.dead {
		e.finish()
		delete(e.network.ends, e)
	}
	e.kick()
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetReadDeadline(t time.Time) error {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.deadline = t
	e.kick()
	return nil
}

func (e *end) SetWriteDeadline(time.Time) error { return nil }

func (e *end) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }
