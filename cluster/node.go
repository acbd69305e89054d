package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// Node is one process of a cluster: its copy of the keyspace and its part in
// replicating it. Its methods are safe for concurrent use.
type Node struct {
	config Config
	log    *slog.Logger
	lock   io.Closer
	boot   uint64 // random, of this process

	identity  identity               // ClusterID is only set before raft starts: see clusterID
	cluster   atomic.Pointer[string] // the cluster's id once this node is a member
	bus       *bus
	peers     *peers
	formation *formation
	route     *route
	outbox    *outbox
	sender    *sender
	proposer  *proposer
	reaper    *reaper
	rounds    *batcher // the leader's quorum rounds
	asks      *batcher // a follower's questions to the leader
	snapshots *snapshots
	silence   silence
	disk      diskHealth
	disks     disks

	digests    *digests
	quarantine *quarantine
	clocks     *clocks

	machine  *fsm.Machine
	applyMu  sync.Mutex // Apply, Restore and Snapshot of the machine are for one at a time
	progress progress

	// Set before running, read after it.
	running   atomic.Pointer[raft.Raft]
	storage   *storage
	transport *transport

	appliedTerm  atomic.Uint64 // everything before this term has been applied, and something in it
	appliedBytes atomic.Int64
	roundNumber  atomic.Uint64
	campaigned   atomic.Uint64 // the last term in which this node stood by certainty
	listener     atomic.Pointer[Listener]
	wasFormed    atomic.Bool // see formed
	metMember    atomic.Bool // another node of the cluster has been met since the start
	started      time.Time
	forgottenAt  atomic.Pointer[time.Time] // when a leader first said that this node is no member

	admitting    baton
	transferring baton             // see handOver
	admitted     map[string]uint64 // node id -> the process that was admitted under it

	ctx     context.Context // ends with closing
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{}
	failure error // set before done is closed
	ending  atomic.Bool
	failing sync.Once
}

const registerRetry = 20 * time.Millisecond

