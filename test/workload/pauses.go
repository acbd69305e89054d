package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pauses are the worst waits of several faults of one kind.
type Pauses []time.Duration

// Percentile is the smallest pause that at least p per cent are not longer than; that of 0
// is the shortest.
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

// Steps bound the bars of Bars: what is shorter than the first is in the first, what is not
// shorter than the last is in one more.
var Steps = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

// Bars draws how many pauses there are between each two Steps, a character for each; the
// highest bar stands for the most.
func (p Pauses) Bars() string {
	counts := make([]int, len(Steps)+1)
	for _, pause := range p {
		i, found := slices.BinarySearch(Steps, pause)
		if found {
			i++
		}
		counts[i]++
	}
	const heights = "▁▂▃▄▅▆▇█"
	bars := []rune(heights)
	most := slices.Max(counts)
	var drawn strings.Builder
	for _, n := range counts {
		if n == 0 {
			drawn.WriteRune('·')
			continue
		}
		drawn.WriteRune(bars[(n*len(bars)+most-1)/most-1])
	}
	return drawn.String()
}
