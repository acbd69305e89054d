package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const valueBytes = 300

// load is what is done to a target.
type load struct {
	command  string // with SET or GET, redis-benchmark's own test; else the name of one of typed
	clients  int
	pipeline int
}

func (l load) String() string {
	s := fmt.Sprintf("%s c%d", l.command, l.clients)
	if l.pipeline > 1 {
		s += fmt.Sprintf(" P%d", l.pipeline)
	}
	return s
}

// stringLoads are what sessions need, in the order of the table.
var stringLoads = []load{
	{"SET", 50, 1}, {"SET", 50, 16}, {"SET", 500, 1},
	{"GET", 50, 1}, {"GET", 50, 16}, {"GET", 500, 1},
}

// plan is what is measured: every load on every target.
type plan struct {
	loads   []load
	targets []target
}

func (o options) plan() plan {
	if o.types {
		return plan{typeLoads(), []target{leader, always, inMemory}}
	}
	return plan{stringLoads, targets}
}

// sample is the outcome of one run.
type sample struct {
	rate     float64 // operations a second
	p50, p99 float64 // ms
	cost     float64 // CPU time of the servers for an operation, in µs
	others   float64 // CPUs that were busy for others
}

// benchmark is a load on a target.
type benchmark struct {
	load
	target
}

func (b benchmark) String() string { return fmt.Sprintf("%s %s", b.load, string(b.target)) }

// measure returns a sample of each run for each round.
func measure(s *servers, o options, progress io.Writer) (map[benchmark][]sample, error) {
	results := map[benchmark][]sample{}
	plan := o.plan()
	rates := map[benchmark]float64{} // of the last run: how many requests the next one needs
	for round := range o.rounds {
		for _, l := range plan.loads {
			// Each round begins with another target, so that none always follows the same.
			for i := range plan.targets {
				b := benchmark{l, plan.targets[(i+round)%len(plan.targets)]}
				if o.only != nil && !o.only.MatchString(b.String()) {
					continue
				}
				if rates[b] == 0 { // a short run to warm up
					first, err := s.run(b, o, o.warmUp*l.clients*l.pipeline)
					if err != nil {
						return nil, err
					}
					rates[b] = first.rate
				}
				got, err := s.run(b, o, int(rates[b]*o.duration.Seconds()))
				if err != nil {
					return nil, err
				}
				rates[b] = got.rate
				results[b] = append(results[b], got)
				fmt.Fprintf(progress, "round %d: %-22s %9.0f ops/s  p50 %6.2f ms  p99 %6.2f ms  %5.1f µs  others %.2f CPUs\n", round+1, b, got.rate, got.p50, got.p99, got.cost, got.others)
			}
		}
	}
	if len(results) == 0 {
		return nil, errors.New("nothing to run")
	}
	return results, nil
}

// run measures a load. A run in which the leader changed, or that others disturbed, is
// repeated.
func (s *servers) run(b benchmark, o options, requests int) (got sample, err error) {
	for range 30 {
		before, err := s.addrs(b.target)
		if err != nil {
			return got, err
		}
		if got, err = s.runOnce(before, b.load, o.keys, requests); err != nil {
			return got, fmt.Errorf("%s: %w", b, err)
		}
		after, err := s.addrs(b.target)
		if err != nil {
			return got, err
		}
		if slices.Equal(before, after) && got.others <= o.others {
			return got, nil
		}
		time.Sleep(time.Second)
	}
	return got, fmt.Errorf("%s: no undisturbed run; at the last try others took %.2f CPUs", b, got.others)
}

func (s *servers) runOnce(addrs []string, l load, keys, requests int) (got sample, err error) {
	begin, err := s.cpuTimes()
	if err != nil {
		return got, err
	}
	if got, err = runAt(addrs, l, keys, requests); err != nil {
		return got, err
	}
	end, err := s.cpuTimes()
	if err != nil {
		return got, err
	}
	got.others = end.others(begin)
	got.cost = float64((end.servers - begin.servers).Microseconds()) / float64(requests)
	return got, nil
}

// runAt spreads the clients over some addresses. The rate is that of all requests until
// the last is answered; the latencies are those at the slowest address.
func runAt(addrs []string, l load, keys, requests int) (sample, error) {
	type outcome struct {
		sample
		err error
	}
	outcomes := make(chan outcome)
	total := 0
	for i, addr := range addrs {
		// The first addresses get the clients that are left over.
		share := l
		share.clients = (l.clients + len(addrs) - 1 - i) / len(addrs)
		n := max(requests*share.clients/l.clients, share.clients*l.pipeline)
		total += n
		go func() {
			got, err := redisBenchmark(addr, share, keys, n)
			got.rate = float64(n) / got.rate // seconds, for now
			outcomes <- outcome{got, err}
		}()
	}
	var all sample
	var errs []error
	for range addrs {
		got := <-outcomes
		errs = append(errs, got.err)
		all.rate = max(all.rate, got.rate)
		all.p50, all.p99 = max(all.p50, got.p50), max(all.p99, got.p99)
	}
	all.rate = float64(total) / all.rate
	return all, errors.Join(errs...)
}

// redisBenchmark runs the program once.
func redisBenchmark(addr string, l load, keys, requests int) (sample, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return sample{}, err
	}
	number := strconv.Itoa
	args := []string{"-h", host, "-p", port, "--csv", "-c", number(l.clients), "-P", number(l.pipeline), "-n", number(requests)}
	if t, ok := typedCommand(l.command); ok {
		args = append(args, "-r", number(collections))
		args = append(args, t.args...)
	} else {
		args = append(args, "-d", number(valueBytes), "-r", number(keys), "-t", strings.ToLower(l.command))
	}
	cmd := exec.Command("redis-benchmark", args...)
	out, err := cmd.Output()
	if err != nil { // an error reply ends the program, too
		return sample{}, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return parse(l.command, string(out))
}

// parse reads the line of a command out of what redis-benchmark --csv prints: its name,
// requests a second, and latencies: mean, least, 50th, 95th and 99th percentile, most.
func parse(command, out string) (s sample, err error) {
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		return s, fmt.Errorf("redis-benchmark printed %q: %w", out, err)
	}
	for _, record := range records {
		if name, _, _ := strings.Cut(record[0], " "); name != command || len(record) < 8 {
			continue
		}
		for field, to := range map[int]*float64{1: &s.rate, 4: &s.p50, 6: &s.p99} {
			if *to, err = strconv.ParseFloat(record[field], 64); err != nil {
				return s, err
			}
		}
		return s, nil
	}
	return s, fmt.Errorf("redis-benchmark printed no line for %s: %q", command, out)
}
