package workload

import (
	"fmt"
	"slices"
	"time"
)

// Pauses are the worst waits of several faults of one kind.
type Pauses []time.Duration

// Percentile is the smallest pause that at least p per cent are not longer than.
func (p Pauses) Percentile(percent int) time.Duration {
	if len(p) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func (p Pauses) String() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	return fmt.Sprintf("n=%d p50=%s p99=%s max=%s ms", len(p), ms(p.Percentile(50)), ms(p.Percentile(99)), ms(p.Percentile(100)))
}
