package resp

import (
	"bytes"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/fsm"
)

// stats counts what INFO tells since the node started or CONFIG RESETSTAT.
type stats struct {
	connections, rejected, commands, input, output, panics, outputLimit atomic.Int64
	reads, writes                                                       atomic.Int64 // from and to sockets

	mu       sync.Mutex
	errors   map[string]int64 // by code
	rates    rates
	peakHeap uint64
	base     fsm.Counts // those of the Store at the last reset
}

// rates are measured over the last second and a half, as in Redis.
type rates struct {
	at                      time.Time
	commands, input, output int64 // counters at that moment
	samples                 [16]rate
	next                    int
}

// rate is per second.
type rate struct{ commands, input, output int64 }

// sample takes a sample of the counters; call it ten times a second.
func (s *stats) sample(now time.Time) {
	commands, input, output := s.commands.Load(), s.input.Load(), s.output.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.rates
	if ms := now.Sub(r.at).Milliseconds(); ms > 0 && !r.at.IsZero() {
		r.samples[r.next%len(r.samples)] = rate{
			max(0, commands-r.commands) * 1000 / ms,
			max(0, input-r.input) * 1000 / ms,
			max(0, output-r.output) * 1000 / ms,
		}
		r.next++
	}
	r.at, r.commands, r.input, r.output = now, commands, input, output
}

// rate is the mean of the samples.
func (s *stats) rate() (mean rate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(s.rates.samples))
	for _, r := range s.rates.samples {
		mean.commands += r.commands
		mean.input += r.input
		mean.output += r.output
	}
	return rate{mean.commands / n, mean.input / n, mean.output / n}
}

// countError counts an error reply under its code.
func (s *stats) countError(reply fsm.Reply) {
	code := reply[1:]
	if end := bytes.IndexAny(code, " \r"); end >= 0 {
		code = code[:end]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = make(map[string]int64)
	}
	// The codes are a few dozen; a script's own error codes must not fill the memory.
	if _, known := s.errors[string(code)]; known || len(s.errors) < 128 {
		s.errors[string(code)]++
	}
}

func (s *stats) errorCounts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.errors)
}

// peak is the largest heap that was ever asked for with it.
func (s *stats) peak(heap uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peakHeap = max(s.peakHeap, heap)
	return s.peakHeap
}

// since takes off what the Store had counted at the last reset.
func (s *stats) since(counts fsm.Counts) fsm.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts.Expired -= s.base.Expired
	counts.ExpiredFields -= s.base.ExpiredFields
	counts.ReapsCut -= s.base.ReapsCut
	counts.Hits -= s.base.Hits
	counts.Misses -= s.base.Misses
	return counts
}

// reset is CONFIG RESETSTAT.
func (s *stats) reset(counts fsm.Counts) {
	for _, counter := range []*atomic.Int64{&s.reads, &s.writes, &s.connections, &s.rejected, &s.commands, &s.input, &s.output, &s.panics, &s.outputLimit} {
		counter.Store(0)
	}
	s.mu.Lock()
	s.errors, s.rates, s.base, s.peakHeap = nil, rates{}, counts, 0
	s.mu.Unlock()
}

// rowStats counts the uses of one command.
type rowStats struct {
	calls, nanos, rejected, failed atomic.Int64
	histogram                      atomic.Pointer[histogram] // nil before the first call
}

// add counts calls that took the same time each.
func (s *rowStats) add(calls, failed int64, took time.Duration) {
	s.calls.Add(calls)
	s.nanos.Add(calls * int64(took))
	if failed > 0 {
		s.failed.Add(failed)
	}
	h := s.histogram.Load()
	if h == nil {
		s.histogram.CompareAndSwap(nil, new(histogram))
		h = s.histogram.Load()
	}
	h.add(took, calls)
}

func (s *rowStats) reset() {
	s.calls.Store(0)
	s.nanos.Store(0)
	s.rejected.Store(0)
	s.failed.Store(0)
	s.histogram.Store(nil)
}
