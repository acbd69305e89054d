package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is a file system of a machine, in an image of its own. Its methods are for any
// goroutine, but for one at a time.
type Disk struct {
	Path string // where the machine sees it; nobody else does

	machine *Machine
	image   string
	slow    *exec.Cmd // see Slow
}

// newDisk makes an empty file system. None of it is kept for root, so that it is as full
// for a node as it looks.
func newDisk(m *Machine, path string, bytes int64) (*Disk, error) {
	d := &Disk{Path: path, machine: m, image: path + ".disk"}
	image, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	err = errors.Join(image.Truncate(bytes), image.Close(), os.MkdirAll(path, 0o700))
	if err == nil {
		err = m.Enter(func() error { return run("mkfs.ext4", "-q", "-m", "0", "-F", d.image) })
	}
	if err == nil {
		err = m.Enter(d.mount)
	}
	return d, err
}

// mount is for the machine's thread.
func (d *Disk) mount() error { return run("mount", "-o", "loop,noatime", d.image, d.Path) }

// ext4Shutdown is EXT4_IOC_SHUTDOWN, and dropJournal its flag that keeps what is in memory from
// the disk, the journal included.
const (
	ext4Shutdown = 0x8004587d
	dropJournal  = 2
)

// CutPower loses everything that was not fsynced. No process may have files open: they
// were killed. The disk is there again when it returns.
func (d *Disk) CutPower() error {
	return d.machine.Enter(func() error {
		root, err := os.Open(d.Path)
		if err != nil {
			return err
		}
		err = unix.IoctlSetPointerInt(int(root.Fd()), ext4Shutdown, dropJournal)
		root.Close()
		if err != nil {
			return fmt.Errorf("shut the file system down: %w", err)
		}
		for range 100 {
			if err = unix.Unmount(d.Path, 0); !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("unmount: %w", err)
		}
		return d.mount()
	})
}

func (d *Disk) ballast() string { return filepath.Join(d.Path, "ballast") }

// Fill takes all room but for some bytes; so much at least has to be there.
func (d *Disk) Fill(leave int64) error {
	return d.machine.Enter(func() error {
		var room unix.Statfs_t
		if err := unix.Statfs(d.Path, &room); err != nil {
			return err
		}
		take := int64(room.Bavail)*room.Bsize - leave
		if take <= 0 {
			return nil
		}
		file, err := os.Create(d.ballast())
		if err != nil {
			return err
		}
		defer file.Close()
		err = unix.Fallocate(int(file.Fd()), 0, 0, take)
		if errors.Is(err, unix.ENOSPC) { // others write as well: it is full
			err = nil
		}
		return errors.Join(err, file.Sync())
	})
}

// Free ends Fill, durably: after a power cut the disk is not full again.
func (d *Disk) Free() error {
	return d.machine.Enter(func() error {
		if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		root, err := os.Open(d.Path)
		if err != nil {
			return err
		}
		return errors.Join(root.Sync(), root.Close())
	})
}

// Slow has the disk stand still for stall at a time, with a breath in between, for about
// as long as a duration: every fsync and every write waits. It ends by itself, even if
// this process ends, as a file system that was left standing could never be removed.
func (d *Disk) Slow(stall, breath, duration time.Duration) error {
	const loop = `trap 'fsfreeze --unfreeze "$1" 2> /dev/null; exit 0' TERM INT
i=0
while [ $i -lt "$4" ]; do
    fsfreeze --freeze "$1" && sleep "$2"; fsfreeze --unfreeze "$1"; sleep "$3"; i=$((i + 1))
done`
	rounds := max(1, int(duration/(stall+breath)))
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	return d.machine.Enter(func() error {
		d.slow = exec.Command("sh", "-c", loop, "sh", d.Path, seconds(stall), seconds(breath), fmt.Sprint(rounds))
		return d.slow.Start()
	})
}

// Fast ends Slow.
func (d *Disk) Fast() error {
	if d.slow == nil {
		return nil
	}
	d.slow.Process.Signal(unix.SIGTERM)
	err := d.slow.Wait()
	d.slow = nil
	return err
}
