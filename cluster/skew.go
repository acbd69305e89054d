package cluster

import (
	"cmp"
	"slices"
	"time"
)

// clock is where a node's clock stands, as what it would have shown when this process
// started, by this process's monotonic time: at, and surely between low and high. In
// milliseconds since 1970. So two clocks can be compared whenever they were looked at.
type clock struct{ low, at, high int64 }

// ahead returns by how much a clock is surely ahead of another one; negative if behind,
// 0 if nobody can tell.
func (c clock) ahead(of clock) int64 { return max(c.low-of.high, 0) + min(c.high-of.low, 0) }

// sample is a clock that a peer has told.
type sample struct {
	asked time.Duration // monotonic, since the start
	trip  time.Duration // of the question and the answer
	at    int64
}

// newSample takes a clock for what it was half-way between question and answer.
func newSample(asked, answered time.Duration, told int64) sample {
	return sample{asked, answered - asked, told - (asked + (answered-asked)/2).Milliseconds()}
}

// clock is wrong by half of the trip at most, and a millisecond by rounding.
func (s sample) clock() clock {
	within := (s.trip / 2).Milliseconds() + 1
	return clock{s.at - within, s.at, s.at + within}
}

// sampleLife is how long a sample is believed in. A clock can be moved at any time, but
// then the next sample tells.
const sampleLife = 5 * time.Second

// samples are those of one peer, from old to new.
type samples []sample

// add forgets what is old, and all from before the clock was moved.
func (s samples) add(latest sample) samples {
	if best, ok := s.best(latest.asked); ok && latest.clock().ahead(best.clock()) != 0 {
		s = nil
	}
	s = slices.DeleteFunc(s, func(old sample) bool { return latest.asked-old.asked > sampleLife })
	return append(s, latest)
}

// best is the one with the shortest trip, false if there is none from lately.
func (s samples) best(now time.Duration) (best sample, ok bool) {
	for _, one := range s {
		if now-one.asked <= sampleLife && (!ok || one.trip <= best.trip) {
			best, ok = one, true
		}
	}
	return best, ok
}

// median is the clock in the middle, and so right if most are. Of an even number it is the
// lower of the two: late is better than early. But no right clock is behind latest, the last
// stamp in the log, by more than bound: it is left out where that leaves an odd number.
func median(clocks []clock, latest, bound int64) clock {
	middle := func(of func(clock) int64) int64 {
		slices.SortFunc(clocks, func(a, b clock) int { return cmp.Compare(of(a), of(b)) })
		return of(clocks[(len(clocks)-1)/2])
	}
	clocks = slices.Clone(clocks)
	if len(clocks)%2 == 0 {
		slowest := slices.MinFunc(clocks, func(a, b clock) int { return cmp.Compare(a.high, b.high) })
		if slowest.high < latest-bound {
			clocks = slices.Delete(clocks, slices.Index(clocks, slowest), slices.Index(clocks, slowest)+1)
		}
	}
	return clock{
		middle(func(c clock) int64 { return c.low }),
		middle(func(c clock) int64 { return c.at }),
		middle(func(c clock) int64 { return c.high }),
	}
}
