package resp

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/fsm"
)

var latencyCommands = []local{{
	Command: fsm.Command{Name: "LATENCY", Arity: -2, Group: "server", Since: "2.8.13",
		Summary: "Commands about what took long on this node, and how long commands take.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "DOCTOR", Arity: 2, Flags: inspection | fsm.NoScript, Group: "server", Since: "2.8.13",
			Summary: "Tells in words what took long, and what may be done.", Cost: "O(1)"}, run: latencyDoctor},
		{Command: fsm.Command{Name: "GRAPH", Arity: 3, Flags: inspection | fsm.NoScript, Group: "server", Since: "2.8.13",
			Summary: "Draws the history of an event.", Syntax: "event", Cost: "O(1)"}, run: latencyGraph},
		{Command: fsm.Command{Name: "HISTOGRAM", Arity: -2, Flags: inspection | fsm.NoScript, Group: "server", Since: "7.0.0",
			Summary: "Returns how long commands have taken.", Syntax: "[command [command ...]]",
			Cost: "O(N) where N is the number of commands with latency information being retrieved."}, run: latencyHistogram},
		{Command: fsm.Command{Name: "HISTORY", Arity: 3, Flags: inspection | fsm.NoScript, Group: "server", Since: "2.8.13",
			Summary: "Returns when an event took how long.", Syntax: "event", Cost: "O(1)"}, run: latencyHistory},
		{Command: fsm.Command{Name: "LATEST", Arity: 2, Flags: inspection | fsm.NoScript, Group: "server", Since: "2.8.13",
			Summary: "Returns the latest sample of each event.", Cost: "O(1)"}, run: latencyLatest},
		{Command: fsm.Command{Name: "RESET", Arity: -2, Flags: inspection | fsm.NoScript, Group: "server", Since: "2.8.13",
			Summary: "Forgets events, or all of them.", Syntax: "[event [event ...]]", Cost: "O(1)"}, run: latencyReset},
	},
}}

// latencyEvents are the times of what took longer than latency-monitor-threshold, by
// event. There are few of those, and each keeps a fixed number of samples.
type latencyEvents struct {
	mu     sync.Mutex
	events map[string]*latencyEvent
}

const latencySamples = 160

// latencyEvent keeps the longest time of each second in which there was one.
type latencyEvent struct {
	samples []latencySample // the newest last
	longest time.Duration   // ever
}

type latencySample struct {
	second int64 // Unix time
	took   time.Duration
}

// commandEvent is the event of a command that took long: Redis tells those apart that
// should never do.
func commandEvent(r *row) string {
	if r.Flags&fsm.Fast != 0 {
		return "fast-command"
	}
	return "command"
}

// Took tells of an event of the node, other than a command, that took some time.
func (s *Server) Took(event string, took time.Duration) {
	if least := s.settings.Load().latencyThreshold; least > 0 && took.Milliseconds() >= least {
		s.latency.add(event, took, time.Now())
	}
}

func (l *latencyEvents) add(event string, took time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events[event]
	if e == nil {
		if l.events == nil {
			l.events = map[string]*latencyEvent{}
		}
		e = &latencyEvent{}
		l.events[event] = e
	}
	e.longest = max(e.longest, took)
	if n := len(e.samples); n > 0 && e.samples[n-1].second == now.Unix() {
		e.samples[n-1].took = max(e.samples[n-1].took, took)
		return
	} else if n == latencySamples {
		e.samples = slices.Delete(e.samples, 0, 1)
	}
	e.samples = append(e.samples, latencySample{now.Unix(), took})
}

// names are those of the events there are, in order. The caller holds the lock.
func (l *latencyEvents) names() []string { return slices.Sorted(maps.Keys(l.events)) }

func latencyLatest(c *conn, _ [][]byte) (fsm.Reply, error) {
	l := &c.server.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	var b fsm.Builder
	b.Array(len(l.events))
	for _, name := range l.names() {
		e := l.events[name]
		last := e.samples[len(e.samples)-1]
		b.Array(4)
		b.BulkString(name)
		b.Int(last.second)
		b.Int(last.took.Milliseconds())
		b.Int(e.longest.Milliseconds())
	}
	return b.Reply(), nil
}

func latencyHistory(c *conn, args [][]byte) (fsm.Reply, error) {
	l := &c.server.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events[string(args[2])]
	if e == nil {
		return fsm.EmptyArray, nil
	}
	var b fsm.Builder
	b.Array(len(e.samples))
	for _, sample := range e.samples {
		b.Array(2)
		b.Int(sample.second)
		b.Int(sample.took.Milliseconds())
	}
	return b.Reply(), nil
}

