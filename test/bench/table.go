package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
)

// goal is what a row has to reach: a share of another target's rate under the same load.
type goal struct {
	of    target
	share float64 // 0: shown for information
}

// goals of each row; where a command is not named at 500 clients, 0.
func goalOf(b benchmark) (g goal, ok bool) {
	if t, ok := typedCommand(b.command); ok {
		if b.target != leader {
			return goal{}, false
		}
		if t.reads {
			return goal{inMemory, typeShare}, true
		}
		return goal{always, typeShare}, true
	}
	reference, shares := always, [3]float64{0.7, 0.5, 0.9}
	if b.command == "GET" {
		reference, shares = inMemory, [3]float64{0.85, 0.7, 0}
	}
	switch b.target {
	case leader:
		switch {
		case b.pipeline > 1:
			return goal{reference, shares[1]}, true
		case b.clients >= 500:
			return goal{reference, shares[2]}, true
		}
		return goal{reference, shares[0]}, true
	case follower:
		if b.command == "SET" {
			return goal{leader, 0.85}, true
		}
		return goal{reference, 0}, true
	case spread:
		return goal{reference, 0}, true
	}
	return goal{}, false
}

// print prints the medians of all runs and the ratios.
func print(out io.Writer, o options, results map[benchmark][]sample) {
	what := fmt.Sprintf("%d-byte values, %d keys", valueBytes, o.keys)
	if o.types {
		what = fmt.Sprintf("%d collections of %d elements of each type", collections, elements)
	}
	fmt.Fprintf(out, "%s, %d CPUs, medians of %d rounds of %v; ratios within a round: median (least .. most)\n",
		what, runtime.NumCPU(), o.rounds, o.duration)
	var all []sample
	for _, samples := range results {
		all = append(all, samples...)
	}
	fmt.Fprintf(out, "others took %.2f CPUs (median over all runs)\n", median(all, func(s sample) float64 { return s.others }))
	plan := o.plan()
	for _, l := range plan.loads {
		headed := false
		for _, t := range plan.targets {
			b := benchmark{l, t}
			samples := results[b]
			if len(samples) == 0 {
				continue
			}
			if !headed {
				fmt.Fprintf(out, "\n%-30s %9s %8s %8s %8s   %s\n", title(l), "ops/s", "p50 ms", "p99 ms", "µs/op", "ratio")
				headed = true
			}
			fmt.Fprintf(out, "  %-28s %9.0f %8.2f %8.2f %8.1f   %s\n", t, median(samples, sample.getRate), median(samples, sample.getP50),
				median(samples, sample.getP99), median(samples, sample.getCost), ratio(b, results))
		}
	}
}

func title(l load) string {
	s := fmt.Sprintf("%s, %d clients", l.command, l.clients)
	if l.pipeline > 1 {
		s += fmt.Sprintf(", pipeline %d", l.pipeline)
	}
	return s
}

// ratio compares a row with the one that its goal names, round by round.
func ratio(b benchmark, results map[benchmark][]sample) string {
	g, ok := goalOf(b)
	if !ok {
		return ""
	}
	mine, theirs := results[b], results[benchmark{b.load, g.of}]
	if len(mine) != len(theirs) {
		return "" // --only left it out
	}
	var ratios []float64
	for i := range mine {
		ratios = append(ratios, mine[i].rate/theirs[i].rate)
	}
	middle := median(ratios, func(r float64) float64 { return r })
	s := fmt.Sprintf("%.2f (%.2f .. %.2f) of %s", middle, slices.Min(ratios), slices.Max(ratios), g.of)
	switch {
	case g.share == 0:
	case middle >= g.share:
		s += fmt.Sprintf(", to reach %.2f: reached", g.share)
	default:
		s += fmt.Sprintf(", to reach %.2f: missed", g.share)
	}
	return s
}

func (s sample) getRate() float64 { return s.rate }
func (s sample) getP50() float64  { return s.p50 }
func (s sample) getP99() float64  { return s.p99 }
func (s sample) getCost() float64 { return s.cost }

func median[T any](samples []T, of func(T) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
