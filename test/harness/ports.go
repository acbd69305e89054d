package harness

import (
	"fmt"
	"net"
)

// Ports are laid out as scripts/cluster does: node i of a cluster has its clients on
// base+i, HTTP on base+1000+i and the bus on base+10000+i. The bases stay below the
// range from which the kernel picks ports of its own.
const (
	firstBase, lastBase = 21000, 21990
	httpOffset          = 1000
	busOffset           = 10000
)

// reserveBase finds a base with free ports for so many nodes. Whoever listens at the base
// itself has all of them, until the listener is closed or the process ends: tests of several
// packages run side by side.
func reserveBase(nodes int) (int, net.Listener, error) {
	for base := firstBase; base <= lastBase; base += 10 {
		lock, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base))
		if err != nil {
			continue
		}
		if free(base, nodes) {
			return base, lock, nil
		}
		lock.Close()
	}
	return 0, nil, fmt.Errorf("no %d free ports from %d to %d", nodes, firstBase, lastBase)
}

func free(base, nodes int) bool {
	for i := 1; i <= nodes; i++ {
		for _, offset := range []int{0, httpOffset, busOffset} {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset+i))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}