func latencyReset(c *conn, args [][]byte) (fsm.Reply, error) {
	l := &c.server.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.events)
	if len(args) == 2 {
		l.events = nil
	}
	for _, name := range args[2:] {
		delete(l.events, string(name))
	}
	return fsm.Int(int64(before - len(l.events))), nil
}

// latencyGraph draws a column for each sample, as high as its logarithm between the
// shortest and the longest, and below it how long ago that was.
func latencyGraph(c *conn, args [][]byte) (fsm.Reply, error) {
	l := &c.server.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	name := string(args[2])
	e := l.events[name]
	if e == nil {
		return nil, fsm.NewError("ERR", fmt.Sprintf("No samples available for event '%s'", name))
	}
	return verbatim(e.graph(name, time.Now())), nil
}

const (
	graphColumns = 80
	graphRows    = 4
)

func (e *latencyEvent) graph(name string, now time.Time) string {
	samples := e.samples[max(0, len(e.samples)-graphColumns):]
	low, high := samples[0].took, samples[0].took
	for _, s := range samples {
		low, high = min(low, s.took), max(high, s.took)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", name,
		high.Milliseconds(), low.Milliseconds(), e.longest.Milliseconds(), strings.Repeat("-", graphColumns))
	lines := make([][]byte, graphRows+4)
	for i, s := range samples {
		height := graphRows
		if high > low {
			height = 1 + int(math.Log1p(float64(s.took-low))/math.Log1p(float64(high-low))*(graphRows-1)+0.5)
		}
		label := age(now.Unix() - s.second)
		for row := range lines {
			mark := byte(' ')
			switch {
			case row < graphRows && row >= graphRows-height:
				mark = '#'
			case row >= graphRows && row-graphRows < len(label):
				mark = label[row-graphRows]
			}
			lines[row] = append(lines[row][:i:i], mark)
		}
	}
	for _, line := range lines {
		if text := strings.TrimRight(string(line), " "); text != "" {
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}

// age writes seconds in at most three digits and a unit.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", min(seconds/86400, 999))
}

// advice is what may be done about an event.
var advice = map[string]string{
	"command":          "SLOWLOG GET shows which commands took so long. Those that visit many keys or elements are slow by nature; SCAN and its like do the same bit by bit.",
	"fast-command":     "Commands that cost little took long, so they waited: for the other nodes, for a disk or for the processor. INFO raft and the nodes' metrics tell more.",
	"aof-fsync-always": "The disk of this node takes long to make the log durable. Every write waits for a majority of the nodes' disks.",
	"rdb-snapshot":     "Writes have waited for a snapshot to begin.",
}

func latencyDoctor(c *conn, _ [][]byte) (fsm.Reply, error) {
	threshold := c.server.settings.Load().latencyThreshold
	l := &c.server.latency
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	switch {
	case threshold == 0 && len(l.events) == 0:
		b.WriteString("Nothing is recorded: CONFIG SET latency-monitor-threshold <milliseconds> says from which time on.\n")
	case len(l.events) == 0:
		fmt.Fprintf(&b, "Nothing took %d ms or longer so far.\n", threshold)
	}
	for _, name := range l.names() {
		e := l.events[name]
		sum := time.Duration(0)
		for _, s := range e.samples {
			sum += s.took
		}
		fmt.Fprintf(&b, "%s: %d seconds in which it took long, %d ms on average, at most %d ms. %s\n",
			name, len(e.samples), (sum / time.Duration(len(e.samples))).Milliseconds(), e.longest.Milliseconds(), advice[name])
	}
	return verbatim(b.String()), nil
}

// latencyHistogram answers with the histograms of some commands, or of all that were used.
func latencyHistogram(c *conn, args [][]byte) (fsm.Reply, error) {
	var rows []*row
	add := func(r *row) {
		if r.stats.histogram.Load() != nil {
			rows = append(rows, r)
		}
	}
	if len(args) == 2 {
		c.server.table.all(add)
	}
	for _, name := range args[2:] {
		if r := c.server.table.byFullName(name); r != nil {
			add(r)
			for _, sub := range r.list {
				add(sub)
			}
		}
	}
	var b fsm.Builder
	b.Map(len(rows))
	for _, r := range rows {
		h := r.stats.histogram.Load()
		b.BulkString(r.full)
		b.Map(2)
		b.BulkString("calls")
		b.Int(h.total())
		b.BulkString("histogram_usec")
		var counts fsm.Builder
		n := 0
		for longest, count := range h.octaves() {
			counts.Int(longest.Microseconds())
			counts.Int(count)
			n++
		}
		b.Map(n)
		b.Append(counts.Reply())
	}
	return b.Reply(), nil
}
