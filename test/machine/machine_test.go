package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() } // so that TestMain has the process's first thread

// A machine whose goroutine begins on the first thread does not take it: the thread would
// keep the machine's namespaces, and with them its disk, for as long as the process runs.
func TestMain(m *testing.M) {
	before, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err == nil {
		first := &Machine{Name: "first", jobs: make(chan job), done: make(chan struct{})}
		failed := make(chan error)
		go func() {
			err = <-failed
			first.close()
		}()
		first.live(failed)
	}
	if after, _ := os.Readlink("/proc/thread-self/ns/mnt"); err != nil || after != before {
		fmt.Fprintf(os.Stderr, "the first thread was in %s and is in %s: %v\n", before, after, err)
		os.Exit(1)
	}
	runtime.UnlockOSThread()
	os.Exit(m.Run())
}

func network(t *testing.T, machines int) *Network {
	t.Helper()
	n, err := NewNetwork(t.TempDir(), machines, 32<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// listen opens a listener on a machine, and dial connects to it from another.
func listen(t *testing.T, m *Machine) net.Listener {
	t.Helper()
	var l net.Listener
	err := m.Enter(func() (err error) {
		l, err = net.Listen("tcp", m.IP+":7000")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(m *Machine, l net.Listener, timeout time.Duration) (c net.Conn, err error) {
	err = m.Enter(func() (err error) {
		c, err = net.DialTimeout("tcp", l.Addr().String(), timeout)
		return err
	})
	return c, err
}

// What is sent from one machine to another arrives whole and in order whatever the
// weather, and not at all through a wire that is cut.
func TestWires(t *testing.T) {
	n := network(t, 2)
	l := listen(t, n.Machines[1])
	message := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	for _, test := range []struct {
		name    string
		weather Weather
	}{
		{"fair", Weather{}},
		{"slow", Weather{Delay: 5 * time.Millisecond}},
		{"overtaking", Weather{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Reorder: 0.1}},
		{"losing and doubling", Weather{Loss: 0.02, Duplicate: 0.05}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.Wires(func(_, _ int, w *Wire) { w.SetWeather(test.weather) })
			got := make(chan []byte, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					got <- nil
					return
				}
				defer c.Close()
				all, _ := io.ReadAll(c)
				got <- all
			}()
			begun := time.Now()
			c, err := dial(n.Machines[0], l, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			if _, err := c.Write(message); err != nil {
				t.Error(err)
			}
			c.Close()
			if all := <-got; !bytes.Equal(all, message) {
				t.Errorf("%d of %d bytes arrived, or others", len(all), len(message))
			}
			if _, dropped := n.Wire(0, 1).Carried(); (dropped > 0) != (test.weather.Loss > 0) {
				t.Errorf("%d packets were dropped", dropped)
			}
			if took < 2*test.weather.Delay && test.weather.Reorder == 0 {
				t.Errorf("connected after %v with %v each way", took, test.weather.Delay)
			}
		})
	}
	n.Wires(func(_, _ int, w *Wire) { w.SetWeather(Weather{}) })
	for _, wire := range []*Wire{n.Wire(0, 1), n.Wire(1, 0)} {
		wire.Cut(true)
		if c, err := dial(n.Machines[0], l, 300*time.Millisecond); err == nil {
			c.Close()
			t.Error("connected although one way is cut")
		}
		wire.Cut(false)
	}
}

// A disk is full when it is, loses what was not fsynced with its power, stands still when
// it is slow, and is not to be seen from elsewhere.
func TestDisk(t *testing.T) {
	n := network(t, 1)
	m, d := n.Machines[0], n.Machines[0].Disk
	write := func(name string, data []byte, sync bool) error {
		return m.Enter(func() error {
			file, err := os.Create(filepath.Join(d.Path, name))
			if err != nil {
				return err
			}
			defer file.Close()
			if _, err = file.Write(data); err == nil && sync {
				err = file.Sync()
			}
			return err
		})
	}
	megabyte := bytes.Repeat([]byte("x"), 1<<20)
	if err := d.Fill(64 << 10); err != nil {
		t.Fatal(err)
	}
	if err := write("more", megabyte, true); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full disk: got %v", err)
	}
	if err := errors.Join(d.CutPower(), d.Fill(64<<10), d.Free(), d.CutPower()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(write("synced", megabyte, true), write("unsynced", megabyte, false)); err != nil {
		t.Fatal(err)
	}
	if err := d.CutPower(); err != nil {
		t.Fatal(err)
	}
	size := func(name string) (size int64) {
		m.Enter(func() error {
			if info, err := os.Stat(filepath.Join(d.Path, name)); err == nil {
				size = info.Size()
			}
			return nil
		})
		return size
	}
	if size("synced") != 1<<20 || size("unsynced") != 0 {
		t.Errorf("after the power cut %d bytes of what was fsynced, %d of what was not", size("synced"), size("unsynced"))
	}
	const stall = 300 * time.Millisecond
	if err := d.Slow(stall, 10*time.Millisecond, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	worst := time.Duration(0)
	for end := time.Now().Add(5 * time.Second); worst < stall/2 && time.Now().Before(end); {
		begun := time.Now()
		if err := write("slow", []byte("x"), true); err != nil {
			t.Error(err)
		}
		worst = max(worst, time.Since(begun))
	}
	if err := d.Fast(); err != nil {
		t.Error(err)
	}
	if worst < stall/2 {
		t.Errorf("the slowest write took %v on a disk that stands still for %v at a time", worst, stall)
	}
	if names, err := os.ReadDir(d.Path); err != nil || len(names) > 0 {
		t.Errorf("seen from elsewhere: %v, %v", names, err)
	}
}

// Nothing of a network is left behind.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	n, err := NewNetwork(dir, 2, 32<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	// The kernel takes a mount away when the last of the threads is gone, and writes the file
	// system back first: seconds, where other tests keep the disk busy.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
		if err != nil {
			t.Fatal(err)
		}
		left := ""
		for _, loop := range loops {
			if text, _ := os.ReadFile(loop); strings.HasPrefix(string(text), dir) {
				left = loop
			}
		}
		if left == "" {
			return
		}
	}
	t.Error("a disk is still there")
}
