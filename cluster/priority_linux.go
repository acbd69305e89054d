package cluster

import "golang.org/x/sys/unix"

// niceness is a ninth of the share of the processor that others get: with a third, three nodes
// on two processors lost a fifth of their throughput while one of them caught up.
const niceness = 10

// lowerPriority is for the calling thread: on Linux each has its own.
func lowerPriority() {
	const zero = 20 // getpriority(2) returns this less the niceness
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		unix.Setpriority(unix.PRIO_PROCESS, 0, min(zero-now+niceness, 19))
	}
}
