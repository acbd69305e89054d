package cluster

import (
	"io"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// stateMachine is the node's fsm.Machine seen as a raft.FSM.
type stateMachine struct{ n *Node }

// Apply returns the results ([]fsm.Result) on the leader, which forwards some of them
// to the nodes they are for.
func (s stateMachine) Apply(l *raft.Log) (results any) {
	if !s.n.behind(l.Index) {
		s.n.giveWay.end()
		return s.n.apply(l)
	}
	s.n.giveWay.run(func() { results = s.n.apply(l) })
	return results
}

func (s stateMachine) Snapshot() (raft.FSMSnapshot, error) {
	s.n.applyMu.Lock()
	defer s.n.applyMu.Unlock()
	defer s.n.took("rdb-snapshot", time.Now())
	if s.n.quarantine.on() {
		return nil, errDiverged
	}
	return frozen{s.n.machine.Snapshot()}, nil
}

func (s stateMachine) Restore(r io.ReadCloser) (err error) {
	defer r.Close()
	s.n.applyMu.Lock()
	defer s.n.applyMu.Unlock()
	s.n.giveWay.run(func() {
		defer s.n.config.Restoring()()
		err = s.n.machine.Restore(r)
	})
	if err != nil {
		return err
	}
	s.n.progress.advance(s.n.machine)
	return nil
}

// StoreConfiguration makes this a raft.ConfigurationStore, so that raft counts entries
// that change the members as applied: without it no snapshot could be taken after one
// until the next write.
func (s stateMachine) StoreConfiguration(uint64, raft.Configuration) {}

// apply is called by raft for each entry in the order of the log.
func (n *Node) apply(l *raft.Log) any {
	n.applyMu.Lock()
	results := n.machine.Apply(l.Index, l.Data)
	var forward []fsm.Result
	if !n.quarantine.on() { // else the replies come from the leader
		n.outbox.applied(results)
		if n.route.leading() {
			forward = append(forward, results...)
		}
	}
	if !n.quarantine.wrong.Load() {
		n.tellEvents()
	}
	if fsm.IsCheck(l.Data) {
		n.digests.freeze(l.Index)
	}
	n.applyMu.Unlock()

	n.appliedTerm.Store(l.Term)
	n.appliedBytes.Add(int64(len(l.Data)))
	n.progress.advance(n.machine)
	n.reaper.schedule()
	return forward
}
