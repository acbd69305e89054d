package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/test/checked"
)

// life is how long a cluster lives, in its own time.
const life = 2 * time.Minute

// totals are what all clusters went through.
type totals struct {
	sync.Mutex
	clusters, failovers int
	refusals            int
	commands, open      int64
	simulated           time.Duration
	faults              map[string]int
}

// round lets a cluster live, and returns what was found. If that is anything, a history and
// a log are kept: see world.keep.
func round(t *testing.T, seed uint64, duration time.Duration, nodes int, kinds []string, p plants, sum *totals, dir string) (found []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, nodes, p)
		for _, h := range w.hosts {
			h.run()
		}
		workloads := checked.Workloads()
		faults := map[string]int{}
		if w.ready() {
			stop := make(chan struct{})
			running := w.crowd(workloads, stop)
			w.execute(newPlan(w.dice(2), duration, kinds), faults)
			close(stop)
			running.Wait()
		}
		if len(w.found()) == 0 {
			checked.Judge(workloads, w.newClient(w.hosts[0]))
			w.agree()
		}
		lived := time.Since(w.start)
		w.close()
		found = w.found()
		if len(found) > 0 {
			kept, err := w.keep(dir)
			t.Logf("the history and the log are kept in %s (%v)", kept, err)
		}
		sum.Lock()
		defer sum.Unlock()
		sum.clusters++
		sum.failovers += w.log.failovers()
		sum.refusals += w.refusals
		sum.commands += w.book.Asked.Load()
		sum.open += w.book.Open.Load()
		sum.simulated += lived
		for kind, n := range faults {
			sum.faults[kind] += n
		}
	})
	return found
}

// Clusters keep their promises in virtual time while everything breaks.
//
// HOLDFAST_SIM is how long all of them live together, in their own time, 10 minutes
// without it. HOLDFAST_SEED is the seed of an earlier cluster, which alone is made then:
// the same things are broken at the same moments, although goroutines may run in another
// order. HOLDFAST_SIM_FAULTS is a list of the only faults, as "pause,alone". Of
// a cluster in which something is found the history of its clients and the log are kept.
//
//	HOLDFAST_SIM=10h go test ./test/sim -run TestSim -timeout 2h -v
func TestSim(t *testing.T) {
	duration := 10 * time.Minute
	if s := os.Getenv("HOLDFAST_SIM"); s != "" {
		var err error
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	seeds := make([]uint64, max(1, int(duration/life)))
	for i := range seeds {
		seeds[i] = rand.Uint64() >> 1
	}
	if s := os.Getenv("HOLDFAST_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	kinds := everything
	if s := os.Getenv("HOLDFAST_SIM_FAULTS"); s != "" {
		kinds = strings.Split(s, ",")
	}
	sum := &totals{faults: map[string]int{}}
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				for _, text := range round(t, seed, life, 3+2*int(seed%4/3), kinds, plants{}, sum, "") {
					t.Errorf("HOLDFAST_SEED=%d: %s", seed, text)
				}
			})
		}
	})
	sum.report(t, time.Since(began))
}

func (s *totals) report(t *testing.T, took time.Duration) {
	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(s.faults)) {
		counts = append(counts, fmt.Sprintf("%d %s", s.faults[kind], kind))
	}
	t.Logf("%d clusters lived %v together, in %v: %d failovers (%.0f a real minute), %d commands, %d of them without an outcome",
		s.clusters, s.simulated.Round(time.Second), took.Round(time.Second), s.failovers, float64(s.failovers)/took.Minutes(), s.commands, s.open)
	t.Logf("faults: %s; %d nodes refused to start from a damaged disk", strings.Join(counts, ", "), s.refusals)
}
