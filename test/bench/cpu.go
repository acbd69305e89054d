package main

import (
	"syscall"
	"time"

	"holdfast/test/harness"
)

// cpuTimes tells how much of the machine others took: a ratio measured beside a busy
// neighbour says little.
type cpuTimes struct {
	at      time.Time
	total   time.Duration // of all CPUs that was not idle, or was stolen
	servers time.Duration
	clients time.Duration // those that have ended, and this process
}

func (s *servers) cpuTimes() (t cpuTimes, err error) {
	t.at = time.Now()
	if t.total, err = harness.BusyCPU(); err != nil {
		return t, err
	}
	for _, n := range s.all() {
		if !n.Running() {
			continue
		}
		used, err := harness.CPU(n.PID())
		if err != nil {
			return t, err
		}
		t.servers += used
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} { // only children that have ended
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return t, err
		}
		t.clients += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return t, nil
}

// others is how many CPUs were busy for others since an earlier moment.
func (t cpuTimes) others(since cpuTimes) float64 {
	theirs := (t.total - since.total) - (t.servers - since.servers) - (t.clients - since.clients)
	return max(0, theirs.Seconds()/t.at.Sub(since.at).Seconds())
}
