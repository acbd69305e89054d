package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/test/harness"
)

// lan is a network of this process's own: a bridge, and a network namespace for each node
// with a cable to it. A cable that is cut ends nowhere: every packet is lost both ways
// without a word, with no reset and no refusal, and the node's interface stays up.
//
// Root is not needed where the kernel gives users namespaces of their own: the process
// first moves to such a one, see enterNamespace.
type lan struct{ places []*place }

// place is a namespace and the thread that is in it.
type place struct {
	ip   string
	port string // the cable's end at the bridge
	jobs chan job
}

type job struct {
	run func() error
	err chan error
}

const insideVariable = "DRILL_INSIDE"

// inside reports whether the process is in a namespace of its own.
func inside() bool { return os.Getenv(insideVariable) != "" }

// enterNamespace begins the program anew as the same process in a user and network
// namespace of its own. It returns only if that is not permitted.
func enterNamespace() error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	if out, err := exec.Command(unshare, "-rn", ipProgram(), "link", "add", "type", "bridge").CombinedOutput(); err != nil {
		return fmt.Errorf("a network of one's own is not permitted here: %w: %s", err, strings.TrimSpace(string(out)))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{unshare, "-rn", "--", self}, os.Args[1:]...)
	return syscall.Exec(unshare, args, append(os.Environ(), insideVariable+"=1"))
}

// newLAN makes places, in a process that is inside.
func newLAN(places int) (*lan, error) {
	l := &lan{}
	for _, args := range []string{"link set lo up", "link add lan type bridge", "link set lan up"} {
		if err := ip(args); err != nil {
			return nil, err
		}
	}
	for i := 1; i <= places; i++ {
		p := &place{ip: fmt.Sprintf("10.0.0.%d", i), port: fmt.Sprintf("port%d", i), jobs: make(chan job)}
		l.places = append(l.places, p)
		if err := p.start(); err != nil {
			l.close()
			return nil, fmt.Errorf("a network namespace for node %d: %w", i, err)
		}
	}
	return l, nil
}

// start begins the place's thread, which is never unlocked from its goroutine, so that it
// ends with it, and lays the cable.
func (p *place) start() error {
	thread := make(chan int)
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		thread <- unix.Gettid()
		failed <- err
		for j := range p.jobs {
			j.err <- j.run()
		}
	}()
	namespace := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), <-thread)
	if err := <-failed; err != nil {
		return err
	}
	if err := ip("link add " + p.port + " type veth peer name eth0 netns " + namespace); err != nil {
		return err
	}
	if err := errors.Join(p.cut(false), ip("link set "+p.port+" up")); err != nil {
		return err
	}
	return p.enter(func() error {
		return errors.Join(ip("link set lo up"), ip("address add "+p.ip+"/24 dev eth0"), ip("link set eth0 up"))
	})
}

// enter runs a function at the place: its sockets and processes are there.
func (p *place) enter(do func() error) error {
	j := job{do, make(chan error, 1)}
	p.jobs <- j
	return <-j.err
}

// dialContext connects a client that is at the place.
func (p *place) dialContext(ctx context.Context, network, addr string) (c net.Conn, err error) {
	err = p.enter(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return c, err
}

// cut loses all that goes through the cable from now on, or ends that.
func (p *place) cut(cut bool) error {
	if cut {
		return ip("link set " + p.port + " nomaster")
	}
	return ip("link set " + p.port + " master lan")
}

func (l *lan) hosts() (hosts []harness.Host) {
	for _, p := range l.places {
		hosts = append(hosts, harness.Host{IP: p.ip, Enter: p.enter})
	}
	return hosts
}

// dial connects a client to the node at an address from the node's own place, so that a
// cut leaves the two together.
func (l *lan) dial(addr string) (c *harness.Conn, err error) {
	err = l.at(addr).enter(func() (err error) {
		c, err = harness.Dial(addr)
		return err
	})
	return c, err
}

// at is the place of the node at an address.
func (l *lan) at(addr string) *place {
	for _, p := range l.places {
		if strings.HasPrefix(addr, p.ip+":") {
			return p
		}
	}
	panic("drill: nobody is at " + addr)
}

func (l *lan) close() {
	for _, p := range l.places {
		close(p.jobs)
	}
}

// ip runs the program of that name in the namespace of the calling thread.
func ip(args string) error {
	out, err := exec.Command(ipProgram(), strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func ipProgram() string {
	if path, err := exec.LookPath("ip"); err == nil {
		return path
	}
	return "/usr/sbin/ip" // not in everybody's PATH
}
