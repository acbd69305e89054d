// Package harness runs clusters of real processes: it starts nodes, breaks them, and
// asks them how they are.
package harness

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config says what cluster to make.
type Config struct {
	Binary string   // see Build
	Dir    string   // data and logs go below it
	Nodes  int      // default 3
	Base   int      // see ports.go; 0 finds one that is free
	Flags  []string // added to those of every node
	Hosts  []Host   // where the nodes run, if not here; there may be more for Add
}

// Cluster is a set of nodes that know each other. Nothing runs before Start.
type Cluster struct {
	Nodes []*Node
	Base  int

	config Config
	ports  net.Listener // see reserveBase
}

// New lays out a cluster and starts nothing.
func New(config Config) (*Cluster, error) {
	if config.Nodes == 0 {
		config.Nodes = 3
	}
	if len(config.Hosts) > 0 {
		config.Base = firstBase // nobody else has ports there
	}
	c := &Cluster{Base: config.Base, config: config}
	if c.Base == 0 {
		var err error
		if c.Base, c.ports, err = reserveBase(config.Nodes + 2); err != nil { // two to spare for Add
			return nil, err
		}
	}
	var join []string
	for i := 1; i <= config.Nodes; i++ {
		join = append(join, c.host(i).address(c.Base+busOffset+i))
	}
	for i := 1; i <= config.Nodes; i++ {
		n := c.Add(fmt.Sprintf("n%d", i), i)
		n.Flags = append(n.Flags, "--join", strings.Join(join, ","), "--bootstrap-expect", strconv.Itoa(config.Nodes))
	}
	return c, nil
}

func (c *Cluster) address(offset int) string { return fmt.Sprintf("127.0.0.1:%d", c.Base+offset) }

func (c *Cluster) host(i int) Host {
	if i <= len(c.config.Hosts) {
		return c.config.Hosts[i-1]
	}
	return Host{}
}

// Add lays out one more node, at the i-th ports, with no --join.
func (c *Cluster) Add(name string, i int) *Node {
	dir := filepath.Join(c.config.Dir, fmt.Sprintf("%s.%d", name, i))
	host := c.host(i)
	n := &Node{
		Name: name, Addr: host.address(c.Base + i), HTTP: host.address(c.Base + httpOffset + i), Bus: host.address(c.Base + busOffset + i),
		Dir: dir, host: host, binary: c.config.Binary, log: dir + ".log",
	}
	if host.Dir != "" {
		dir, n.Dir = host.Dir, host.Dir
	}
	n.Flags = append([]string{"--id", name, "--dir", dir, "--listen", n.Addr, "--bus", n.Bus, "--http", n.HTTP}, c.config.Flags...)
	c.Nodes = append(c.Nodes, n)
	return n
}

// Start starts every node that does not run and returns when all are ready.
func (c *Cluster) Start() error {
	for _, n := range c.Nodes {
		if !n.Running() {
			if err := n.Start(); err != nil {
				return err
			}
		}
	}
	return c.WaitReady(30 * time.Second)
}

// WaitReady returns when every node is ready.
func (c *Cluster) WaitReady(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for _, n := range c.Nodes {
		if err := n.WaitReady(time.Until(deadline)); err != nil {
			return err
		}
	}
	return nil
}

// Close ends what still runs, paused processes too.
func (c *Cluster) Close() {
	for _, n := range c.Nodes {
		n.Kill()
	}
	if c.ports != nil {
		c.ports.Close()
	}
}

// Addrs are the nodes' addresses for clients.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

// Leader waits until some node says that it leads and another that follows it agrees
// (a cluster of one has nobody to ask). Some nodes may be left out: one that is paused
// would not answer.
func (c *Cluster) Leader(without ...*Node) (*Node, error) {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		leading := map[string]*Node{}
		followed := map[string]bool{}
		for _, n := range c.Others(without...) {
			info, err := n.Info("raft")
			switch {
			case err != nil:
			case info["raft_role"] == "leader":
				leading[info["raft_term"]] = n
			default:
				followed[info["raft_term"]+" "+info["raft_leader_id"]] = true
			}
		}
		for term, n := range leading {
			if len(c.Nodes) == 1 || followed[term+" "+n.Name] {
				return n, nil
			}
		}
	}
	return nil, errors.New("no leader")
}

// Others are the nodes without some of them.
func (c *Cluster) Others(without ...*Node) []*Node {
	var others []*Node
next:
	for _, n := range c.Nodes {
		for _, w := range without {
			if n == w {
				continue next
			}
		}
		others = append(others, n)
	}
	return others
}

// Agree returns nil once all nodes have applied the same entries and have the same
// DEBUG DIGEST: the last word of every test. Clients must be silent; keys may expire.
func (c *Cluster) Agree() error {
	var last string
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		before, _, err := c.states()
		if err != nil {
			last = err.Error()
			continue
		}
		after, digests, err := c.states()
		if err != nil || !same(before) || !same(after) || before[0] != after[0] {
			last = fmt.Sprintf("applied %v, then %v (%v)", before, after, err)
			continue
		}
		if !same(digests) {
			return fmt.Errorf("at entry %s the digests differ: %v", after[0], digests)
		}
		return nil
	}
	return fmt.Errorf("the nodes do not come to the same entry: %s", last)
}

// states asks every node for its digest first and its index after that.
func (c *Cluster) states() (applied, digests []string, err error) {
	for _, n := range c.Nodes {
		digest, err := n.Do("DEBUG", "DIGEST")
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		info, err := n.Info("raft")
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		applied = append(applied, info["raft_applied_index"])
		digests = append(digests, fmt.Sprint(digest))
	}
	return applied, digests, nil
}

func same(values []string) bool {
	for _, v := range values {
		if v != values[0] {
			return false
		}
	}
	return true
}
