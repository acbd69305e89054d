package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ClockTick is what /proc counts in.
const ClockTick = 10 * time.Millisecond

// CPU is the time that a process has used so far.
func CPU(pid int) (used time.Duration, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// utime and stime are counted behind the name, which may contain anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat of process %d: %w", pid, err)
		}
		used += time.Duration(ticks) * ClockTick
	}
	return used, nil
}
