package cluster

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// disks is what a node makes of its disk and of those of the others. A leader's disk holds
// up every write, as raft writes an entry to its own log first, while its heartbeats go on:
// the followers notice nothing. So a leader asks the others how their disks do, and lets
// one of them lead where that helps:
//
//   - its disk is full: it hands leadership over; where no majority has room, it keeps it and
//     turns writes away, so that reads go on;
//   - its disk stands still: raft cannot even step down. A majority of others whose disks
//     have just taken a write elects one of them;
//   - its disk is many times slower than those of a majority, for long: it hands over.
//
// What slows all disks alike, or the whole machine, changes nothing.
type disks struct {
	crammed   atomic.Bool           // this node leads, and no majority has room
	elsewhere atomic.Pointer[reign] // who leads now, where this node's raft stands still with its disk
	asking    atomic.Bool
	slow      int // times in a row that the leader's disk was found slow
}

type reign struct {
	leader string
	term   uint64
}

const (
	diskPatience    = 2                     // election timeouts that a write may take: on a busy disk some do
	disksPerTimeout = 10                    // how often a node looks after its disk
	slowAtLeast     = 20 * time.Millisecond // per write; below it nothing is gained
	slowTimes       = 5                     // as slow as the others
	slowFor         = 20                    // times in a row that the others are asked, election timeouts
)

// diskReport is how a node's disk does.
type diskReport struct {
	full, stands bool
	usual        time.Duration // of a write; 0 is unknown
	leads        uint64        // the term in which the node leads, 0 if it does not

	link *link
}

func (d diskReport) encode() []byte {
	var e encoder
	e.bool(d.full)
	e.bool(d.stands)
	e.uint(uint64(d.usual.Microseconds()))
	e.uint(d.leads)
	return e.buf
}

func decodeDiskReport(b []byte) (diskReport, error) {
	d := decoder{buf: b}
	report := diskReport{full: d.bool(), stands: d.bool(), usual: time.Duration(d.uint()) * time.Microsecond, leads: d.uint()}
	return report, d.err
}

func (n *Node) diskReport() diskReport {
	number, _ := n.disk.standing()
	report := diskReport{full: n.disk.isFull(), stands: number > 0, usual: n.disk.usual()}
	if r := n.raft(); r != nil && r.State() == raft.Leader && !report.stands {
		report.leads = r.CurrentTerm()
	}
	return report
}

// watchDisks looks after the disk for as long as the node runs.
func (n *Node) watchDisks(r *raft.Raft) {
	n.disk.filled(n.storage.prepare())
	ticker := time.NewTicker(n.config.ElectionTimeout / disksPerTimeout)
	defer ticker.Stop()
	wasFit := true
	for asked := (time.Time{}); ; {
		select {
		case <-ticker.C:
		case <-n.closing:
			return
		}
		unfit := n.disk.unfit()
		if fit := unfit == nil; fit != wasFit {
			wasFit, asked = fit, time.Time{}
			if fit {
				n.log.Info("the disk is well again")
				n.kick()
			} else {
				n.log.Error("unfit to lead", "error", unfit)
			}
		}
		if known := n.disks.elsewhere.Load(); known != nil && r.CurrentTerm() >= known.term {
			n.disks.elsewhere.Store(nil) // raft has heard of it, which may take several writes
		}
		leads := r.State() == raft.Leader
		if !leads {
			n.setCrammed(false)
		} else if n.disks.crammed.Load() {
			n.proposer.turnAway()
			n.outbox.turnedAway(0)
		}
		if (leads || unfit != nil || n.storage.cramped.Load()) && time.Since(asked) >= n.config.ElectionTimeout && n.disks.asking.CompareAndSwap(false, true) {
			asked = time.Now()
			go func() {
				defer n.disks.asking.Store(false)
				n.compareDisks(r)
			}()
		}
	}
}

// compareDisks asks the other voters how their disks do, and acts on it.
func (n *Node) compareDisks(r *raft.Raft) {
	// A follower that only a snapshot can bring back writes nothing to its log, which would tell.
	if n.storage.cramped.Swap(false) || n.disk.isFull() {
		if err := n.storage.probe(); err != errProbing {
			n.disk.filled(err)
		}
	}
	others, need, err := n.otherVoters(r)
	if err != nil {
		return
	}
	reports := n.diskReports(others)
	for _, d := range reports {
		if d.leads > r.CurrentTerm() {
			n.disks.elsewhere.Store(&reign{d.link.peer.NodeID, d.leads})
			return
		}
	}
	if r.State() != raft.Leader {
		n.disks.slow = 0
		return
	}
	n.judgeDisks(r, others, need, reports)
}

