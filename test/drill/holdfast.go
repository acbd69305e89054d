package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// holdfast is the cluster as everybody starts it. A client may be at any node, so that a
// third of them is at the one that breaks.
type holdfast struct {
	*harness.Cluster
	lan *lan // nil where the nodes share this machine's loopback
}

func startHoldfast(binary, dir string) (peer, []setting, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	config := harness.Config{Binary: binary, Dir: dir, Flags: strings.Fields(os.Getenv("HOLDFAST_FLAGS"))}
	var h holdfast
	var err error
	if inside() {
		if h.lan, err = newLAN(3); err != nil {
			return nil, nil, err
		}
		config.Hosts = h.lan.hosts()
	}
	if h.Cluster, err = harness.New(config); err != nil {
		return nil, nil, err
	}
	return h, []setting{{"Holdfast in the comparison", "three nodes; clients are go-redis with its defaults and three addresses, of which each begins at its own"}}, h.Start()
}

func (holdfast) name() string               { return "Holdfast" }
func (holdfast) deadlines() bool            { return true }
func (holdfast) heals() time.Duration       { return time.Second }
func (h holdfast) equal() error             { return h.Agree() }
func (holdfast) stop(n *harness.Node) error { return n.Stop() }

func (holdfast) mend(_ *harness.Node, start func() error) error { return start() }

func (h holdfast) close() {
	h.Close()
	if h.lan != nil {
		h.lan.close()
	}
}

func (h holdfast) leader() (*harness.Node, error) {
	if err := h.WaitReady(healTimeout); err != nil {
		return nil, err
	}
	return h.Leader()
}

func (h holdfast) crowds(victim *harness.Node) []crowd {
	return homes(h.name(), "nodes", "node", h.Nodes, victim)
}

// homes are the crowds of a store whose clients may be at any node.
func homes(name, nodes, node string, all []*harness.Node, victim *harness.Node) []crowd {
	survivors := crowd{name: name + ", clients of surviving " + nodes, share: 1}
	for _, n := range all {
		if n != victim {
			survivors.addrs = append(survivors.addrs, n.Addr)
		}
	}
	return []crowd{survivors, {name: name + ", clients of the broken " + node, addrs: []string{victim.Addr}, share: 1}}
}

func (h holdfast) dial(addr string) (workload.Conn, error) {
	from := new(net.Dialer).DialContext
	if h.lan != nil {
		from = h.lan.at(addr).dialContext
	}
	return dialNext(h.Addrs(), slices.Index(h.Addrs(), addr), from), nil
}
