package sim

import (
	"math/rand/v2"
	"testing"
)

// Bugs that are planted are found.
func TestPlants(t *testing.T) {
	for name, p := range map[string]plants{
		"answer reads locally":     {localReads: true},
		"acknowledge before fsync": {noFsync: true},
		"forget the vote":          {forgetVote: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum := &totals{faults: map[string]int{}}
			for range 20 {
				if found := round(t, rand.Uint64()>>1, life, 3, p, sum); len(found) > 0 {
					t.Logf("found in cluster %d, after %d failovers: %.300s", sum.clusters, sum.failovers, found[0])
					return
				}
			}
			t.Errorf("not found in %d clusters with %d failovers", sum.clusters, sum.failovers)
		})
	}
}
