package workload

import (
	"math/bits"
	"sync"
	"time"
)

// Tick is the length of a moment.
const Tick = 100 * time.Millisecond

// Timeline is what crowds saw, moment by moment. Its methods are safe for concurrent use;
// a nil Timeline takes everything and keeps nothing.
type Timeline struct {
	Began time.Time

	mu      sync.Mutex
	moments []*moment
}

type moment struct {
	replies, errors int
	waits           waits
}

// NewTimeline begins now.
func NewTimeline() *Timeline { return &Timeline{Began: time.Now()} }

// Moment is a tenth of a second.
type Moment struct {
	Replies  int           // that came in it, at all nodes
	Errors   int           // at nodes that were not down
	P50, P99 time.Duration // waits for those replies, at nodes that were not down; 0 if there were none
}

// Moments are all so far, without those in which nothing has happened yet.
func (t *Timeline) Moments() []Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Moment, len(t.moments))
	for i, m := range t.moments {
		list[i] = Moment{m.replies, m.errors, m.waits.percentile(50), m.waits.percentile(99)}
	}
	return list
}

// reply notes a reply; waits at a node that was down are no measure of the others.
func (t *Timeline) reply(at time.Time, wait time.Duration, counts bool) {
	t.at(at, func(m *moment) {
		m.replies++
		if counts {
			m.waits.add(wait)
		}
	})
}

func (t *Timeline) failure(at time.Time) {
	t.at(at, func(m *moment) { m.errors++ })
}

func (t *Timeline) at(at time.Time, change func(*moment)) {
	if t == nil || at.Before(t.Began) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := int(at.Sub(t.Began) / Tick)
	for len(t.moments) <= i {
		t.moments = append(t.moments, &moment{})
	}
	change(t.moments[i])
}

// waits counts waits by their length in µs. A bucket is an eighth of a power of two wide,
// so that a percentile is at most an eighth too long.
type waits struct {
	total   int
	buckets [200]uint32
}

func (w *waits) add(wait time.Duration) {
	w.total++
	w.buckets[min(bucketOf(uint64(wait.Microseconds())), len(w.buckets)-1)]++
}

func (w *waits) percentile(percent int) time.Duration {
	if w.total == 0 {
		return 0
	}
	left := (w.total*percent + 99) / 100
	for i, n := range w.buckets {
		if left -= int(n); left <= 0 {
			return time.Duration(bucketEnd(i)) * time.Microsecond
		}
	}
	panic("workload: waits are not in their buckets")
}

// bucketOf numbers the lengths below 16 one by one, and those of each power of two from
// there in eighths.
func bucketOf(length uint64) int {
	if length < 16 {
		return int(length)
	}
	power := bits.Len64(length) - 1
	return (power-3)*8 + int(length>>(power-3))
}

// bucketEnd is the longest length in a bucket.
func bucketEnd(bucket int) uint64 {
	if bucket < 16 {
		return uint64(bucket)
	}
	eighth, shift := uint64(bucket%8)+8, bucket/8-1
	return (eighth+1)<<shift - 1
}
