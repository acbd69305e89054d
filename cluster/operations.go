package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/fsm"
)

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

// Ready reports why the node cannot serve yet, nil when it can, and is a voter: another node
// may then be stopped.
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
	if n.wasReady.Load() { // a node that was cut off may answer before the leader feeds it again
		point.index -= min(point.index, caughtUp)
	}
	if err := n.progress.wait(ctx, n.machine, point.index, 0); err != nil {
		return fmt.Errorf("catching up: entry %d of %d", n.machine.Index(), point.index)
	}
	// Not before: to a node that has lost its data a snapshot may say that it is the voter that
	// it was then.
	if !n.isVoter(r) {
		return errors.New("catching up: this node is not a voter yet")
	}
	n.wasReady.Store(true)
	return nil
}
