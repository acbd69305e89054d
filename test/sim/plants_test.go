package sim

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Bugs that are planted are found. Each is looked for under the faults that bring it to
// light, so that it takes seconds; TestSim would find it as well. The vote that is forgotten
// takes up to a minute: it is planted in long runs, those with HOLDFAST_SIM. Bugs that are
// planted in the source are a matter of test/mutations.
func TestPlants(t *testing.T) {
	type plant struct {
		plants plants
		kinds  []string
	}
	planted := map[string]plant{"acknowledge before fsync": {plants{noFsync: true}, []string{"power", "crash"}}}
	if os.Getenv("HOLDFAST_SIM") != "" {
		planted["forget the vote"] = plant{plants{forgetVote: true}, []string{"ballots"}}
	}
	for name, test := range planted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum := &totals{faults: map[string]int{}}
			dir := t.TempDir()
			for range 100 {
				if found := round(t, rand.Uint64()>>1, life, 3, test.kinds, test.plants, sum, dir); len(found) > 0 {
					for name, want := range map[string]string{"history": " -> ", "log": found[0]} {
						if kept, err := os.ReadFile(filepath.Join(dir, name)); !strings.Contains(string(kept), want) {
							t.Errorf("%s has %d bytes (%v), and not %q", name, len(kept), err, want)
						}
					}
					t.Logf("found in cluster %d, after %v and %d failovers: %.300s", sum.clusters, sum.simulated, sum.failovers, found[0])
					return
				}
			}
			t.Errorf("not found in %d clusters with %d failovers", sum.clusters, sum.failovers)
		})
	}
}
