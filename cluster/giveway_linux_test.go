package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Only what is run there has the low priority, and nothing of it stays.
func TestGiveWay(t *testing.T) {
	priority := func() int {
		p, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			t.Error(err)
		}
		return p
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual := priority()
	low := max(usual-niceness, 1) // there is none below
	var g giveWay
	for range 3 {
		for range 3 {
			thread, got := 0, 0
			g.run(func() { thread, got = unix.Gettid(), priority() })
			if thread == unix.Gettid() || got != low {
				t.Errorf("priority %d on thread %d, want %d, not on %d", got, thread, low, unix.Gettid())
			}
		}
		g.end()
		g.end()
	}
	if got := priority(); got != usual {
		t.Errorf("priority %d, it was %d", got, usual)
	}
}

// A node that comes back to a log which has gone on applies it with low priority.
func TestCatchUpGivesWay(t *testing.T) {
	c := newCluster(t, 3, nil)
	behind := (c.leader() + 1) % 3
	c.stop(behind)
	for range 5 * behindEntries {
		c.write(c.leader(), "INCR count")
	}
	before := lowThreads(t)
	c.start(behind)
	seen := false
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if seen = seen || lowThreads(t) > before; seen && lowThreads(t) <= before {
			break
		}
	}
	if !seen {
		t.Error("no thread of low priority was there")
	}
	if got := lowThreads(t); got > before {
		t.Errorf("%d threads of low priority are left", got-before)
	}
	c.same()
}

// lowThreads counts the threads of this process that are nicer than its first one.
func lowThreads(t *testing.T) (count int) {
	t.Helper()
	niceness := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			return "" // it has just ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // proc(5): field 3 on
		return fields[16]
	}
	tasks, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	first := niceness("/proc/self/stat")
	for _, task := range tasks {
		if got := niceness(task); got != "" && got != first {
			count++
		}
	}
	return count
}
