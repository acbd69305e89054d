package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Ports are laid out as scripts/cluster does: node i of a cluster has its clients on
// base+i, HTTP on base+1000+i and the bus on base+10000+i. The bases stay below the
// range from which the kernel picks ports of its own.
const (
	firstBase, lastBase = 21000, 21990
	httpOffset          = 1000
	busOffset           = 10000
)

// reserveBase finds a base with free ports for so many nodes and holds it until the
// file is closed, or the process ends: tests of several packages run side by side.
func reserveBase(nodes int) (int, *os.File, error) {
	for base := firstBase; base <= lastBase; base += 10 {
		lock, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("holdfast-ports-%d", base)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return 0, nil, err
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && free(base, nodes) {
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
