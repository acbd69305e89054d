package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"holdfast/test/harness"
)

// outage is what befalls a node while clients write through the two others.
type outage struct {
	name   string
	leader bool // it is the leader's, otherwise a follower's
	// behind is what makes the node's return dear, done while it is away. Where it is set the
	// return is measured, until the node has caught up; otherwise the absence.
	behind func(victim *harness.Node, others []string, keys int) error
	goal   float64 // the share of the steady rate that is to be left
}

var outages = []outage{
	{name: "a follower is out", goal: 0.90},
	{name: "the leader is out", leader: true, goal: 0.90},
	// Its disk is empty: it needs a snapshot.
	{name: "a follower returns emptied", goal: 0.80, behind: func(victim *harness.Node, _ []string, _ int) error {
		return victim.Wipe()
	}},
	// Every key has been written again, in large entries, so that the log still has them.
	{name: "a follower returns, behind", goal: 0.80, behind: func(_ *harness.Node, others []string, keys int) error {
		return fill(others[0], keys)
	}},
}

var outageLoads = []load{{"SET", 50, 1}, {"SET", 50, 16}}

const (
	phaseRuns    = 5   // a phase is so many times as long as a run: snapshots come and go in it
	pieceSeconds = 0.5 // of one run of redis-benchmark: phases consist of such
	catchUpLimit = 5 * time.Minute
	saveLimit    = time.Minute
)

// cost is one outage: the rates before, meanwhile and after.
type cost struct {
	before, during, after float64
	lasted                time.Duration // of a return
	others                float64
}

// ratio compares with the mean of before and after, so that what drifts cancels.
func (c cost) ratio() float64 { return 2 * c.during / (c.before + c.after) }

// trial is a load at an outage.
type trial struct {
	load
	outage string
}

// measureOutages has nodes of a cluster go and return, and prints what that costs clients of
// the others.
func measureOutages(s *servers, binary, dir string, o options, out, progress io.Writer) error {
	if err := s.startCluster(binary, dir, o); err != nil {
		return err
	}
	start := time.Now()
	if err := s.fillSaved(o.sessions); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	fmt.Fprintf(progress, "%d keys in %v\n", o.sessions, time.Since(start).Round(time.Second))
	results := map[trial][]cost{}
	for round := range o.rounds {
		for _, l := range outageLoads {
			for _, event := range outages {
				if name := l.String() + " " + event.name; o.only != nil && !o.only.MatchString(name) {
					continue
				}
				got, err := s.outage(l, event, o, round)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", l, event.name, err)
				}
				t := trial{l, event.name}
				results[t] = append(results[t], got)
				fmt.Fprintf(progress, "round %d: %-10s %-28s before %7.0f  meanwhile %7.0f  after %7.0f ops/s  %5.1f s  ratio %.2f  others %.2f CPUs\n",
					round+1, l, event.name, got.before, got.during, got.after, got.lasted.Seconds(), got.ratio(), got.others)
			}
		}
	}
	if len(results) == 0 {
		return errors.New("nothing to run")
	}
	printOutages(out, o, results)
	return nil
}

// fillSaved makes the keys in more entries than are kept behind a snapshot, and has every
// node take one: a node that is empty then needs it.
func (s *servers) fillSaved(keys int) error {
	lead, err := s.cluster.Leader()
	if err != nil {
		return err
	}
	const trailing = 5000 // and some more than the default
	part := max(1, keys/trailing)
	conn, err := lead.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	for first := 0; first < keys; first += part {
		var commands [][]string
		for i := first; i < min(first+part, keys); i++ {
			commands = append(commands, setKey(i))
		}
		if _, err := conn.Pipeline(commands...); err != nil {
			return err
		}
	}
	for _, n := range s.cluster.Nodes {
		if err := save(n); err != nil {
			return err
		}
	}
	return nil
}

// save has a node take a snapshot, after the one that it may be taking by itself.
func save(n *harness.Node) error {
	for deadline := time.Now().Add(saveLimit); ; time.Sleep(100 * time.Millisecond) {
		_, err := n.Do("SAVE")
		if err == nil || !strings.Contains(err.Error(), "already in progress") || time.Now().After(deadline) {
			return err
		}
	}
}

