package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// sentinelStore is a primary with two replicas, watched by three sentinels. All clients
// are at the primary.
type sentinelStore struct {
	servers, sentinels []*harness.Node
	ports              *harness.Cluster // laid out for its ports, never started
}

const (
	sentinelName = "Redis with Sentinel"
	masterName   = "store"

	redisSettings = `port %s
bind 127.0.0.1
dir %s
appendonly yes
save ""
repl-diskless-sync-delay 0
%s`
	// A failover that fails is tried again after twice its timeout, which would be six
	// minutes by default.
	sentinelSettings = `port %s
bind 127.0.0.1
dir %s
sentinel monitor ` + masterName + ` 127.0.0.1 %s 2
sentinel down-after-milliseconds ` + masterName + ` 1000
sentinel failover-timeout ` + masterName + ` 10000
`
)

func startSentinel(dir string) (peer, []setting, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: scripts/deps installs it", err)
	}
	s := &sentinelStore{}
	if s.ports, err = harness.New(harness.Config{Dir: dir}); err != nil {
		return nil, nil, err
	}
	start := func(name, addr, settings string, args ...string) (*harness.Node, error) {
		home := filepath.Join(dir, name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, err
		}
		file := filepath.Join(home, "redis.conf") // both rewrite theirs
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			return nil, err
		}
		n := harness.NewProcess(name, addr, home, binary, append([]string{file}, args...)...)
		return n, n.Start()
	}
	_, primary, _ := strings.Cut(s.ports.Nodes[0].Addr, ":")
	for i, place := range s.ports.Nodes {
		_, port, _ := strings.Cut(place.Addr, ":")
		follows := ""
		if i > 0 {
			follows = "replicaof 127.0.0.1 " + primary
		}
		name := fmt.Sprintf("redis%d", i+1)
		n, err := start(name, place.Addr, fmt.Sprintf(redisSettings, port, filepath.Join(dir, name), follows))
		if err != nil {
			return s, nil, err
		}
		s.servers = append(s.servers, n)
	}
	if err := s.followedBy(s.servers[0].Addr, 10*time.Second); err != nil { // so that the sentinels see it at once
		return s, nil, err
	}
	for i, place := range s.ports.Nodes {
		_, port, _ := strings.Cut(place.HTTP, ":")
		name := fmt.Sprintf("sentinel%d", i+1)
		n, err := start(name, place.HTTP, fmt.Sprintf(sentinelSettings, port, filepath.Join(dir, name), primary), "--sentinel")
		if err != nil {
			return s, nil, err
		}
		s.sentinels = append(s.sentinels, n)
	}
	return s, []setting{{sentinelName, output(binary, "--version") + "; a primary, two replicas, three sentinels; appendonly yes, down-after-milliseconds 1000, failover-timeout 10000; clients are the failover client of go-redis with its defaults"}}, nil
}

func (*sentinelStore) name() string         { return sentinelName }
func (*sentinelStore) deadlines() bool      { return true }
func (*sentinelStore) heals() time.Duration { return 9 * time.Second }
func (*sentinelStore) equal() error         { return nil } // what clients find is what counts

func (s *sentinelStore) close() {
	for _, n := range append(s.servers, s.sentinels...) {
		n.Kill()
	}
	s.ports.Close()
}

func (s *sentinelStore) crowds(*harness.Node) []crowd {
	return []crowd{{name: sentinelName + ", all clients", addrs: []string{masterName}, share: 3}}
}

func (s *sentinelStore) dial(string) (workload.Conn, error) {
	options := &redis.FailoverOptions{MasterName: masterName}
	for _, n := range s.sentinels {
		options.SentinelAddrs = append(options.SentinelAddrs, n.Addr)
	}
	return goRedis{redis.NewFailoverClient(options)}, nil
}

// stop has the sentinels choose another primary first.
func (s *sentinelStore) stop(n *harness.Node) error {
	if _, err := s.sentinels[0].Do("SENTINEL", "FAILOVER", masterName); err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if addr, err := s.primary(s.sentinels[0]); err == nil && addr != n.Addr {
			return n.Stop()
		}
	}
	return errors.New("the sentinels do not hand over")
}

