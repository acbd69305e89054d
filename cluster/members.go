package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

const (
	memberInterval = 50 * time.Millisecond
	configTimeout  = 5 * time.Second

	// caughtUp is how many entries behind the leader a non-voter may be when it
	// becomes a voter.
	caughtUp = 64
)

// admit makes a new node a non-voter; the leader promotes it when it has caught up.
// The id may be that of a voter whose disk has been emptied: its votes and entries are
// gone, and counting it before it has them again could lose an acknowledged write. So
// it loses its vote first, and only then may start its raft.
func (n *Node) admit(h hello) error {
	r := n.raft()
	if r == nil || !n.route.leading() {
		return errNotLeader
	}
	if n.disk.isFull() {
		return ErrDiskFull
	}
	n.admitting.take() // one at a time: two processes of one id must not both come in
	defer n.admitting.give()
	if err := n.examine(h); err != nil {
		return &refusal{err.Error()}
	}
	if boot, ok := n.admitted[h.NodeID]; ok && boot != h.Boot && n.peers.aliveElsewhere(h) {
		return &refusal{fmt.Sprintf("%sanother running node calls itself %q: give each its own --id (and --dir)", duplicateID, h.NodeID)}
	}
	id, address := raft.ServerID(h.NodeID), raft.ServerAddress(h.Bus)
	server, known := n.server(r, id)
	if known && server.Suffrage == raft.Voter {
		n.log.Warn("a voter has come back without its data: it is a non-voter until it has caught up", "node", h.NodeID)
		if err := n.change(r.DemoteVoter(id, 0, configTimeout)); err != nil {
			return fmt.Errorf("demote %s: %w", id, err)
		}
	}
	if err := n.change(r.AddNonvoter(id, address, 0, configTimeout)); err != nil {
		return fmt.Errorf("admit %s: %w", id, err)
	}
	n.admitted[h.NodeID] = h.Boot
	n.log.Info("node admitted as a non-voter", "node", h.NodeID, "address", address)
	n.peers.add(h.NodeID, h.Bus)
	return nil
}

func (n *Node) server(r *raft.Raft, id raft.ServerID) (raft.Server, bool) {
	future := r.GetConfiguration()
	if future.Error() == nil {
		for _, server := range future.Configuration().Servers {
			if server.ID == id {
				return server, true
			}
		}
	}
	return raft.Server{}, false
}

// tendMembers runs on every node: it keeps links to the members, and where this node
// leads it promotes non-voters that have caught up, follows members that moved, and
// declares the cluster formed.
func (n *Node) tendMembers() {
	ticker := time.NewTicker(memberInterval)
	defer ticker.Stop()
	r, begun := n.raft(), false
	for {
		select {
		case <-ticker.C:
		case <-n.closing:
			return
		}
		if !begun && r.LastIndex() > 0 {
			if err := n.storage.begin(); err != nil {
				n.log.Error("note that the log has begun", "error", err)
			} else {
				begun = true
			}
		}
		servers := n.followConfiguration(r)
		if !n.route.leading() || n.disk.isFull() {
			continue
		}
		voters := 0
		for _, server := range servers {
			if server.Suffrage == raft.Voter {
				voters++
			}
			n.tendMember(r, server)
		}
		if !n.formed() && voters >= n.config.BootstrapExpect {
			n.declareFormed()
		}
	}
}

// followConfiguration keeps a link to every member and to nobody else.
func (n *Node) followConfiguration(r *raft.Raft) []raft.Server {
	future := r.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	servers := future.Configuration().Servers
	members := map[string]bool{}
	for _, server := range servers {
		id := string(server.ID)
		members[id] = true
		if n.peers.get(id) == nil {
			n.peers.add(id, string(server.Address))
		}
	}
	if len(members) > 0 { // a node that was just admitted does not know yet
		n.peers.keep(members)
	}
	return servers
}

func (n *Node) tendMember(r *raft.Raft, server raft.Server) {
	id := string(server.ID)
	address := raft.ServerAddress(n.peers.address(id))
	l := n.peers.link(id)
	if id == n.identity.NodeID {
		if address != server.Address {
			n.changeConfig("move", id, r.AddVoter(server.ID, address, 0, configTimeout))
		}
		return
	}
	if l == nil {
		return
	}
	switch {
	case server.Suffrage != raft.Voter:
		committed := r.CommitIndex()
		answer, err := l.call(askLogState, nil, probeTimeout)
		if err != nil {
			return
		}
		state, err := decodeLogState(answer)
		if err != nil || state.lastIndex+caughtUp < committed || state.lastTerm == 0 {
			return
		}
		n.changeConfig("promote", id, r.AddVoter(server.ID, address, 0, configTimeout))
	case address != server.Address:
		n.changeConfig("move", id, r.AddVoter(server.ID, address, 0, configTimeout))
	}
}

// change waits for a change of members. A leader whose log has not taken the entry goes by the
// new members all the same, and goes on to when it leads no longer: nobody else knows of them,
// and two changes at once may make two majorities. So this node ends.
func (n *Node) change(members raft.IndexFuture) error {
	err := members.Error()
	if err != nil && strings.HasPrefix(err.Error(), "unable to store logs") { // raft has no name for it
		n.fail(fmt.Errorf("a change of members was not written: %w", err))
	}
	return err
}

func (n *Node) changeConfig(what, id string, future raft.IndexFuture) {
	if err := n.change(future); err != nil {
		n.log.Warn("membership: "+what, "node", id, "error", err)
		return
	}
	n.log.Info("membership: "+what, "node", id)
}

func (n *Node) declareFormed() {
	done := make(chan error, 1)
	n.proposer.propose(func(at fsm.Millis) []byte {
		return fsm.AppendFormed(nil, at, n.clusterID())
	}, func(err error) { done <- err })
	if err := <-done; err == nil {
		n.log.Info("cluster formed", "cluster", n.clusterID())
		n.proposer.kick()
	}
}
