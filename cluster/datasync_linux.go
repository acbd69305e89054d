package cluster

import (
	"os"
	"syscall"
)

// datasync makes a file's content durable, and of its metadata only the size.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}