// diskReports are the answers of some nodes, without those that do not come in time.
func (n *Node) diskReports(ids []string) (reports []diskReport) {
	links := n.peers.links(ids)
	answers := make(chan diskReport, len(links))
	for _, l := range links {
		l.ask(askDisk, nil, func(b []byte, err error) {
			report, decodeErr := decodeDiskReport(b)
			if report.link = l; err != nil || decodeErr != nil {
				report.link = nil
			}
			answers <- report
		})
	}
	timeout := time.NewTimer(n.config.ElectionTimeout)
	defer timeout.Stop()
	for range links {
		select {
		case report := <-answers:
			if report.link != nil {
				reports = append(reports, report)
			}
		case <-timeout.C:
			return reports
		}
	}
	return reports
}

// judgeDisks is the leader's: need others make a majority with it.
func (n *Node) judgeDisks(r *raft.Raft, others []string, need int, reports []diskReport) {
	full, room := n.disk.isFull(), 0
	anyFull := full
	if !full {
		room++
	}
	for _, d := range reports {
		if anyFull = anyFull || d.full; !d.full {
			room++
		}
	}
	n.setCrammed(anyFull && room <= need)
	number, standing := n.disk.standing()
	slow := n.isSlow(need, reports)
	if n.disks.slow++; !slow {
		n.disks.slow = 0
	}
	var err error
	switch {
	case number > 0:
		err = n.letGo(r, others, need, number, standing)
	case full && room > need:
		err = n.leadTo(n.furthest(others))
	case n.disks.slow >= slowFor:
		n.disks.slow = 0
		fastest := slices.MinFunc(reports, func(a, b diskReport) int { return int(a.usual - b.usual) })
		n.log.Warn("the disk is slow", "write", n.disk.usual(), "elsewhere", fastest.usual)
		err = n.leadTo(fastest.link.peer.NodeID)
	}
	if err != nil && err != errNoBetter {
		n.log.Warn("this node leads on with a bad disk", "error", err)
	}
}

// isSlow reports whether this node's disk is many times slower than those of a majority
// without it: an entry waits for the leader's disk, and for the fastest of so many others
// as make a majority.
func (n *Node) isSlow(need int, reports []diskReport) bool {
	usual := n.disk.usual()
	faster := 0
	for _, d := range reports {
		if !d.full && !d.stands && d.usual > 0 && usual >= slowTimes*d.usual {
			faster++
		}
	}
	return usual >= slowAtLeast && faster > need
}

func (n *Node) setCrammed(crammed bool) {
	if n.disks.crammed.Swap(crammed) == crammed {
		return
	}
	if crammed {
		n.log.Error("writes are refused", "error", ErrDiskFull)
	} else {
		n.log.Info("writes are taken again")
		n.proposer.kick()
	}
}

var errNoBetter = errors.New("the disks of the others are no better")

// letGo has another node elected while a write to this node's log stands still: one whose
// log and disk are better than the others'. Raft does not vote here meanwhile, so that all
// others that a majority consists of have to be well.
func (n *Node) letGo(r *raft.Raft, others []string, need int, number uint64, standing time.Duration) error {
	term := r.CurrentTerm()
	type answer struct {
		link  *link
		state logState
	}
	links := n.peers.links(others)
	answers := make(chan answer, len(links))
	for _, l := range links {
		l.ask(askSteady, nil, func(b []byte, err error) {
			state, decodeErr := decodeLogState(b)
			if err != nil || decodeErr != nil {
				state.unfit = true
			}
			answers <- answer{l, state}
		})
	}
	var best *answer
	well := 0
	timeout := time.NewTimer(n.config.ElectionTimeout / 2)
	defer timeout.Stop()
wait:
	for range links {
		select {
		case a := <-answers:
			if a.state.unfit || a.state.term != term {
				continue
			}
			well++
			if best == nil || a.state.betterThan(best.state, false) {
				best = &a
			}
		case <-timeout.C:
			break wait
		}
	}
	if well <= need {
		return errNoBetter
	}
	if now, _ := n.disk.standing(); now != number || r.State() != raft.Leader || r.CurrentTerm() != term {
		return nil // it is over
	}
	n.log.Warn("the disk stands still: letting go of leadership", "for", standing, "to", best.link.peer.NodeID)
	var e encoder
	e.string(n.identity.NodeID)
	e.uint(term)
	_, err := best.link.call(askCampaign, e.buf, n.config.ElectionTimeout)
	return err
}

// steadyLog is this node's log, once its disk has taken a write.
func (n *Node) steadyLog() (logState, error) {
	if n.raft() == nil {
		return logState{}, errNotLeader
	}
	if err := n.storage.probe(); err != nil {
		return logState{}, err
	}
	return n.logState()
}

// knownLeader is raft's word for who leads, or that of the others where raft stands still.
func (n *Node) knownLeader(r *raft.Raft) reign {
	if elsewhere := n.disks.elsewhere.Load(); elsewhere != nil {
		return *elsewhere
	}
	_, leader := r.LeaderWithID()
	return reign{string(leader), r.CurrentTerm()}
}