// outage measures one.
func (s *servers) outage(l load, event outage, o options, round int) (c cost, err error) {
	lead, err := s.cluster.Leader()
	if err != nil {
		return c, err
	}
	victim := lead
	if followers := s.cluster.Others(lead); !event.leader {
		victim = followers[round%len(followers)]
	}
	rest := s.cluster.Others(victim)
	addrs := []string{rest[0].Addr, rest[1].Addr}
	phase := func(rate *float64, done func() bool) error {
		begin, err := s.cpuTimes()
		if err != nil {
			return err
		}
		if *rate, err = rateUntil(addrs, l, o.sessions, done); err != nil {
			return err
		}
		end, err := s.cpuTimes()
		c.others = max(c.others, end.others(begin))
		return err
	}
	steady := func(rate *float64) error {
		start := time.Now()
		return phase(rate, func() bool { return time.Since(start) >= phaseRuns*o.duration })
	}

	if err := steady(&c.before); err != nil {
		return c, err
	}
	if err := victim.Kill(); err != nil {
		return c, err
	}
	if lead, err = s.cluster.Leader(victim); err != nil {
		return c, err
	}
	if event.behind != nil {
		err = event.behind(victim, addrs, o.sessions)
	} else {
		err = steady(&c.during)
	}
	if err != nil {
		return c, err
	}
	start := time.Now()
	if err := victim.Start(); err != nil {
		return c, err
	}
	there := make(chan error, 1)
	go func() { there <- catchesUp(victim, lead) }()
	if event.behind != nil {
		done := func() bool { return len(there) > 0 }
		if err := phase(&c.during, done); err != nil {
			return c, err
		}
		c.lasted = time.Since(start)
	}
	if err := <-there; err != nil {
		return c, err
	}
	return c, steady(&c.after)
}

// catchesUp waits until a node serves, and has applied what the leader had a moment before.
func catchesUp(n, lead *harness.Node) error {
	var last error
	for deadline := time.Now().Add(catchUpLimit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		goal, err := lead.Index("raft_applied_index")
		if err != nil {
			return err
		}
		if last = n.Ready(); last != nil {
			continue
		}
		applied, err := n.Index("raft_applied_index")
		if err == nil && applied >= goal {
			return nil
		}
		last = errors.Join(err, fmt.Errorf("entry %d of %d", applied, goal))
	}
	return fmt.Errorf("%s has not caught up after %v: %w", n.Name, catchUpLimit, last)
}

// rateUntil runs a load piece by piece until done, and returns the requests a second. The
// piece in which it is done does not count if there was another: part of it lies behind.
func rateUntil(addrs []string, l load, keys int, done func() bool) (float64, error) {
	requests, counted, seconds := 20*l.clients*l.pipeline, 0, 0.0
	for pieces := 0; ; pieces++ {
		got, err := runAt(addrs, l, keys, requests)
		if err != nil {
			return 0, err
		}
		over := done()
		if !over || pieces == 0 {
			counted += requests
			seconds += float64(requests) / got.rate
		}
		if over {
			return float64(counted) / seconds, nil
		}
		requests = max(int(got.rate*pieceSeconds), l.clients*l.pipeline)
	}
}

func printOutages(out io.Writer, o options, results map[trial][]cost) {
	fmt.Fprintf(out, "%d-byte values, %d keys, %d CPUs, clients at the nodes that stay; medians of %d rounds, phases of %v\n", valueBytes, o.sessions, runtime.NumCPU(), o.rounds, phaseRuns*o.duration)
	fmt.Fprintln(out, "steady: the mean of before and after; ratios within a round: median (least .. most)")
	for _, l := range outageLoads {
		headed := false
		for _, event := range outages {
			costs := results[trial{l, event.name}]
			if len(costs) == 0 {
				continue
			}
			if !headed {
				fmt.Fprintf(out, "\n%-30s %9s %9s %9s   %s\n", title(l), "steady/s", "then/s", "seconds", "ratio")
				headed = true
			}
			var ratios []float64
			for _, c := range costs {
				ratios = append(ratios, c.ratio())
			}
			middle := median(costs, cost.ratio)
			verdict := "reached"
			if middle < event.goal {
				verdict = "missed"
			}
			lasted := ""
			if event.behind != nil {
				lasted = fmt.Sprintf("%.1f", median(costs, func(c cost) float64 { return c.lasted.Seconds() }))
			}
			fmt.Fprintf(out, "  %-28s %9.0f %9.0f %9s   %.2f (%.2f .. %.2f), to reach %.2f: %s\n", event.name,
				median(costs, func(c cost) float64 { return (c.before + c.after) / 2 }), median(costs, func(c cost) float64 { return c.during }),
				lasted, middle, slices.Min(ratios), slices.Max(ratios), event.goal, verdict)
		}
	}
	var all []cost
	for _, costs := range results {
		all = append(all, costs...)
	}
	fmt.Fprintf(out, "\nothers took at most %.2f CPUs in a phase (median over all outages)\n", median(all, func(c cost) float64 { return c.others }))
	fmt.Fprintln(out, strings.TrimSpace(`
All nodes and the clients share this machine: a node that is out leaves its share of the
CPUs to the rest, and one that catches up takes from them.`))
}
