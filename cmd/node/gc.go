package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Go lets the heap double between two collections. A keyspace of a gigabyte would then
// take two, and one of ten megabytes be collected ten times a second under load. So the
// bigger the heap, the smaller the share it may grow by: it grows by headroom, but at
// least by leastPercent and at most by mostPercent. With a million sessions 42, 65 and 81
// thousand SETs a second, of pipelines of 16, were answered at 20, 60 and 120 percent.
const (
	headroom     = 128 << 20
	leastPercent = 60
	mostPercent  = 400
)

// gcPercent is the share in percent by which a heap of live bytes may grow.
func gcPercent(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	return int(min(max(headroom*100/live, leastPercent), mostPercent))
}

// gcPolicy has the heap grow by gcPercent between two collections, unless GOGC is set.
type gcPolicy struct {
	mu      sync.Mutex
	resting bool
}

// watch adjusts the share after each collection.
func (p *gcPolicy) watch() {
	if os.Getenv("GOGC") == "" {
		runtime.SetFinalizer(&collection{}, func(*collection) {
			p.adjust()
			p.watch()
		})
	}
}

// collection is garbage that tells of a collection: its finalizer runs after one.
type collection struct{ _ [16]byte }

// rest has nothing collected, short of GOMEMLIMIT, until what it returns is called. It is for
// when a snapshot is restored: a keyspace that only grows has next to nothing to collect.
func (p *gcPolicy) rest() (ended func()) {
	set := func(resting bool) {
		p.mu.Lock()
		p.resting = resting
		p.mu.Unlock()
		p.adjust()
	}
	set(true)
	return func() { set(false) }
}

func (p *gcPolicy) adjust() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case os.Getenv("GOGC") != "":
	case p.resting:
		debug.SetGCPercent(-1)
	default:
		debug.SetGCPercent(gcPercent(liveHeap()))
	}
}

// liveHeap is how many bytes the last collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
