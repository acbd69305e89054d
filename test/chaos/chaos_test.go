package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/checked"
	"holdfast/test/harness"
)

// A cluster keeps its promises while processes, disks and wires break in every way.
//
// HOLDFAST_CHAOS is how long they do, a minute without it; HOLDFAST_SEED is the seed of
// an earlier run, which makes the same plan again, though not at the same moments;
// HOLDFAST_CHAOS_NODES is how many nodes there are, three without it; HOLDFAST_CHAOS_FAULTS
// is a list of the only faults, as "pause,alone":
//
//	HOLDFAST_CHAOS=1h go test ./test/chaos -run TestChaos -timeout 2h -v
//
// It needs root, for machines of its own: see package machine. A run that finds something
// leaves its directory, with the history of all clients and the logs of the nodes.
func TestChaos(t *testing.T) {
	duration, longest, seed, nodes := time.Minute, 6*time.Second, rand.Uint64()>>1, 3
	var err error
	if s := os.Getenv("HOLDFAST_CHAOS"); s != "" {
		longest = 30 * time.Second
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("HOLDFAST_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("HOLDFAST_CHAOS_NODES"); s != "" {
		if nodes, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var named []string
	if s := os.Getenv("HOLDFAST_CHAOS_FAULTS"); s != "" {
		named = strings.Split(s, ",")
	}
	p, err := newPlan(seed, duration, longest, named...)
	if err != nil {
		t.Fatal(err)
	}
	store := "wal"
	if seed%4 == 0 {
		store = "bolt"
	}
	t.Logf("HOLDFAST_SEED=%d HOLDFAST_CHAOS=%v HOLDFAST_CHAOS_NODES=%d HOLDFAST_CHAOS_FAULTS=%s (log in %s)", seed, duration, nodes, strings.Join(named, ","), store)

	dir, err := os.MkdirTemp("", "holdfast-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := harness.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Snapshots come every few dozen entries, and hardly any entries stay behind them:
	// whoever was away catches up by one.
	a, err := openArena(dir, binary, nodes, seed, "--snapshot-bytes", "16kb", "--trailing-logs", "50", "--commit-timeout", "5s", "--digest-interval", "2s", "--log-format", "text", "--log-store", store)
	if err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if !t.Failed() {
			os.RemoveAll(dir)
			return
		}
		for _, large := range []string{"*.disk", "holdfast"} {
			files, _ := filepath.Glob(filepath.Join(dir, large))
			for _, file := range files {
				os.Remove(file)
			}
		}
		t.Logf("the history and the logs are kept in %s; HOLDFAST_SEED=%d", dir, seed)
	})
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}

	a.workloads = checked.Workloads()
	for _, n := range a.Nodes {
		a.crowd(n)
	}
	faults := map[string]int{}
	recoveries, err := a.execute(p, faults)
	close(a.stop)
	a.running.Wait()
	if err != nil {
		a.find("%v", err)
	}
	begun := time.Now()
	if len(a.found()) == 0 {
		checked.Judge(a.workloads, a.newClient(a.Nodes[0]))
		if err := errors.Join(a.Agree(), a.compared()); err != nil {
			a.find("%v", err)
		}
	}
	t.Logf("judged within %v", time.Since(begun).Round(time.Millisecond))
	for _, n := range a.Nodes {
		if at := strings.Index(n.Log(), "panic:"); at >= 0 {
			a.find("%s panicked: %.2000s", n.Name, n.Log()[at:])
		}
		if at := strings.Index(n.Log(), "states differ"); at >= 0 {
			a.find("%s: %.500s", n.Name, n.Log()[at:])
		}
	}
	for _, text := range a.found() {
		t.Error(text)
	}

	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		counts = append(counts, fmt.Sprintf("%d %s", faults[kind], kind))
	}
	slices.Sort(recoveries)
	t.Logf("faults: %s", strings.Join(counts, ", "))
	t.Logf("%d commands, %d of them without an answer", a.book.Asked.Load(), a.book.Open.Load())
	if len(recoveries) > 0 {
		t.Logf("ready after mending: n=%d p50=%v max=%v", len(recoveries), recoveries[len(recoveries)/2], recoveries[len(recoveries)-1])
	}
	if least := int64(duration.Seconds()) * 50; a.book.Asked.Load() < least && !t.Failed() {
		t.Errorf("%d commands are too few to show anything: want %d", a.book.Asked.Load(), least)
	}
}

// compared waits until every node says that a majority has its state.
func (a *arena) compared() error {
	deadline := time.Now().Add(20 * time.Second)
	for _, n := range a.Nodes {
		for {
			info, err := n.Info("raft")
			if err == nil && info["raft_digest_state"] == "agreed" {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the state of %s is %q: %v", n.Name, info["raft_digest_state"], err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// A plan comes from its seed alone, and has every fault sooner or later.
func TestPlan(t *testing.T) {
	const seed, hours = 7, 10
	p, err := newPlan(seed, hours*time.Hour, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := newPlan(seed, hours*time.Hour, 30*time.Second); fmt.Sprint(p) != fmt.Sprint(again) {
		t.Error("two plans of one seed differ")
	}
	if _, err := newPlan(seed, time.Hour, time.Minute, "earthquake"); err == nil {
		t.Error("a fault that does not exist is planned")
	}
	planned := map[string]bool{}
	for _, s := range p {
		if len(s.faults) == 0 {
			t.Error("a step without a fault")
		}
		for _, f := range s.faults {
			planned[f.kind] = true
		}
	}
	for _, of := range append(slices.Collect(maps.Values(kinds)), exclusive) {
		for _, kind := range of {
			if !planned[kind] {
				t.Errorf("%d hours without %s", hours, kind)
			}
		}
	}
}
