package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// etcdStore is three members. A client may be at any.
type etcdStore struct {
	members []*harness.Node
	ports   *harness.Cluster // laid out for its ports, never started
}

const etcdName = "etcd"

func startEtcd(dir string) (peer, []setting, error) {
	binary, err := exec.LookPath("etcd")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: scripts/deps installs it", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	e := &etcdStore{}
	if e.ports, err = harness.New(harness.Config{Dir: dir}); err != nil {
		return nil, nil, err
	}
	var members []string
	for _, place := range e.ports.Nodes {
		members = append(members, place.Name+"=http://"+place.HTTP)
	}
	for _, place := range e.ports.Nodes {
		n := harness.NewProcess(place.Name, place.Addr, filepath.Join(dir, place.Name), binary,
			"--name", place.Name, "--data-dir", filepath.Join(dir, place.Name, "data"),
			"--listen-client-urls", "http://"+place.Addr, "--advertise-client-urls", "http://"+place.Addr,
			"--listen-peer-urls", "http://"+place.HTTP, "--initial-advertise-peer-urls", "http://"+place.HTTP,
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-state", "new")
		if err := errors.Join(os.MkdirAll(n.Dir, 0o700), n.Start()); err != nil {
			return e, nil, err
		}
		e.members = append(e.members, n)
	}
	return e, []setting{{etcdName, output(binary, "--version") + "; three members with their defaults (heartbeat 100 ms, election 1 s); clients speak HTTP and JSON, and know three addresses, of which each begins at its own"}}, nil
}

func (*etcdStore) name() string         { return etcdName }
func (*etcdStore) deadlines() bool      { return false } // they are leases, made apart
func (*etcdStore) heals() time.Duration { return 4 * time.Second }
func (*etcdStore) equal() error         { return nil } // what clients find is what counts

func (e *etcdStore) close() {
	for _, n := range e.members {
		n.Kill()
	}
	e.ports.Close()
}

func (e *etcdStore) crowds(victim *harness.Node) []crowd {
	return homes(etcdName, "members", "member", e.members, victim)
}

// stop is SIGTERM: a member that leads hands over by itself. It ends by the signal.
func (e *etcdStore) stop(n *harness.Node) error {
	if err := n.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_, err := n.Wait(healTimeout)
	return err
}

func (*etcdStore) mend(_ *harness.Node, start func() error) error { return start() }

func (e *etcdStore) leader() (lead *harness.Node, err error) {
	for deadline := time.Now().Add(healTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if lead, err = e.whole(); err == nil {
			return lead, nil
		}
	}
	return nil, fmt.Errorf("etcd is not whole after %v: %w", healTimeout, err)
}

// whole returns the member that leads if all agree on it.
func (e *etcdStore) whole() (lead *harness.Node, err error) {
	var leaders []string
	for _, n := range e.members {
		var status struct {
			Header struct {
				Member string `json:"member_id"`
			}
			Leader string
		}
		if err := newEtcdConn([]string{n.Addr}, 0).call("maintenance/status", struct{}{}, &status); err != nil {
			return nil, err
		}
		if leaders = append(leaders, status.Leader); status.Leader == status.Header.Member {
			lead = n
		}
	}
	if lead == nil || leaders[0] != leaders[1] || leaders[0] != leaders[2] {
		return nil, fmt.Errorf("the members follow %v", leaders)
	}
	return lead, nil
}

func (e *etcdStore) dial(addr string) (workload.Conn, error) {
	var addrs []string
	for _, n := range e.members {
		addrs = append(addrs, n.Addr)
	}
	return newEtcdConn(addrs, slices.Index(addrs, addr)), nil
}
