package cluster

import (
	"runtime"
	"testing"

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
	if usual <= niceness {
		t.Skip("the test has a low priority itself")
	}
	var g giveWay
	for range 3 {
		for range 3 {
			thread, got := 0, 0
			g.run(func() { thread, got = unix.Gettid(), priority() })
			if thread == unix.Gettid() || got != usual-niceness {
				t.Errorf("priority %d on thread %d, want %d, not on %d", got, thread, usual-niceness, unix.Gettid())
			}
		}
		g.end()
		g.end()
	}
	if got := priority(); got != usual {
		t.Errorf("priority %d, it was %d", got, usual)
	}
}
