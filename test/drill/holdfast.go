package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// holdfast is the cluster as everybody starts it. A client may be at any node, so that a
// third of them is at the one that breaks.
type holdfast struct{ *harness.Cluster }

func startHoldfast(binary, dir string) (peer, []setting, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	cluster, err := harness.New(harness.Config{Binary: binary, Dir: dir, Flags: strings.Fields(os.Getenv("HOLDFAST_FLAGS"))})
	if err != nil {
		return nil, nil, err
	}
	h := holdfast{cluster}
	return h, []setting{{"Holdfast in the comparison", "three nodes; clients are go-redis with its defaults and three addresses, of which each begins at its own"}}, cluster.Start()
}

func (holdfast) name() string               { return "Holdfast" }
func (holdfast) deadlines() bool            { return true }
func (holdfast) heals() time.Duration       { return time.Second }
func (h holdfast) equal() error             { return h.Agree() }
func (h holdfast) close()                   { h.Close() }
func (holdfast) stop(n *harness.Node) error { return n.Stop() }

func (holdfast) restart(n *harness.Node) error { return n.Start() }

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
	return dialNext(h.Addrs(), slices.Index(h.Addrs(), addr)), nil
}