// Open starts a node and returns when it has loaded what is on its disk and serves
// its bus; it may not have found the others yet. ctx bounds the start.
func Open(ctx context.Context, config Config) (*Node, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	lock, err := config.Disk.Lock(config.Dir)
	if err != nil {
		return nil, err
	}
	id, err := loadIdentity(&config)
	if err != nil {
		lock.Close()
		return nil, err
	}
	n := &Node{
		config: config, log: config.Logger.With("node", id.NodeID), lock: lock, boot: rand.Uint64() | 1,
		identity: id, machine: fsm.New(), route: newRoute(id.NodeID), started: time.Now(),
		admitting: newBaton(), transferring: newBaton(), admitted: map[string]uint64{}, closing: make(chan struct{}), done: make(chan struct{}),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.peers, n.formation = newPeers(n), &formation{n: n, state: "starting"}
	n.outbox = newOutbox(config.CommitTimeout, config.MaxPendingBytes, n.kick)
	n.sender, n.proposer, n.reaper = newSender(n), newProposer(n), newReaper(n)
	n.rounds, n.asks = &batcher{start: n.startRound}, &batcher{start: n.startAsk}
	n.snapshots = &snapshots{n: n, turn: newBaton()}
	n.silence.timeout = config.ElectionTimeout
	n.disk.took, n.disk.patience = n.took, diskPatience*config.ElectionTimeout
	n.digests, n.quarantine = &digests{n: n, last: time.Now()}, newQuarantine(n)
	n.clocks = newClocks(&n.config)
	if n.bus, err = openBus(n); err != nil {
		lock.Close()
		return nil, err
	}
	go n.bus.run()
	go n.expireRequests()

	if id.ClusterID == "" {
		go n.form()
		return n, nil
	}
	n.cluster.Store(&id.ClusterID)
	err = n.preflight(ctx)
	if err == nil {
		err = n.startRaft(false, false)
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// clusterID is "" until the node is a member.
func (n *Node) clusterID() string {
	if id := n.cluster.Load(); id != nil {
		return *id
	}
	return ""
}

// formed reports whether the cluster was complete once. From then on it accepts requests
// of clients, whatever becomes of its members.
func (n *Node) formed() bool {
	if n.wasFormed.Load() {
		return true
	}
	if n.machine.Formed() == "" {
		return false
	}
	n.wasFormed.Store(true)
	return true
}

// raft is nil until the node is a member.
func (n *Node) raft() *raft.Raft { return n.running.Load() }

// kick has whoever is in charge look at the outbox.
func (n *Node) kick() {
	if n.route.leading() {
		n.proposer.kick()
	} else {
		n.sender.kick()
	}
}

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

// expireRequests gives up requests and questions that have waited too long.
func (n *Node) expireRequests() {
	ticker := time.NewTicker(max(n.config.CommitTimeout/100, 10*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if n.outbox.expire(now) {
				n.sender.forget()
				n.sender.kick()
			}
			n.rounds.abort(now.Add(-n.config.CommitTimeout), ErrNoLeader)
			n.asks.abort(now.Add(-askTimeout), ErrNoLeader)
		case <-n.closing:
			return
		}
	}
}

// linkUp is called when a link to another node stands.
func (n *Node) linkUp(l *link) {
	if h := l.peer; h.ClusterID != "" && h.ClusterID == n.clusterID() {
		n.metMember.Store(true)
	}
	n.askClock(l)
	n.sender.kick()
}

// linkDown is called when a link broke.
func (n *Node) linkDown(p *peer, l *link, err error) {
	n.log.Debug("link down", "peer", p.id, "error", err)
	if leader, _ := n.route.get(); leader == p.id && !n.isClosing() {
		go n.suspect(l)
	}
}

// setupRefused is called when another node says that this one is set up wrongly. It
// is believed as long as no node of the own cluster has been met; a leader that says that
// this one was forgotten, always.
func (n *Node) setupRefused(err error) {
	n.log.Error("refused by another node", "error", err)
	if strings.HasPrefix(err.Error(), forgotten) {
		// One that leads no longer might not know of a new member; it does not say so for long.
		now := time.Now()
		if !n.forgottenAt.CompareAndSwap(nil, &now) && time.Since(*n.forgottenAt.Load()) > 4*n.config.ElectionTimeout {
			n.fail(err)
		}
		return
	}
	if !n.metMember.Load() && time.Since(n.started) > time.Second {
		n.fail(err)
	}
}

// Write replicates a group of requests, which stand together in one log entry, and
// returns one reply to each, in order; or an error that says what became of them:
// ErrNoLeader, ErrNotFormed, ErrClosed (they did not run) or ErrUncertain. It keeps no
// reference to the group.
func (n *Node) Write(ctx context.Context, group []fsm.Request) ([]fsm.Reply, error) {
	replies, err := n.outbox.write(ctx, group)
	if err == ErrNoLeader && !n.formed() {
		err = ErrNotFormed
	}
	return replies, err
}

// Wait returns how many other voters hold every write acknowledged before the call,
// as soon as that is at least replicas, or when ctx ends.
func (n *Node) Wait(ctx context.Context, replicas int) (int, error) {
	point, err := n.readPoint(ctx)
	if err != nil {
		return 0, err
	}
	r := n.raft()
	for {
		others, _, err := n.otherVoters(r)
		if err != nil {
			return 0, err
		}
		holding := 0
		for _, l := range n.peers.links(others) {
			answer, err := l.call(askLogState, nil, probeTimeout)
			if err != nil {
				continue
			}
			// A log that ends in the present term and is long enough has the entry
			// (Raft's log matching property).
			state, err := decodeLogState(answer)
			if err == nil && (state.applied >= point.index || state.lastTerm == r.CurrentTerm() && state.lastIndex >= point.index) {
				holding++
			}
		}
		if holding >= replicas || ctx.Err() != nil {
			return holding, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// readPoint is the point that a current read has to be evaluated at.
func (n *Node) readPoint(ctx context.Context) (readPoint, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	for {
		leader, changed := n.route.get()
		var point readPoint
		err := error(ErrNoLeader)
		switch leader {
		case n.identity.NodeID:
			point, err = n.rounds.confirm(ctx)
		case "":
		default:
			point, err = n.asks.confirm(ctx)
		}
		if err == nil {
			return point, nil
		}
		if n.route.pause(ctx, changed, 5*time.Millisecond) != nil {
			return readPoint{}, ErrNoLeader
		}
	}
}

// Snapshot freezes this node's copy of the keyspace, with every write acknowledged before
// the call. Writes go on meanwhile. The caller releases it.
func (n *Node) Snapshot(ctx context.Context) (*fsm.Snapshot, error) {
	if n.quarantine.on() {
		return nil, errDiverged
	}
	return n.freeze(ctx)
}

func (n *Node) freeze(ctx context.Context) (*fsm.Snapshot, error) {
	point, err := n.readPoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.progress.wait(ctx, n.machine, point.index, 0); err != nil {
		return nil, ErrNoLeader
	}
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	return n.machine.Snapshot(), nil
}

// Digest is a hash of the keyspace on this node, with every write acknowledged before
// the call.
func (n *Node) Digest(ctx context.Context) (string, error) {
	snapshot, err := n.freeze(ctx)
	if err != nil {
		return "", err
	}
	defer snapshot.Release()
	return snapshot.Digest(), nil
}

// Setting is a replicated setting, false where it was never set.
func (n *Node) Setting(name string) (string, bool) { return n.machine.Setting(name) }

// Users are those that ACL SETUSER has made: another pointer after each change.
func (n *Node) Users() *fsm.Users { return n.machine.Users() }

// Keys counts the keys of a database, and those of them that have a deadline.
func (n *Node) Keys(db int) (keys, expires int) { return n.machine.Keys(db) }

// MeanTTL estimates how long the keys of a database that have a deadline have left.
func (n *Node) MeanTTL(db int) time.Duration {
	return time.Duration(n.machine.MeanTTL(db, n.now())) * time.Millisecond
}

// Counts are what the keyspace counts since the node started.
func (n *Node) Counts() fsm.Counts { return n.machine.Counts() }

// Save writes a snapshot and returns when it is on disk. The snapshot has every write
// acknowledged before the call; without a leader, what this node has.
func (n *Node) Save(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, n.config.CommitTimeout)
	defer cancel()
	point, err := n.readPoint(bounded)
	if err == nil {
		err = n.progress.wait(bounded, n.machine, point.index, 0)
	}
	if err != nil {
		n.log.Warn("a snapshot is taken that may lack the latest writes", "error", err)
	}
	return n.snapshots.save()
}

// Ready reports why the node cannot serve yet, nil when it can.
func (n *Node) Ready() error {
	r := n.raft()
	if r == nil {
		return errors.New(n.formation.String())
	}
	if !n.formed() {
		return errors.New("the cluster is still forming")
	}
	if n.quarantine.on() {
		return errDiverged
	}
	if !n.isVoter(r) {
		return errors.New("catching up: this node is not a voter yet")
	}
	if err := n.disk.unfit(); err != nil {
		return err
	}
	if !n.outbox.registered() {
		return errors.New("not registered with the leader yet")
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.config.ElectionTimeout)
	defer cancel()
	point, err := n.readPoint(ctx)
	if err != nil {
		return err
	}
	if applied := n.machine.Index(); applied+caughtUp < point.index {
		return fmt.Errorf("catching up: entry %d of %d", applied, point.index)
	}
	return nil
}

// Done is closed when the node has ended; Err then says why, nil after Close.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is valid once Done is closed.
func (n *Node) Err() error { return n.failure }

// fail ends the node for a reason that the operator has to know.
func (n *Node) fail(err error) {
	n.failing.Do(func() {
		n.failure = err
		go n.Close()
	})
}

func (n *Node) isClosing() bool {
	select {
	case <-n.closing:
		return true
	default:
		return false
	}
}

const drainTimeout = 5 * time.Second

// Close moves leadership away, waits a moment for what is pending and stops.
func (n *Node) Close() error {
	if n.ending.CompareAndSwap(false, true) {
		n.end()
	}
	<-n.done
	return n.failure
}

func (n *Node) end() {
	n.outbox.close()
	if r := n.raft(); r != nil && n.failure == nil {
		n.drain(r)
	}
	close(n.closing)
	n.cancel()
	if r := n.raft(); r != nil {
		n.transferring.take()
		r.Shutdown().Error()
	}
	n.outbox.abort()
	n.peers.close()
	n.bus.close()
	if n.transport != nil {
		n.transport.CloseStreams() // the others take an open one for a sign of life
		n.transport.Close()
	}
	if n.storage != nil {
		if err := n.storage.Close(); err != nil {
			n.log.Warn("close storage", "error", err)
		}
	}
	n.lock.Close()
	close(n.done)
}

func (n *Node) drain(r *raft.Raft) {
	if others, _, err := n.otherVoters(r); err == nil && len(others) > 0 {
		if err := n.transferWithin(n.config.ElectionTimeout); err != nil {
			n.log.Warn("leadership stays here until the others notice", "error", err)
		}
	}
	for deadline := time.Now().Add(drainTimeout); n.outbox.pending() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}
