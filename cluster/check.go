package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// A check is the comparison of all nodes' states at one index, which is that of an entry
// made for it. The leader proposes the entry, collects the digests, and tells all of them
// to every node; each comes to the same verdict.
type check struct {
	index   uint64
	voters  int // of the cluster, whether they have answered or not
	reports []report
}

// report is the digest of one node.
type report struct {
	node  string
	voter bool
	sum   string
}

// majority returns the digest that a majority of the voters has, "" if none has one.
func (c check) majority() string {
	votes := map[string]int{}
	for _, r := range c.reports {
		if r.voter {
			votes[r.sum]++
		}
	}
	for sum, n := range votes {
		if n > c.voters/2 {
			return sum
		}
	}
	return ""
}

// differ reports whether there are two digests.
func (c check) differ() bool {
	for _, r := range c.reports {
		if r.sum != c.reports[0].sum {
			return true
		}
	}
	return false
}

func (c check) encode() []byte {
	var e encoder
	e.uint(c.index)
	e.uint(uint64(c.voters))
	e.uint(uint64(len(c.reports)))
	for _, r := range c.reports {
		e.string(r.node)
		e.bool(r.voter)
		e.string(r.sum)
	}
	return e.buf
}

func decodeCheck(b []byte) (check, error) {
	d := decoder{buf: b}
	c := check{index: d.uint(), voters: int(d.uint()), reports: make([]report, d.count())}
	for i := range c.reports {
		c.reports[i] = report{node: d.string(), voter: d.bool(), sum: d.string()}
	}
	return c, d.err
}

const (
	// A node's digest is waited for some times as long as the leader's own has taken, and
	// a while.
	digestPatience = 4
	digestTimeout  = 5 * time.Second
)

// watchDigests runs on every node; where it leads it has the states compared.
func (n *Node) watchDigests(r *raft.Raft) {
	interval := n.config.DigestInterval
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-n.closing:
			return
		}
		if !n.route.leading() || !n.formed() || !n.digests.due(interval) {
			continue
		}
		if err := n.check(r); err != nil {
			n.log.Info("the states are not compared", "error", err)
		}
	}
}

func (n *Node) check(r *raft.Raft) error {
	future := r.GetConfiguration()
	if err := future.Error(); err != nil {
		return err
	}
	servers := future.Configuration().Servers
	if len(servers) == 1 {
		return nil
	}
	began := time.Now()
	entry := r.Apply(fsm.AppendCheck(nil, n.now()), 0)
	if err := entry.Error(); err != nil {
		return err
	}
	c := check{index: entry.Index()}
	own, err := n.digests.at(n.ctx, c.index)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(n.ctx, digestPatience*time.Since(began)+digestTimeout)
	defer cancel()
	for i, sum := range n.askDigests(ctx, servers, c.index, own) {
		voter := servers[i].Suffrage == raft.Voter
		if voter {
			c.voters++
		}
		if sum != "" {
			c.reports = append(c.reports, report{string(servers[i].ID), voter, sum})
		}
	}
	for _, server := range servers {
		if l := n.peers.link(string(server.ID)); l != nil {
			l.ask(askVerdict, c.encode(), func([]byte, error) {})
		}
	}
	n.judge(c, own)
	return nil
}

// askDigests returns the digest of each server, "" for those that have none or do not
// answer until ctx ends.
func (n *Node) askDigests(ctx context.Context, servers []raft.Server, index uint64, own string) []string {
	type answer struct {
		server int
		sum    string
	}
	answers := make(chan answer, len(servers))
	for i, server := range servers {
		l := n.peers.link(string(server.ID))
		switch {
		case string(server.ID) == n.identity.NodeID:
			answers <- answer{i, own}
		case l == nil:
			answers <- answer{i, ""}
		default:
			var e encoder
			e.uint(index)
			l.ask(askDigest, e.buf, func(sum []byte, err error) {
				if err != nil {
					n.log.Debug("no digest", "node", l.peer.NodeID, "index", index, "error", err)
					sum = nil
				}
				answers <- answer{i, string(sum)}
			})
		}
	}
	sums := make([]string, len(servers))
	for range servers {
		select {
		case a := <-answers:
			sums[a.server] = a.sum
		case <-ctx.Done():
			return sums
		}
	}
	return sums
}

// ownDigest waits for the digest of an index for as long as anybody may want it.
func (n *Node) ownDigest(index uint64) (string, error) {
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	return n.digests.at(ctx, index)
}
