package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// quarantine is for a node whose state a check has found to differ from that of a majority
// of the voters. Its log is right, so that it goes on to take entries and to vote; its
// state is not:
//
//   - its clients are served by the leader, reads under READONLY too, and get no events
//     before the state is mended;
//   - it does not stand for election. Should raft make it the leader all the same, since
//     its log is the longest, it serves nobody and hands leadership on at once;
//   - it takes no snapshot, and as it does not lead, sends none.
//
// The state is mended meanwhile (see mend). The quarantine ends, also across restarts, when
// a check finds the node's state to be the majority's again.
type quarantine struct {
	n        *Node
	diverged atomic.Bool   // until a check says otherwise
	wrong    atomic.Bool   // the state has not been replaced yet
	changed  chan struct{} // for run

	handingOn baton

	mu       sync.Mutex
	checked  uint64          // the index of the last check that this node has heard of
	agreed   time.Time       // when a majority last had the state of this node
	disputed bool            // at the last check no state was that of a majority
	strays   map[string]bool // nodes whose states differed from the majority's
	mended   uint64          // a state up to this index has been replaced
	alarmed  time.Time
}

// alarmInterval is the least time between two alarms about the same.
const alarmInterval = time.Minute

// The key that is set while the node is in quarantine.
var divergedKey = []byte("holdfast-diverged")

func newQuarantine(n *Node) *quarantine {
	return &quarantine{n: n, changed: make(chan struct{}, 1), handingOn: newBaton()}
}

func (q *quarantine) on() bool { return q.diverged.Load() }

// unfit tells why this node should not lead, nil if it may.
func (n *Node) unfit() error {
	if n.quarantine.on() {
		return errDiverged
	}
	return n.disk.unfit()
}

// load takes up the quarantine that the node was in when it ended.
func (q *quarantine) load(s *storage) {
	if noted, err := s.stable.Get(divergedKey); err == nil && len(noted) > 0 {
		q.diverged.Store(true)
		q.wrong.Store(true)
		q.kick()
	}
}

func (q *quarantine) kick() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// run keeps the disk, and mends the state, whenever the quarantine begins, is confirmed or
// ends.
func (q *quarantine) run() {
	for {
		select {
		case <-q.changed:
		case <-q.n.closing:
			return
		}
		if q.on() {
			if err := q.n.storage.stable.Set(divergedKey, []byte{1}); err != nil {
				q.n.log.Error("note the quarantine", "error", err)
			}
			q.n.mendState()
			continue
		}
		// What is on the disk may have been of the wrong state.
		err := q.n.snapshots.save()
		if err == nil {
			err = q.n.storage.stable.Set(divergedKey, nil)
		}
		if err != nil {
			q.n.log.Error("the quarantine has ended, but will be back after a restart", "error", err)
		}
	}
}

// judge draws the conclusions from a check, in which this node's own digest, "" if it has
// none, need not be: it may have come too late.
func (n *Node) judge(c check, mine string) {
	q := n.quarantine
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.index <= q.checked || len(c.reports) == 0 {
		return
	}
	q.checked = c.index
	majority := c.majority()
	before := q.disputed || len(q.strays) > 0
	q.disputed, q.strays = majority == "" && c.differ(), map[string]bool{}
	if majority != "" {
		for _, r := range c.reports {
			if r.sum != majority {
				q.strays[r.node] = true
			}
		}
	}
	if !before {
		q.alarmed = time.Time{}
	}
	if (q.disputed || len(q.strays) > 0) && time.Since(q.alarmed) >= alarmInterval {
		q.alarmed = time.Now()
		q.alarm(c, majority)
	}
	switch {
	case majority == "" || mine == "":
	case mine == majority:
		q.agreed = time.Now()
		q.wrong.Store(false)
		if q.diverged.Swap(false) {
			n.log.Info("the state is the majority's again: the quarantine ends", "index", c.index)
			q.kick()
		}
	case c.index > q.mended:
		q.diverged.Store(true)
		q.wrong.Store(true)
		if r := n.raft(); r != nil {
			n.followLeader(r) // which this node may have been
		}
		q.kick()
	}
}

// alarm names those who differ.
func (q *quarantine) alarm(c check, majority string) {
	for _, r := range c.reports {
		switch {
		case q.disputed:
			q.n.log.Error("states differ: none is a majority's", "node", r.node, "index", c.index, "digest", r.sum)
		case r.sum != majority:
			q.n.log.Error("states differ: the node is quarantined", "node", r.node, "index", c.index, "digest", r.sum, "majority", majority)
		}
	}
}

// handOn gives leadership to a node that is fit for it.
func (q *quarantine) handOn() {
	select {
	case q.handingOn <- struct{}{}:
	default:
		return
	}
	go func() {
		defer q.handingOn.give()
		q.n.log.Warn("this node is quarantined: leadership is handed on")
		if err := q.n.transferWithin(q.n.config.ElectionTimeout); err != nil {
			q.n.log.Warn("handing on leadership", "error", err)
		}
	}()
}

// Consistency is what is known of the nodes' states: see --digest-interval.
type Consistency struct {
	Checked  uint64    // the log index of the last comparison; 0 without one
	Agreed   time.Time // when a majority last had this node's state; zero without one
	Diverged bool      // this node's state is another: it is quarantined
	Disputed bool      // states differ, and none is a majority's
}

// status returns it, and the nodes whose states differed at the last check.
func (q *quarantine) status() (c Consistency, strays map[string]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Consistency{Checked: q.checked, Agreed: q.agreed, Diverged: q.on(), Disputed: q.disputed}, q.strays
}
