package cluster

import "golang.org/x/sys/unix"

// niceness is a third of the share of the processor that others get.
const niceness = 5

// lowerPriority is for the calling thread: on Linux each has its own.
func lowerPriority() {
	const zero = 20 // getpriority(2) returns this less the niceness
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		unix.Setpriority(unix.PRIO_PROCESS, 0, min(zero-now+niceness, 19))
	}
}
