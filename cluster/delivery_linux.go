package cluster

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// boundDelivery ends a connection whose data is not acknowledged in time. The kernel tries
// again ever more seldom: without a bound, a node that was cut off would wait about as
// long again once it can be reached.
func boundDelivery(conn net.Conn, within time.Duration) {
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(within.Milliseconds()))
			})
		}
	}
}
