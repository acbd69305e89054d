package sim

import (
	"math/rand/v2"
	"testing"
)

// Bugs that are planted are found. Each is looked for under the faults that bring it to
// light, so that it takes seconds; TestSim would find it as well. Bugs that are planted in
// the source are a matter of test/mutations.
func TestPlants(t *testing.T) {
	for name, test := range map[string]struct {
		plants plants
		kinds  []string
	}{
		"acknowledge before fsync": {plants{noFsync: true}, []string{"power", "crash"}},
		"forget the vote":          {plants{forgetVote: true}, []string{"ballots"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum := &totals{faults: map[string]int{}}
			for range 100 {
				if found := round(t, rand.Uint64()>>1, life, 3, test.kinds, test.plants, sum); len(found) > 0 {
					t.Logf("found in cluster %d, after %v and %d failovers: %.300s", sum.clusters, sum.simulated, sum.failovers, found[0])
					return
				}
			}
			t.Errorf("not found in %d clusters with %d failovers", sum.clusters, sum.failovers)
		})
	}
}
