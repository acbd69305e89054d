// Package machine makes several machines out of this one: each has a network interface
// and a disk of its own, which can be broken in the ways that real ones break. It needs
// Linux, root, and the programs ip (iproute2), mount, mkfs.ext4 and fsfreeze.
//
// A machine is a thread of this process with a network and mount namespace that have no
// name. They end with the thread and the processes that were started from it, so nothing
// of a machine is left on the host, however this process ends.
package machine

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is where a process can be run. Its methods are for one goroutine at a time,
// except Enter.
type Machine struct {
	Name string
	IP   string // in the network
	Disk *Disk

	jobs chan job
	done chan struct{}
}

type job struct {
	run func() error
	err chan error
}

// start makes a machine that has no interface but the loopback, and no disk.
func start(name, ip string) (*Machine, error) {
	m := &Machine{Name: name, IP: ip, jobs: make(chan job), done: make(chan struct{})}
	failed := make(chan error)
	go m.live(failed)
	if err := <-failed; err != nil {
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	return m, nil
}

// live is the machine's thread. It is never unlocked from its goroutine, so that it ends
// with it and is not used for anything else.
func (m *Machine) live(failed chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // the process's first thread ends with the process alone
		go m.live(failed)
		<-m.done
		runtime.UnlockOSThread()
		return
	}
	defer close(m.done)
	err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if err != nil {
		err = fmt.Errorf("a network and mounts of its own, which needs root and namespaces: %w", err)
	} else if err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err == nil {
		err = run("ip", "link", "set", "lo", "up")
	}
	failed <- err
	if err != nil {
		return
	}
	for j := range m.jobs {
		j.err <- j.run()
	}
}

// Enter runs a function on the machine: the files it sees, the sockets it opens and the
// processes it starts are the machine's.
func (m *Machine) Enter(do func() error) error {
	j := job{do, make(chan error, 1)}
	m.jobs <- j
	return <-j.err
}

// run runs a program on the machine whose thread calls it.
func run(program string, args ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		path = "/usr/sbin/" + program // not in everybody's PATH
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

// close ends the machine. Processes that were started with a death signal end with it.
func (m *Machine) close() {
	close(m.jobs)
	<-m.done
}
