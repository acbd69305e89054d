package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"holdfast/test/harness"
)

// target is where clients connect: one server or several.
type target string

const (
	leader   target = "leader"
	follower target = "follower"
	spread   target = "spread"
	always   target = "always"
	inMemory target = "memory"
)

// targets stand in the order of the table.
var targets = []target{leader, follower, spread, always, inMemory}

func (t target) String() string {
	return map[target]string{
		leader:   "cluster, through the leader",
		follower: "cluster, through a follower",
		spread:   "cluster, spread over all",
		always:   "redis, appendfsync always",
		inMemory: "redis, in memory",
	}[t]
}

// servers are all that is measured. They run at the same time; only one is loaded.
type servers struct {
	cluster *harness.Cluster
	redis   map[target]*harness.Node
}

func (s *servers) startCluster(binary, dir string, o options) (err error) {
	if s.cluster, err = harness.New(harness.Config{Binary: binary, Dir: dir, Flags: o.flags}); err != nil {
		return err
	}
	return s.cluster.Start()
}

// startEmpty starts a cluster and one redis-server, and returns the two to fill.
func (s *servers) startEmpty(binary, dir string, o options) (lead, redis *harness.Node, err error) {
	if err := s.startCluster(binary, dir, o); err != nil {
		return nil, nil, err
	}
	if redis, err = harness.StartRedis(filepath.Join(dir, "memory")); err != nil {
		return nil, nil, err
	}
	s.redis = map[target]*harness.Node{inMemory: redis}
	lead, err = s.cluster.Leader()
	return lead, redis, err
}

// start starts all targets and fills them.
func (s *servers) start(binary, dir string, o options) (err error) {
	if err := s.startCluster(binary, dir, o); err != nil {
		return err
	}
	s.redis = map[target]*harness.Node{}
	if s.redis[always], err = harness.StartRedis(filepath.Join(dir, "always"), "--appendonly", "yes", "--appendfsync", "always"); err != nil {
		return err
	}
	if s.redis[inMemory], err = harness.StartRedis(filepath.Join(dir, "memory")); err != nil {
		return err
	}
	for _, t := range []target{leader, always, inMemory} {
		addrs, err := s.addrs(t)
		if err != nil {
			return err
		}
		if o.types {
			err = fillTypes(addrs[0])
		} else {
			err = fill(addrs[0], o.keys)
		}
		if err != nil {
			return fmt.Errorf("fill %s: %w", t, err)
		}
	}
	return nil
}

// fill makes the keys that redis-benchmark asks for.
func fill(addr string, keys int) error {
	return harness.Fill(addr, keys, setKey)
}

var keyValue = strings.Repeat("x", valueBytes)

func setKey(i int) []string { return []string{"SET", fmt.Sprintf("key:%012d", i), keyValue} }

// addrs is where the clients of a target connect at this moment.
func (s *servers) addrs(t target) ([]string, error) {
	if n := s.redis[t]; n != nil {
		return []string{n.Addr}, nil
	}
	if t == spread {
		return s.cluster.Addrs(), nil
	}
	n, err := s.cluster.Leader()
	if err != nil {
		return nil, err
	}
	if t == follower {
		n = s.cluster.Others(n)[0]
	}
	return []string{n.Addr}, nil
}

// all are the servers that were started.
func (s *servers) all() (nodes []*harness.Node) {
	if s.cluster != nil {
		nodes = s.cluster.Others()
	}
	for _, t := range targets {
		if n := s.redis[t]; n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (s *servers) close() {
	for _, n := range s.all() {
		n.Kill()
	}
	if s.cluster != nil {
		s.cluster.Close()
	}
}
