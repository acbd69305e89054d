package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{1 << 20: mostPercent, 10 << 30: leastPercent} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes: %d, want %d", live, got, want)
		}
	}
}

func TestCollectionsRest(t *testing.T) {
	share := func() int {
		percent := debug.SetGCPercent(-1)
		debug.SetGCPercent(percent)
		return percent
	}
	usual := share()
	defer debug.SetGCPercent(usual)
	var c gcPolicy
	ended := c.rest()
	c.adjust() // as after a collection that was under way
	if got := share(); got != -1 {
		t.Errorf("the heap grows by %d%% until a collection", got)
	}
	ended()
	runtime.GC()
	if got := share(); got < leastPercent || got > mostPercent {
		t.Errorf("the heap grows by %d%% afterwards", got)
	}
	debug.SetGCPercent(50)
	t.Setenv("GOGC", "50")
	c.rest()
	if got := share(); got != 50 {
		t.Errorf("%d%% although GOGC is set to 50", got)
	}
}
