package test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/history"
)

// Histories of clients on all nodes are linearizable while nodes are killed, paused,
// stopped and started again: see package history for what is recorded and checked.
//
// HOLDFAST_HISTORY is how long to record, 60s without it; HOLDFAST_SEED gives the seed
// of an earlier run, which chooses the same faults and commands again, though not at
// the same moments:
//
//	HOLDFAST_HISTORY=10m go test ./test -run TestHistories -timeout 30m -v
func TestHistories(t *testing.T) {
	t.Parallel()
	duration, seed := time.Minute, rand.Uint64()
	var err error
	if s := os.Getenv("HOLDFAST_HISTORY"); s != "" {
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("HOLDFAST_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HOLDFAST_SEED=%d HOLDFAST_HISTORY=%v", seed, duration)

	// Few trailing entries and small snapshots: whoever was away catches up by one.
	c := start(t, "--snapshot-bytes", "256kb", "--trailing-logs", "500")
	recorder := history.Recorder{Keys: 4, Turn: time.Second, Rest: 5 * time.Millisecond, Nap: 3 * time.Second, Seed: seed}
	for range 8 {
		recorder.Addrs = append(recorder.Addrs, c.Addrs()...)
	}
	stop := make(chan struct{})
	broken := make(chan error, 1)
	faults := map[string]int{}
	go func() {
		broken <- breakNodes(c, rand.New(rand.NewPCG(seed, 1<<32)), time.Now().Add(duration), faults)
		close(stop)
	}()
	operations, err := recorder.Run(stop)
	if err != nil {
		t.Error(err)
	}
	if err := <-broken; err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for _, operation := range operations {
		if operation.Output.(history.Result).Unknown {
			unknown++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		t.Logf("%3d × %s", faults[kind], kind)
	}
	t.Logf("%d operations, %d of them without an answer", len(operations), unknown)
	if least := int(duration.Seconds()) * 100; len(operations) < least {
		t.Errorf("%d operations are too few to show anything: want %d", len(operations), least)
	}
	if err := history.Check(operations, max(time.Minute, duration)); err != nil {
		t.Error(err)
	}
	agree(t, c)
}

// breakNodes breaks one node after the other, now and then all at once, mends them, and
// counts what it did.
func breakNodes(c *harness.Cluster, dice *rand.Rand, until time.Time, faults map[string]int) error {
	kinds := []struct {
		name        string
		chance      int
		break_, end func(*harness.Node) error
	}{
		{"kill", 4, (*harness.Node).Kill, (*harness.Node).Start},
		{"stop", 2, (*harness.Node).Stop, (*harness.Node).Start},
		{"pause", 4, (*harness.Node).Pause, (*harness.Node).Resume},
	}
	sleep := func(least, most time.Duration) { time.Sleep(least + time.Duration(dice.Int64N(int64(most-least)))) }
	for time.Now().Before(until) {
		kind, n := kinds[0], dice.IntN(10)
		for _, kind = range kinds {
			if n -= kind.chance; n < 0 {
				break
			}
		}
		leader, err := c.Leader()
		if err != nil {
			return err
		}
		victims, whom := []*harness.Node{leader}, "the leader"
		switch n := dice.IntN(10); {
		case n == 0:
			victims, whom = slices.Clone(c.Nodes), "all nodes"
		case n == 1:
			victims, whom = c.Others(c.Nodes[dice.IntN(3)]), "two nodes"
		case n < 5:
			others := c.Others(leader)
			victims, whom = others[dice.IntN(2):][:1], "a follower"
		}
		faults[kind.name+" "+whom]++
		for _, n := range victims {
			if err := kind.break_(n); err != nil {
				return fmt.Errorf("%s %s: %w", kind.name, n.Name, err)
			}
		}
		if len(victims) == 1 {
			// Long enough for another leader, and for clients to ask who led before.
			if _, err := c.Leader(victims...); err != nil {
				return fmt.Errorf("after %s of %s: %w", kind.name, whom, err)
			}
		}
		sleep(50*time.Millisecond, 1500*time.Millisecond)
		dice.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		for _, n := range victims {
			if err := kind.end(n); err != nil {
				return fmt.Errorf("after %s: %s: %w", kind.name, n.Name, err)
			}
		}
		if err := c.WaitReady(30 * time.Second); err != nil {
			return errors.Join(fmt.Errorf("after %s of %s", kind.name, whom), err)
		}
		sleep(0, time.Second)
	}
	return nil
}
