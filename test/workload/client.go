package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/test/harness"
)

// client runs one command at a time on one connection.
type client struct {
	load     *Load
	target   *target
	name     string
	number   int
	conn     Conn
	troubled time.Time // when the first command was sent of those that failed since the last that did not; zero if none did

	// Read by others while it runs.
	worst    atomic.Int64 // longest wait in the running measurement, in ns
	answered atomic.Int64 // when the last question was asked that has been answered, in Unix ns
	counted  atomic.Int64 // the counter as last acknowledged
	asked    atomic.Int64 // increments sent, answered or not

	booked int64 // increments found to be duplicated; under the load's mutex

	round      int64 // the last that began
	unknown    int64 // increments without an answer since the last that had one
	surplus    int64 // increments that its own replies show to be duplicated
	register   int64 // what the register was last set to, acknowledged
	maybe      []int64
	leftBehind []int64
}

const (
	every   = 10                    // rounds between two keys that are left behind
	leftFor = 86400                 // seconds until they expire: longer than any run
	rest    = 10 * time.Millisecond // after an error
)

func (c *client) run() {
	defer func() {
		if c.conn != nil {
			c.conn.Close()
		}
	}()
	for !c.load.stopped() {
		c.round++
		c.count()
		c.set(c.round)
		if c.round%every == 0 {
			c.leave(c.round)
		}
		c.look()
		time.Sleep(time.Duration(c.load.interval.Load()))
	}
}

func (c *client) count() {
	c.asked.Add(1)
	reply, fate := c.do("INCR", "count:"+c.name)
	switch fate {
	case unknown:
		c.unknown++
	case done:
		got, last := reply.(int64), c.counted.Load()
		switch {
		case got <= last:
			c.load.note(func(f *Findings) { f.Lost += int(last + 1 - got) }, "INCR count:%s: %d after %d", c.name, got, last)
		case got > last+1+c.unknown:
			c.surplus += got - last - 1 - c.unknown
			c.duplicated(c.surplus, "INCR count:%s: %d after %d and %d without an answer", c.name, got, last, c.unknown)
		}
		c.counted.Store(got)
		// Those without an answer may still be on their way.
		c.unknown = max(0, c.unknown-max(0, got-last-1))
	}
}

func (c *client) set(round int64) {
	switch _, fate := c.do("SET", "register:"+c.name, strconv.FormatInt(round, 10)); fate {
	case done:
		c.register = round
	case unknown:
		c.maybe = append(c.maybe, round)
	}
}

func (c *client) leave(round int64) {
	args := []string{"SET", c.left(round), strconv.FormatInt(round, 10)}
	if !c.load.options.NoDeadlines {
		args = append(args, "EX", strconv.Itoa(leftFor))
	}
	if _, fate := c.do(args...); fate == done {
		c.leftBehind = append(c.leftBehind, round)
	}
}

func (c *client) left(round int64) string { return fmt.Sprintf("left:%s:%d", c.name, round) }

// look reads the counter of another client.
func (c *client) look() {
	other := c.load.clients[rand.IntN(len(c.load.clients))]
	least := other.counted.Load()
	reply, fate := c.do("GET", "count:"+other.name)
	if fate != done {
		return
	}
	var got int64
	if reply != nil {
		got, _ = strconv.ParseInt(reply.(string), 10, 64)
	}
	if got < least {
		c.load.note(func(f *Findings) { f.Stale++ }, "GET count:%s at %s: %d, but %d had been acknowledged", other.name, c.target.addr, got, least)
	}
	if asked := other.asked.Load(); got > asked {
		other.duplicated(got-asked, "GET count:%s at %s: %d, but %d were sent", other.name, c.target.addr, got, asked)
	}
}

// duplicated says how many of the client's increments are known to have counted more than
// once. Whoever finds the same ones again adds nothing.
func (c *client) duplicated(total int64, format string, args ...any) {
	c.load.mu.Lock()
	more := total - c.booked
	c.booked = max(c.booked, total)
	c.load.mu.Unlock()
	if more > 0 {
		c.load.note(func(f *Findings) { f.Duplicated += int(more) }, format, args...)
	}
}

// fate is what became of a command.
type fate int

const (
	done    fate = iota
	not          // it did not run
	unknown      // it may have run, or run yet
)

// do runs a command and keeps the books.
func (c *client) do(args ...string) (any, fate) {
	start := time.Now()
	read := args[0] == "GET"
	reply, err := c.try(args)
	end := time.Now()
	if err == nil {
		c.waited(start, end)
		c.load.timeline.reply(end, end.Sub(start), !c.target.excused(start))
		c.load.note(func(f *Findings) {
			if read {
				f.Reads++
			} else {
				f.Writes++
			}
		}, "")
		return reply, done
	}
	var answer harness.Error
	isAnswer := errors.As(err, &answer)
	outcome := unknown
	if read || errors.Is(err, errNotSent) || isAnswer && !strings.HasPrefix(string(answer), "UNCERTAIN") {
		outcome = not
	}
	if !isAnswer && c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	switch {
	case c.target.excused(start):
		c.load.note(func(f *Findings) { f.Excused++ }, "")
	case c.load.stopped() && errors.Is(err, errNotSent):
	default:
		c.load.timeline.failure(end)
		c.load.note(func(f *Findings) { f.Errors++ }, "%s at %s after %v: %v", strings.Join(args, " "), c.target.addr, end.Sub(start), err)
	}
	if outcome == unknown {
		c.load.note(func(f *Findings) { f.Unknown++ }, "")
	}
	if c.troubled.IsZero() {
		c.troubled = start
	}
	time.Sleep(rest)
	return nil, outcome
}

var errNotSent = errors.New("no connection")

func (c *client) try(args []string) (any, error) {
	if c.conn == nil {
		conn, err := c.load.options.Dial(c.target.addr)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errNotSent, err)
		}
		c.conn = conn
	}
	return c.conn.Do(args...)
}

// waited notes a reply for the running measurement. What failed before it is part of the
// wait: the client was not served.
func (c *client) waited(start, end time.Time) {
	asked := start
	if !c.troubled.IsZero() {
		start, c.troubled = c.troubled, time.Time{}
	}
	if window := c.load.window.Load(); window != 0 && end.UnixNano() > window {
		wait := end.UnixNano() - max(start.UnixNano(), window)
		if wait > c.worst.Load() {
			c.worst.Store(wait)
		}
	}
	c.answered.Store(asked.UnixNano())
}
