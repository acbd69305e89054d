package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/cluster"
	"holdfast/fsm"
)

// serveMetrics answers Prometheus with the state of the node at that moment, and with what its
// client library tells of the process.
func serveMetrics(node *cluster.Node) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{node}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// gauges are the metrics that are one number of the node's status.
var gauges = []struct {
	desc *prometheus.Desc
	of   func(*cluster.Status) float64
}{
	{describe("leads", "Whether this node is the leader."), func(s *cluster.Status) float64 { return flag(s.LeaderID == s.NodeID) }},
	{describe("has_leader", "Whether this node knows a leader."), func(s *cluster.Status) float64 { return flag(s.LeaderID != "") }},
	{describe("term", "Raft's term."), func(s *cluster.Status) float64 { return float64(s.Term) }},
	{describe("commit_index", "The last log entry that is known to be committed."), func(s *cluster.Status) float64 { return float64(s.CommitIndex) }},
	{describe("applied_index", "The last log entry that this node has applied."), func(s *cluster.Status) float64 { return float64(s.AppliedIndex) }},
	{describe("voters", "Members of the cluster that vote."), func(s *cluster.Status) float64 { return float64(s.Voters) }},
	{describe("disk_fit", "Whether this node's disk lets it lead: it has room and takes writes."), func(s *cluster.Status) float64 { return flag(s.DiskErr == nil) }},
	{describe("digest_index", "The log index at which the nodes' states were last compared."), func(s *cluster.Status) float64 { return float64(s.Checked) }},
	{describe("diverged", "Whether this node's state is not that of a majority: it is quarantined."), func(s *cluster.Status) float64 { return flag(s.Diverged) }},
	{describe("disputed", "Whether the nodes' states differ and none is that of a majority."), func(s *cluster.Status) float64 { return flag(s.Disputed) }},
	{describe("pending_writes", "Writes of this node's clients that wait for their outcome."), func(s *cluster.Status) float64 { return float64(s.PendingWrites) }},
}

var (
	keysDesc      = describe("keys", "Keys of a database.", "db")
	agreedDesc    = describe("digest_agreed_seconds_ago", "Time since a majority last had this node's state.")
	skewDesc      = describe("clock_skew_seconds", "How far a member's clock, this node's included, is from the median of the voters'.", "member")
	reachableDesc = describe("peer_reachable", "Whether there is a link to another member.", "peer")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("holdfast_"+name, help, labels, nil)
}

// collector asks the node once for all that a scrape needs.
type collector struct{ node *cluster.Node }

func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	status := c.node.Status()
	for _, g := range gauges {
		gauge(g.desc, g.of(&status))
	}
	if !status.Agreed.IsZero() {
		gauge(agreedDesc, time.Since(status.Agreed).Seconds())
	}
	for _, m := range status.Members {
		if !m.Self {
			gauge(reachableDesc, flag(m.Reachable), m.ID)
		}
		if m.ClockKnown {
			gauge(skewDesc, m.ClockSkew.Seconds(), m.ID)
		}
	}
	for db := range fsm.Databases {
		if keys, _ := c.node.Keys(db); keys > 0 || db == 0 {
			gauge(keysDesc, float64(keys), strconv.Itoa(db))
		}
	}
}

func flag(set bool) float64 {
	if set {
		return 1
	}
	return 0
}
