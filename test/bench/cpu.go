package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
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
	if t.total, err = busyCPU(); err != nil {
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

// busyCPU is the first line of /proc/stat without the columns idle and iowait.
func busyCPU() (busy time.Duration, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, field := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // guests are counted in user already
			continue
		}
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		busy += time.Duration(ticks) * harness.ClockTick
	}
	return busy, nil
}
