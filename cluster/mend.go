package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// The state of a node is a function of a snapshot and of the log behind it. So a node that
// has diverged takes a state from the leader, applies what its own log has since, and puts
// the outcome in the place of the wrong one: raft, which is right about the log, does not
// hear of it, and no entry that the node has acknowledged is ever missing.

const (
	mendRetry   = time.Second
	mendTimeout = time.Minute // for the log to come as far as the leader's state
)

// mendState returns when the state is mended, or need not be.
func (n *Node) mendState() {
	for told := (time.Time{}); n.quarantine.wrong.Load(); {
		leader, changed := n.route.get()
		index, err := n.mend(leader)
		if err == nil {
			n.log.Warn("the state was replaced by the leader's: the next check decides", "leader", leader, "index", index)
			return
		}
		if time.Since(told) >= alarmInterval {
			told = time.Now()
			n.log.Error("states differ: this node is quarantined", "replacing the state", err)
		}
		if n.route.pause(n.ctx, changed, mendRetry) != nil {
			return
		}
	}
}

func (n *Node) mend(leader string) (index uint64, err error) {
	if leader == "" || leader == n.identity.NodeID {
		return 0, ErrNoLeader
	}
	fresh, err := n.fetchState(leader)
	if err != nil {
		return 0, fmt.Errorf("state of %s: %w", leader, err)
	}
	ctx, cancel := context.WithTimeout(n.ctx, mendTimeout)
	defer cancel()
	if err := n.progress.wait(ctx, n.machine, fresh.Index(), 0); err != nil {
		return 0, err
	}
	if err := n.replay(fresh); err != nil { // the most of it without holding up raft
		return 0, err
	}
	n.applyMu.Lock()
	defer n.applyMu.Unlock()
	if err := n.replay(fresh); err != nil {
		return 0, err
	}
	n.machine.Adopt(fresh)
	n.quarantine.mu.Lock()
	defer n.quarantine.mu.Unlock()
	n.quarantine.mended = fresh.Index()
	n.quarantine.wrong.Store(false)
	return fresh.Index(), nil
}

// replay has a machine apply what the node's own has applied beyond it.
func (n *Node) replay(fresh *fsm.Machine) error {
	var l raft.Log
	for to := n.machine.Index(); fresh.Index() < to; {
		for i := fresh.Index() + 1; i <= to; i++ {
			if err := n.storage.log.GetLog(i, &l); err != nil {
				return fmt.Errorf("entry %d of the log: %w", i, err)
			}
			if l.Type == raft.LogCommand {
				fresh.Apply(l.Index, l.Data)
			}
		}
	}
	return nil
}

// fetchState returns a machine with the state of the leader, as it is.
func (n *Node) fetchState(leader string) (*fsm.Machine, error) {
	conn, _, err := n.dial(stateConn, n.peers.address(leader), leader, dialTimeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(n.ctx, func() { conn.Close() })
	defer stop()
	fresh := fsm.New()
	return fresh, fresh.Restore(patientConn{conn})
}

// sendState answers fetchState.
func (n *Node) sendState(conn net.Conn) error {
	n.applyMu.Lock()
	snapshot := n.machine.Snapshot()
	n.applyMu.Unlock()
	defer snapshot.Release()
	_, err := snapshot.WriteTo(&pacer{to: patientConn{conn}, rest: 1, closing: n.closing, began: time.Now()})
	n.log.Info("state sent", "index", snapshot.Index(), "to", conn.RemoteAddr(), "error", err)
	return err
}

// refuseState says why another node gets no state from this one, or nil.
func (n *Node) refuseState(theirs hello) error {
	switch {
	case theirs.ClusterID == "" || theirs.ClusterID != n.clusterID():
		return errors.New("not a member")
	case !n.route.leading():
		return errNotLeader
	}
	return nil
}

// patientConn is a connection that ends when nothing comes or goes for a while.
type patientConn struct{ net.Conn }

func (c patientConn) Read(b []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Read(b)
}

func (c patientConn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Write(b)
}
