package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// names is a name service, as of container engines: the name of a process ends with it,
// and to ask for it takes longer than failover may. Test addresses (RFC 5737) stand for
// names; nothing is sent to them.
type names struct {
	mu    sync.Mutex
	where map[string]string
	slow  bool
}

func newNamedCluster(t *testing.T, alter func(*Config)) (*testCluster, *names) {
	s := &names{where: map[string]string{}}
	join := []string{"192.0.2.1:16379", "192.0.2.2:16379", "192.0.2.3:16379"}
	return newCluster(t, 3, func(config *Config) {
		_, port, _ := net.SplitHostPort(config.Bus)
		s.set(nameOf(config.ID), "127.0.0.1:"+port)
		config.Bus, config.Client, config.Dial, config.Join = ":"+port, ":6379", s.dial, join
		alter(config)
	}), s
}

func nameOf(id string) string { return "192.0.2." + strings.TrimPrefix(id, "n") + ":16379" }

func (s *names) set(name, where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where[name] = where
}

func (s *names) setSlow(slow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = slow
}

func (s *names) dial(address string, timeout time.Duration) (net.Conn, error) {
	s.mu.Lock()
	where, slow := s.where[address], s.slow
	s.mu.Unlock()
	if !strings.HasPrefix(address, "192.0.2.") {
		where, slow = address, false
	}
	if slow || where == "" {
		time.Sleep(timeout)
		return nil, fmt.Errorf("lookup %s: i/o timeout", address)
	}
	return net.DialTimeout("tcp", where, timeout)
}

// When the leader's process ends the others find that out and elect another without
// asking for names, and before an election timeout has passed.
func TestElectionWithoutNames(t *testing.T) {
	t.Parallel()
	c, s := newNamedCluster(t, func(config *Config) { config.ElectionTimeout = patience })
	c.write(0, "SET k v")
	dead := c.leader()
	n := c.nodes[dead]
	s.set(nameOf(n.config.ID), "")
	s.setSlow(true)
	n.fail(errors.New("crash"))
	<-n.Done()
	c.nodes[dead] = nil
	c.replaced((dead + 1) % 3)
}

// A node that listens on every address tells the others the name that they know it by,
// for its clients too.
func TestNameIsTold(t *testing.T) {
	c, _ := newNamedCluster(t, func(*Config) {})
	for _, n := range c.nodes {
		c.eventually(func() error { return named(n) })
	}
}

// It finds that name out later, when no name can be looked up at first.
func TestNameFoundLater(t *testing.T) {
	s := &names{where: map[string]string{}, slow: true}
	c := newCluster(t, 1, func(config *Config) {
		s.set(nameOf("n1"), config.Bus)
		_, port, _ := net.SplitHostPort(config.Bus)
		config.Bus, config.Client, config.Dial = ":"+port, ":6379", s.dial
		config.Join, config.BootstrapExpect = []string{nameOf("n1")}, 1
	})
	s.setSlow(false)
	c.eventually(func() error { return named(c.nodes[0]) })
}

// named returns an error unless a node shows the names of all.
func named(n *Node) error {
	for _, m := range n.Status().Members {
		host, _, _ := net.SplitHostPort(nameOf(m.ID))
		if m.Bus != nameOf(m.ID) || m.Client != host+":6379" {
			return fmt.Errorf("%s shows %s at %s, and %s for its clients", n.identity.NodeID, m.ID, m.Bus, m.Client)
		}
	}
	return nil
}

// A node that has been told of no other, and listens on every address, says where it is
// to the first that joins it.
func TestJoinLoneNode(t *testing.T) {
	c := newCluster(t, 1, func(config *Config) {
		_, port, _ := net.SplitHostPort(config.Bus)
		config.Bus = ":" + port
	})
	_, port, _ := net.SplitHostPort(c.bus[0])
	where := "127.0.0.2:" + port // loopback addresses are all this machine's
	config := c.config(0)
	config.ID, config.Dir, config.Bus = "n2", t.TempDir(), "127.0.0.1:0"
	config.Join, config.BootstrapExpect = []string{where}, 1
	n, err := Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c.eventually(n.Ready)
	c.eventually(func() error {
		for _, m := range n.Status().Members {
			if m.ID == "n1" && m.Bus != where {
				return fmt.Errorf("n1 says that it is at %s", m.Bus)
			}
		}
		return nil
	})
}
