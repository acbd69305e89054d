package cluster

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
)

// form finds a cluster for a new node and starts its raft.
func (n *Node) form() {
	clusterID, founder, err := n.formation.run(n.ctx)
	if err == nil {
		n.cluster.Store(&clusterID)
		err = n.startRaft(true, founder)
	}
	if err != nil && !n.isClosing() {
		n.fail(err)
	}
}

// preflight refuses to start a member among nodes that will not have it: their word
// has to come before its raft takes part in elections.
func (n *Node) preflight(ctx context.Context) error {
	if len(n.config.Join) == 0 {
		return nil
	}
	found := n.formation.probe(ctx)
	defer found.close()
	if found.err != nil && len(found.members) == 0 {
		return found.err
	}
	return nil
}

// startRaft opens the storage and starts raft; new is true for a node that has just
// become a member, founder if it is the cluster's first.
func (n *Node) startRaft(new, founder bool) error {
	if new { // what a crash left of an earlier try has never been part of a cluster
		if err := n.config.Disk.RemoveAll(filepath.Join(n.config.Dir, raftDir)); err != nil {
			return err
		}
	}
	storage, err := openStorage(&n.config, n.clusterID(), new, &n.disk)
	if err != nil {
		return err
	}
	n.storage = storage
	n.quarantine.load(storage)

	address := n.advertised()
	n.transport = &transport{requests: make(chan raft.RPC), routine: n.isRoutine, closing: n.closing, unfit: n.disk.unfit, NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:                stream{n.bus},
		ServerAddressProvider: addressBook{n},
		MaxPool:               maxPooled,
		// No pipelines: when a follower answers with a later term, the goroutine that sends
		// may wait for ever (github.com/hashicorp/raft/issues/612). With one entry in flight
		// they gain nothing.
		MaxRPCsInFlight: 1,
		Timeout:         n.deliveryTimeout(),
		Logger:          raftLogger(n.log),
	})}
	go n.screen(n.transport.NetworkTransport.Consumer(), n.transport.requests)
	config := n.raftConfig()
	if founder {
		alone := raft.Configuration{Servers: []raft.Server{{ID: config.LocalID, Address: raft.ServerAddress(address)}}}
		if err := raft.BootstrapCluster(config, storage.log, storage.stable, storage.snapshots, n.transport, alone); err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		}
	}
	if new {
		n.identity.ClusterID = n.clusterID()
		if err := n.identity.save(&n.config); err != nil {
			return err
		}
	}
	r, err := raft.NewRaft(config, stateMachine{n}, storage.log, storage.stable, storage.snapshots, n.transport)
	if err != nil {
		return fmt.Errorf("start from %s: %w", n.config.Dir, err)
	}
	observations := make(chan raft.Observation, 64)
	r.RegisterObserver(raft.NewObserver(observations, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	}))
	n.running.Store(r)
	n.snapshots.load()
	n.followConfiguration(r)

	go n.watchLeader(r, observations)
	go n.watchSilence(r)
	go n.watchDisks(r)
	go n.watchClocks(r)
	go n.proposer.run()
	go n.sender.run()
	go n.reaper.run()
	go n.tendMembers()
	go n.snapshots.run()
	go n.watchDigests(r)
	go n.quarantine.run()
	go n.register()
	if self, _ := n.formation.addresses(); self == "" && n.config.Advertise == "" && len(n.config.Join) > 0 {
		go n.formation.findSelf(n.ctx)
	}
	if others, need, err := n.otherVoters(r); err == nil && need == 0 && len(others) == 0 && n.isVoter(r) {
		go n.campaign("", r.CurrentTerm()) // nobody else can lead: why wait
	}
	n.log.Info("started", "cluster", n.clusterID(), "bus", address, "applied", n.machine.Index())
	return nil
}

// deliveryTimeout is how long a connection may deliver nothing before another is opened.
func (n *Node) deliveryTimeout() time.Duration { return max(2*time.Second, 4*n.config.ElectionTimeout) }

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.identity.NodeID)
	c.HeartbeatTimeout = n.config.ElectionTimeout
	c.ElectionTimeout = n.config.ElectionTimeout
	c.LeaderLeaseTimeout = n.config.ElectionTimeout // no read relies on it; a shorter one deposes leaders of busy machines
	c.TrailingLogs = n.config.TrailingLogs
	c.SnapshotThreshold = 1 << 62          // snapshots are taken by bytes: see snapshots
	c.SnapshotInterval = math.MaxInt64 / 2 // or else where the log is empty: there raft's count of entries is below zero
	c.ShutdownOnRemove = false
	c.NoLegacyTelemetry = true
	c.Logger = raftLogger(n.log)
	return c
}

// addressBook tells raft where a node is now; the addresses in raft's configuration
// are those of when it joined. While there is a link to the node, that is where the link
// goes: an election must not wait for a name to be looked up.
type addressBook struct{ n *Node }

func (b addressBook) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if l := b.n.peers.link(string(id)); l != nil {
		return raft.ServerAddress(l.address()), nil
	}
	if address := b.n.peers.address(string(id)); address != "" {
		return raft.ServerAddress(address), nil
	}
	if r := b.n.raft(); r != nil {
		if server, ok := b.n.server(r, id); ok {
			return server.Address, nil
		}
	}
	return "", fmt.Errorf("no address of node %s", id)
}

// watchLeader keeps the route to the leader.
func (n *Node) watchLeader(r *raft.Raft, observations <-chan raft.Observation) {
	ticker := time.NewTicker(100 * time.Millisecond) // an observation may have been dropped
	defer ticker.Stop()
	for {
		select {
		case <-observations:
		case <-ticker.C:
		case <-n.closing:
			return
		}
		n.followLeader(r)
	}
}

func (n *Node) followLeader(r *raft.Raft) {
	known := n.knownLeader(r)
	if known.leader == n.identity.NodeID && n.quarantine.on() {
		known.leader = ""
		n.quarantine.handOn()
	}
	if !n.route.set(known.leader) {
		return
	}
	n.log.Info("leader", "leader", known.leader, "term", known.term)
	n.sender.forget()
	n.asks.abort(time.Now(), errNotLeader)
	n.outbox.resend(0)
	n.proposer.kick()
	n.sender.kick()
	n.reaper.schedule()
}

// afterBarrier calls then when everything from before the leader's term is applied.
func (n *Node) afterBarrier(r *raft.Raft, term uint64, then func(error)) {
	go func() {
		err := r.Barrier(0).Error()
		if err == nil && r.CurrentTerm() == term {
			for {
				applied := n.appliedTerm.Load()
				if applied >= term || n.appliedTerm.CompareAndSwap(applied, term) {
					break
				}
			}
		}
		then(err)
	}()
}
