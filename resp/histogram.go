package resp

import (
	"iter"
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in steps of an eighth of a per cent of their octave, as
// Redis does with two significant digits: everything below 1.024 us in one, and 128 in
// each octave from there up to a second, beyond which the last one counts all.
type histogram [1 + histogramOctaves*histogramSteps]atomic.Int64

const (
	histogramSteps   = 128
	histogramFirst   = 10 // the first octave begins at 1<<10 ns
	histogramOctaves = 20
)

func (h *histogram) add(took time.Duration, n int64) {
	ns := uint64(max(took, 0))
	octave := bits.Len64(ns) - 1 - histogramFirst
	switch {
	case octave < 0:
		h[0].Add(n)
	case octave >= histogramOctaves:
		h[len(h)-1].Add(n)
	default:
		step := ns>>(octave+histogramFirst-7) - histogramSteps
		h[1+octave*histogramSteps+int(step)].Add(n)
	}
}

// highest is the longest duration that is counted at an index.
func (h *histogram) highest(index int) time.Duration {
	if index == 0 {
		return 1<<histogramFirst - 1
	}
	octave, step := (index-1)/histogramSteps, (index-1)%histogramSteps
	return time.Duration(histogramSteps+step+1)<<(octave+histogramFirst-7) - 1
}

func (h *histogram) total() (n int64) {
	for i := range h {
		n += h[i].Load()
	}
	return n
}

// percentile is what at least so many of a hundred durations do not exceed.
func (h *histogram) percentile(percent float64) time.Duration {
	wanted := int64(percent/100*float64(h.total()) + 0.5)
	sum := int64(0)
	for i := range h {
		if sum += h[i].Load(); sum >= max(wanted, 1) {
			return h.highest(i)
		}
	}
	return 0
}

// octaves visits the first step of every octave that somebody was counted since the one
// before, with how many there were up to it, and at last the end of the histogram.
func (h *histogram) octaves() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		sum, before := int64(0), int64(0)
		for i := range h {
			sum += h[i].Load()
			last := i == len(h)-1
			if ((i-1)%histogramSteps == 0 || last) && sum > before {
				if !yield(h.highest(i), sum) {
					return
				}
				before = sum
			}
		}
	}
}
