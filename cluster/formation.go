package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// formation is how a node without a cluster gets into one. It asks the addresses of
// --join who is there. If one of them is a member, it asks to be admitted. If as many
// new nodes as are expected see each other, the one with the lowest id founds a
// cluster of itself alone, and the others are admitted to that like any later node:
// there is one way in. Nothing of clients is accepted before the cluster is complete.
//
// A member whose disk has been emptied is a new node: it does not know its votes any
// more. That is why it never starts its raft before the leader has admitted it.
type formation struct {
	n *Node

	mu       sync.Mutex
	promised string    // the node this one has promised to follow if it founds a cluster
	until    time.Time // when the promise ends
	state    string    // what Ready reports
	self     string    // the entry of --join that is this node, "" while unknown
	outbound string    // the address of this node in its connections with others, "" while unknown
}

const (
	probeInterval = 100 * time.Millisecond
	probeTimeout  = 500 * time.Millisecond
	promiseFor    = 5 * time.Second
)

// run returns the id of the cluster the node has become a member of, and whether it
// has founded it.
func (f *formation) run(ctx context.Context) (clusterID string, founder bool, err error) {
	n := f.n
	if len(n.config.Join) == 0 {
		return randomHex(16), true, nil
	}
	reported := ""
	for {
		found := f.probe(ctx)
		if found.err != nil {
			return "", false, found.err
		}
		switch {
		case len(found.members) > 0:
			var id string
			if id, err = f.join(ctx, found); err == nil {
				return id, false, nil
			}
			if isFatal(err) {
				return "", false, err
			}
			f.setState(fmt.Sprintf("asking to be admitted: %v", err))
		case found.lowest() == n.identity.NodeID && len(found.fresh)+1 >= n.config.BootstrapExpect && f.collectPromises(found):
			return randomHex(16), true, nil
		default:
			f.setState(fmt.Sprintf("waiting for new nodes to form a cluster: see %d of %d (%s)",
				len(found.fresh)+1, n.config.BootstrapExpect, strings.Join(found.names(), ", ")))
		}
		found.close()
		if s := f.String(); s != reported {
			reported = s
			n.log.Info(s)
		}
		select {
		case <-time.After(probeInterval):
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
}

func (f *formation) String() string { f.mu.Lock(); defer f.mu.Unlock(); return f.state }

func (f *formation) setState(s string) { f.mu.Lock(); f.state = s; f.mu.Unlock() }

// sighting is who answered at the addresses of --join.
type sighting struct {
	self    string
	fresh   []*link // new nodes, by id
	members []*link
	err     error // this node is set up wrongly
}

func (s *sighting) lowest() string {
	lowest := s.self
	for _, l := range s.fresh {
		lowest = min(lowest, l.peer.NodeID)
	}
	return lowest
}

func (s *sighting) names() []string {
	names := []string{s.self}
	for _, l := range s.fresh {
		names = append(names, l.peer.NodeID)
	}
	sort.Strings(names)
	return names
}

func (s *sighting) close() {
	for _, l := range append(s.fresh, s.members...) {
		l.close()
	}
}

// probe dials every address of --join.
func (f *formation) probe(ctx context.Context) *sighting {
	found := &sighting{self: f.n.identity.NodeID}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range f.n.config.Join {
		addresses := resolve(ctx, name)
		for _, address := range addresses {
			wg.Add(1)
			go func() {
				defer wg.Done()
				l, err := f.n.dialLink(address, "", probeTimeout)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					if isFatal(err) {
						found.err = err
					}
					return
				}
				f.sort(found, l, name, len(addresses) == 1)
			}()
		}
	}
	wg.Wait()
	return found
}

// sort puts a link where it belongs. A name that leads to this node alone is what the
// others can dial it by.
func (f *formation) sort(found *sighting, l *link, name string, unique bool) {
	seen := func(list []*link) bool {
		return slices.ContainsFunc(list, func(other *link) bool { return other.peer.Boot == l.peer.Boot })
	}
	switch {
	case l.peer.Boot == f.n.boot:
		if unique {
			f.mu.Lock()
			f.self = name
			f.mu.Unlock()
		}
		l.close()
		return
	case seen(found.fresh) || seen(found.members):
		l.close()
		return
	case l.peer.ClusterID != "":
		found.members = append(found.members, l)
	default:
		found.fresh = append(found.fresh, l)
	}
	go l.run()
}

// join asks the leader to admit this node.
func (f *formation) join(ctx context.Context, found *sighting) (clusterID string, err error) {
	for _, l := range found.members {
		if l.peer.ClusterID != found.members[0].peer.ClusterID {
			return "", &refusal{fmt.Sprintf("%s--join names nodes of two clusters, %s (node %q) and %s (node %q): name those of one",
				otherCluster, found.members[0].peer.ClusterID, found.members[0].peer.NodeID, l.peer.ClusterID, l.peer.NodeID)}
		}
	}
	err = ErrNoLeader
	asked := map[string]bool{}
	for _, l := range found.members {
		if l.peer.Leader == "" || asked[l.peer.Leader] {
			continue
		}
		asked[l.peer.Leader] = true
		var leader *link
		if leader, err = f.n.dialLink(l.peer.Leader, "", dialTimeout); err != nil {
			continue
		}
		go leader.run()
		var answer []byte
		answer, err = leader.call(askJoin, f.n.hello("").encode(), f.n.config.CommitTimeout)
		leader.close()
		if err == nil {
			return string(answer), nil
		}
		if isFatal(err) {
			break
		}
	}
	return "", err
}

// promise is asked of a new node by one that means to found a cluster. A node keeps
// its promise to the first that asks, for a while, so that two cannot found at once.
func (f *formation) promise(to string) bool {
	if f.n.clusterID() != "" {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.promised != "" && f.promised != to && time.Now().Before(f.until) {
		return false
	}
	f.promised, f.until = to, time.Now().Add(promiseFor)
	return true
}

// collectPromises reports whether enough new nodes, this one among them, promise to
// follow this one.
func (f *formation) collectPromises(found *sighting) bool {
	if !f.promise(f.n.identity.NodeID) {
		return false
	}
	promises := 1
	for _, l := range found.fresh {
		var e encoder
		e.string(f.n.identity.NodeID)
		answer, err := l.call(askPromise, e.buf, probeTimeout)
		d := decoder{buf: answer}
		if err == nil && d.bool() {
			promises++
		}
	}
	return promises >= f.n.config.BootstrapExpect
}

// resolve returns the addresses that a name stands for; the name itself where it
// stands for one, so that it is looked up again at every dial.
func resolve(ctx context.Context, address string) []string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return []string{address}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil || len(ips) <= 1 {
		return []string{address}
	}
	addresses := make([]string, 0, len(ips))
	for _, ip := range ips {
		addresses = append(addresses, net.JoinHostPort(ip, port))
	}
	return addresses
}
