package cluster

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
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
	giveWay  giveWay    // of raft's goroutine that applies
	applyMu  sync.Mutex // Apply, Restore and Snapshot of the machine are for one at a time
	progress progress

	// Set before running, read after it.
	running   atomic.Pointer[raft.Raft]
	storage   *storage
	transport *transport

	leaderCommit atomic.Uint64 // the highest commit index that a leader told of
	appliedTerm  atomic.Uint64 // everything before this term has been applied, and something in it
	appliedBytes atomic.Int64
	roundNumber  atomic.Uint64
	campaigned   atomic.Uint64 // the last term in which this node stood by certainty
	listener     atomic.Pointer[Listener]
	wasFormed    atomic.Bool // see formed
	wasReady     atomic.Bool // see Ready
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
	n.disk.took, n.disk.dead, n.disk.patience = n.took, n.fail, diskPatience*config.ElectionTimeout
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
	n.giveWay.end()
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