// mend waits until no sentinel names the broken node any more: one that does sends clients
// to it when it is back, and what they write there is lost. Then it tells the node whom to
// follow, as the sentinels would do some ten seconds later.
func (s *sentinelStore) mend(n *harness.Node, start func() error) error {
	addr, err := s.agreed()
	if err != nil {
		return err
	}
	if err := start(); err != nil || addr == n.Addr { // no failover came of it
		return err
	}
	host, port, _ := strings.Cut(addr, ":")
	for deadline := time.Now().Add(readyTimeout); ; time.Sleep(5 * time.Millisecond) {
		if _, err = n.Do("REPLICAOF", host, port); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// agreed waits until all sentinels name the same primary, and returns its address.
func (s *sentinelStore) agreed() (addr string, err error) {
	for deadline := time.Now().Add(healTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var named []string
		for _, sentinel := range s.sentinels {
			if addr, err = s.primary(sentinel); err != nil {
				return "", err
			}
			named = append(named, addr)
		}
		if len(slices.Compact(named)) == 1 {
			return addr, nil
		}
	}
	return "", fmt.Errorf("the sentinels do not agree after %v", healTimeout)
}

// primary is whom a sentinel takes for the primary.
func (s *sentinelStore) primary(sentinel *harness.Node) (addr string, err error) {
	reply, err := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
	if err != nil {
		return "", err
	}
	pair, ok := reply.([]any)
	if !ok || len(pair) != 2 {
		return "", fmt.Errorf("the primary is %v", reply)
	}
	return fmt.Sprintf("%s:%s", pair...), nil
}

func (s *sentinelStore) leader() (lead *harness.Node, err error) {
	for deadline := time.Now().Add(healTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if lead, err = s.whole(); err == nil {
			return lead, nil
		}
	}
	return nil, fmt.Errorf("redis is not whole after %v: %w", healTimeout, err)
}

// followedBy waits until all servers but the one at an address follow it.
func (s *sentinelStore) followedBy(addr string, limit time.Duration) (err error) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err = s.followed(addr); err == nil {
			return nil
		}
	}
	return err
}

// followed returns the primary at an address if all other servers follow it.
func (s *sentinelStore) followed(addr string) (lead *harness.Node, err error) {
	for _, n := range s.servers {
		info, err := n.Info("replication")
		switch {
		case err != nil:
			return nil, err
		case n.Addr == addr:
			if lead = n; info["role"] != "master" || info["connected_slaves"] != "2" {
				return nil, fmt.Errorf("%s is %s with %s replicas", n.Name, info["role"], info["connected_slaves"])
			}
		case info["role"] != "slave" || "127.0.0.1:"+info["master_port"] != addr || info["master_link_status"] != "up":
			return nil, fmt.Errorf("%s is %s of %s, link %s", n.Name, info["role"], info["master_port"], info["master_link_status"])
		}
	}
	if lead == nil {
		return nil, fmt.Errorf("nobody is at %s", addr)
	}
	return lead, nil
}

// whole returns the primary if both replicas follow it and every sentinel sees that.
func (s *sentinelStore) whole() (lead *harness.Node, err error) {
	addr, err := s.primary(s.sentinels[0])
	if err != nil {
		return nil, err
	}
	if lead, err = s.followed(addr); err != nil {
		return nil, err
	}
	for _, n := range s.sentinels {
		reply, err := n.Do("SENTINEL", "MASTER", masterName)
		if err != nil {
			return nil, err
		}
		sees := pairs(reply)
		if "127.0.0.1:"+sees["port"] != addr || sees["flags"] != "master" || sees["num-slaves"] != "2" || sees["num-other-sentinels"] != "2" {
			return nil, fmt.Errorf("%s sees %v", n.Name, sees)
		}
		if reply, err = n.Do("SENTINEL", "REPLICAS", masterName); err != nil {
			return nil, err
		}
		list, _ := reply.([]any)
		for _, replica := range list {
			if sees := pairs(replica); sees["flags"] != "slave" {
				return nil, fmt.Errorf("%s sees %v", n.Name, sees)
			}
		}
	}
	return lead, nil
}

// pairs reads a reply of names and values.
func pairs(reply any) map[string]string {
	list, _ := reply.([]any)
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
	}
	return m
}
