// Package workload is a crowd of clients that write and read through all nodes while
// somebody breaks them, and that know afterwards what must be there.
//
// Every client has a counter that it increments and a register that it sets, leaves a
// key of its own behind now and then, and reads the counter of some other client, which
// may not be behind what that client was told before the question.
package workload

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/test/harness"
)

// Load is a running crowd.
type Load struct {
	options  Options
	targets  []*target
	clients  []*client
	timeline *Timeline
	stop     chan struct{}
	once     sync.Once // closes stop
	done     sync.WaitGroup

	interval atomic.Int64 // a client's rest between two rounds of commands, in ns

	window atomic.Int64 // when the running measurement of pauses began, in Unix ns; 0 without one
	epoch  time.Time

	mu       sync.Mutex
	findings Findings
}

// Findings is what went on, and what went wrong.
type Findings struct {
	Writes, Reads int // acknowledged
	Unknown       int // writes without an answer, at nodes that were down
	Excused       int // errors at nodes that were down
	Errors        int // at nodes that were not: there should be none
	Lost          int // acknowledged writes that are not there
	Duplicated    int // increments that counted more than once
	Stale         int // reads of what was known to be older
	Details       []string
}

// Bad reports whether a promise was broken.
func (f Findings) Bad() bool { return f.Errors+f.Lost+f.Duplicated+f.Stale > 0 }

func (f Findings) String() string {
	s := fmt.Sprintf("%d writes, %d reads, %d errors, %d lost, %d duplicated, %d stale (%d unknown and %d errors at nodes that were down)",
		f.Writes, f.Reads, f.Errors, f.Lost, f.Duplicated, f.Stale, f.Unknown, f.Excused)
	for _, d := range f.Details {
		s += "\n  " + d
	}
	return s
}

// Options of a crowd.
type Options struct {
	Clients  int           // at every address
	Interval time.Duration // a client's rest between two rounds of commands; 0 for none
	Prefix   string        // of all keys, so that crowds can follow each other
	Timeline *Timeline     // what is seen, moment by moment; nil if nobody asks

	// Dial connects a client to the address that it was given; harness.Dial if nil.
	Dial func(addr string) (Conn, error)
	// NoDeadlines leaves keys behind that do not expire, where a store cannot do it.
	NoDeadlines bool
}

// Conn is a client's way to a store, for one command at a time. An Error of the harness is
// an answer: unless it begins with UNCERTAIN the command did not run. After any other error
// the client does not know, and dials again.
type Conn interface {
	Do(args ...string) (reply any, err error)
	Close() error
}

// Start lets clients loose on the nodes at some addresses.
func Start(addrs []string, options Options) *Load {
	if options.Dial == nil {
		options.Dial = func(addr string) (Conn, error) { return harness.Dial(addr) }
	}
	l := &Load{options: options, timeline: options.Timeline, stop: make(chan struct{}), epoch: time.Now()}
	l.Rest(options.Interval)
	for _, addr := range addrs {
		t := &target{addr: addr}
		l.targets = append(l.targets, t)
		for range options.Clients {
			name := fmt.Sprintf("%s%d", options.Prefix, len(l.clients))
			l.clients = append(l.clients, &client{load: l, target: t, name: name, number: len(l.clients)})
		}
	}
	for _, c := range l.clients {
		l.done.Go(c.run)
	}
	return l
}

// Rest sets how long clients rest from now on between two rounds of commands.
func (l *Load) Rest(interval time.Duration) { l.interval.Store(int64(interval)) }

// Stop ends the clients after the command that each is at.
func (l *Load) Stop() {
	l.once.Do(func() { close(l.stop) })
	l.done.Wait()
}

// Findings is what was found so far.
func (l *Load) Findings() Findings {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.findings
}

func (l *Load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// note changes the findings; at most twenty details are kept.
func (l *Load) note(change func(*Findings), format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.findings)
	if format != "" && len(l.findings.Details) < 20 {
		text := fmt.Sprintf("%8.3fs  ", time.Since(l.epoch).Seconds()) + fmt.Sprintf(format, args...)
		l.findings.Details = append(l.findings.Details, text)
	}
}

// target is a node as its clients see it. Whoever breaks it says so beforehand, since
// errors of its own clients are then to be expected.
type target struct {
	addr string
	mu   sync.Mutex
	down bool
	upAt time.Time
}

// excused reports whether the node was down at some time since start.
func (t *target) excused(start time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.down || t.upAt.After(start)
}

// Down says that the node at an address is about to be broken.
func (l *Load) Down(addr string) { l.set(addr, true) }

// Up says that it serves again.
func (l *Load) Up(addr string) { l.set(addr, false) }

func (l *Load) set(addr string, down bool) {
	for _, t := range l.targets {
		if t.addr == addr {
			t.mu.Lock()
			t.down, t.upAt = down, time.Now()
			t.mu.Unlock()
		}
	}
}

// Measure runs a fault, waits, and returns the longest time after the fault that any
// client of a node that is not down waited for a reply. A request that was on its way
// counts from the fault on. The wait lasts at least the time given, and ends when every one
// of those clients has had an answer to a question from after that time: what began in it
// is measured to its end.
func (l *Load) Measure(atLeast time.Duration, fault func() error) (pause time.Duration, err error) {
	l.Watch()
	defer l.window.Store(0)
	if err := fault(); err != nil {
		return 0, err
	}
	time.Sleep(atLeast)
	return l.Pause(30 * time.Second)
}

// Watch begins a measurement that Pause ends: the two are Measure for several crowds at
// the same fault.
func (l *Load) Watch() {
	for _, c := range l.clients {
		c.worst.Store(0)
	}
	l.window.Store(time.Now().UnixNano())
}

// Pause waits until every client of a node that is not down has had an answer to a
// question from after the call, and returns the longest wait since Watch.
func (l *Load) Pause(limit time.Duration) (pause time.Duration, err error) {
	defer l.window.Store(0)
	after := time.Now()
	if err := l.Served(limit); err != nil {
		return 0, err
	}
	for _, c := range l.clients {
		if !c.target.excused(after) {
			pause = max(pause, time.Duration(c.worst.Load()))
		}
	}
	return pause, nil
}

// Served waits until every client of a node that is not down has had an answer to a
// question from after the call.
func (l *Load) Served(limit time.Duration) error {
	after := time.Now()
	for _, c := range l.clients {
		for c.answered.Load() < after.UnixNano() && !c.target.excused(after) {
			if time.Since(after) > limit {
				return fmt.Errorf("client %s of %s has waited %v for a reply", c.name, c.target.addr, limit)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}
