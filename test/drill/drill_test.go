package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

func TestParseKinds(t *testing.T) {
	for list, want := range map[string]string{
		"all":                        kindNames(),
		"kill":                       "kill-leader,kill-loaded-leader,kill-follower",
		"stop-leader,kill-leader":    "kill-leader,stop-leader",
		"pause,pause-leader,nothing": "nothing,pause-leader,pause-follower",
		"":                           "",
		"kill,burn":                  "",
	} {
		chosen, err := parseKinds(list)
		var names []string
		for _, k := range chosen {
			names = append(names, k.name)
		}
		if got := strings.Join(names, ","); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %s, %v, want %s", list, got, err, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		report report
		good   bool
	}{
		{"promises kept, errors at nodes that were down", report{findings: workload.Findings{Excused: 1, Unknown: 1}}, true},
		{"an error at a surviving node", report{findings: workload.Findings{Errors: 1}}, false},
		{"a lost write", report{findings: workload.Findings{Lost: 1}}, false},
		{"a duplicated increment", report{findings: workload.Findings{Duplicated: 1}}, false},
		{"a stale read", report{findings: workload.Findings{Stale: 1}}, false},
		{"states that differ", report{differ: errors.New("the digests differ")}, false},
	}
	for _, test := range tests {
		if got := test.report.good(); got != test.good {
			t.Errorf("%s: good is %v", test.name, got)
		}
	}
}

// A goal is reached by what is as long as it, and missed by what is longer. There is none
// where none was set.
func TestJudged(t *testing.T) {
	tests := []struct {
		kind string
		load bool
		ms   int
		want string
	}{
		{"kill-leader", false, 20, "p50 <= 20 ms reached, p99 <= 300 ms reached"},
		{"kill-leader", false, 21, "p50 <= 20 ms missed, p99 <= 300 ms reached"},
		{"kill-leader", true, 21, "p50 <= 50 ms reached, p99 <= 300 ms reached"},
		{"kill-loaded-leader", false, 301, "p50 <= 50 ms missed, p99 <= 300 ms missed"},
		{"pause-leader", false, 601, "p50 <= 600 ms missed"},
		{"failover-leader", false, 100, "p50 <= 20 ms missed, p99 <= 100 ms reached"},
		{"stop-leader", true, 1, ""},
		{"kill-follower", false, 1, ""},
	}
	for _, test := range tests {
		if got := judged(test.kind, test.load, workload.Pauses{time.Duration(test.ms) * time.Millisecond}); got != test.want {
			t.Errorf("%s of %d ms, load %v: %q, want %q", test.kind, test.ms, test.load, got, test.want)
		}
	}
	for name := range goals {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			t.Errorf("a goal for %s, which is no kind of fault", name)
		}
	}
}

// The rounds in which all stores take turns are as many as were asked for, and stand evenly
// among the others.
func TestTogether(t *testing.T) {
	for _, test := range []struct{ rounds, shared int }{{100, 20}, {100, 100}, {7, 3}, {5, 1}} {
		c := comparison{rounds: test.rounds, shared: test.shared}
		count, gap := 0, 0
		for round := range test.rounds {
			if gap++; c.together(round) {
				count, gap = count+1, 0
			}
			if most := (test.rounds + test.shared - 1) / test.shared; gap >= most {
				t.Errorf("%+v: %d rounds without the others before round %d", test, gap, round+1)
			}
		}
		if count != test.shared {
			t.Errorf("%+v: %d rounds with all", test, count)
		}
	}
}

// Whoever could not be served before the fault ends is not waited for.
func TestCrowds(t *testing.T) {
	cluster, err := harness.New(harness.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	h := holdfast{Cluster: cluster}
	c := comparison{holdfast: h, rounds: 2, shared: 1} // alone in round 0
	for name, want := range map[string][2]string{      // clients at n1, which breaks, and elsewhere, alone and together
		"kill-leader":     {"2+1", "2+1"},
		"pause-leader":    {"2", "2+1"},
		"cut-leader":      {"2", "2"},
		"failover-leader": {"3", "3"},
	} {
		k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
		for round := range 2 {
			var at []string
			for _, crowd := range c.crowds(h, k, cluster.Nodes[0], round) {
				at = append(at, fmt.Sprint(len(crowd.addrs)))
			}
			if got := strings.Join(at, "+"); got != want[round] {
				t.Errorf("%s in round %d: clients at %s nodes, want %s", name, round, got, want[round])
			}
		}
	}
}

// A limit that passes when the last fault is over has shortened nothing: a million sessions
// take their time to be compared.
func TestShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for want, chosen := range map[string][]kind{"interrupted": kinds[:1], "": nil} {
			d := drill{total: 1, rand: rand.New(rand.NewPCG(1, 0))}
			c := comparison{rounds: 1, shared: 1, rand: d.rand, peers: []peer{nil}}
			if err := errors.Join(d.rounds(over, chosen), c.run(over, chosen)); err != nil || d.early != want || c.early != want {
				t.Errorf("%d kinds left: %q and %q, %v, want %q", len(chosen), d.early, c.early, err, want)
			}
		}
	})
}
