package harness

import (
	"fmt"
	"net"
	"time"
)

// Host is a place for a node. The zero Host is here.
type Host struct {
	IP  string // default 127.0.0.1
	Dir string // of the node's data, as it is seen there
	// Enter runs a function so that its files, sockets and processes are the host's.
	Enter func(func() error) error
}

func (h Host) address(port int) string {
	if h.IP == "" {
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	return fmt.Sprintf("%s:%d", h.IP, port)
}

func (h Host) enter(do func() error) error {
	if h.Enter == nil {
		return do()
	}
	return h.Enter(do)
}

// dial connects from the host to a node that runs there.
func (h Host) dial(addr string) (c net.Conn, err error) {
	err = h.enter(func() (err error) {
		c, err = net.DialTimeout("tcp", addr, 2*time.Second)
		return err
	})
	return c, err
}
