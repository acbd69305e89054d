package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is one thing that is broken.
type fault struct {
	kind string
	whom string // leader, follower, two or all
	pick int    // which of several
}

func (f fault) String() string { return f.kind + " " + f.whom }

// everything is all kinds of faults; one that is named more often is more likely.
var everything = []string{
	"kill", "kill", "kill", "power", "power", "crash", "crash", "crash", "stop", "pause", "pause",
	"alone", "alone", "deaf", "mute", "split", "bridge", "flap", "slow", "resets", "transfer", "transfers", "saves", "ballots", "clocks", "hour", "hour", "full",
	"empty", "damage", "damage", "leave",
}

func newFault(dice *rand.Rand, kinds []string) fault {
	f := fault{kind: kinds[dice.IntN(len(kinds))], whom: "leader", pick: dice.IntN(1000)}
	switch n := dice.IntN(10); {
	case n == 0:
		f.whom = "all"
	case n == 1:
		f.whom = "two"
	case n < 5:
		f.whom = "follower"
	}
	return f
}

// step is faults that are there at the same time.
type step struct {
	faults []fault
	hold   time.Duration
	calm   bool          // everything has to be ready before the next step
	gap    time.Duration // before the next step
}

func (s step) String() string { return fmt.Sprintf("%v for %v", s.faults, s.hold) }

// newPlan makes steps that take at least a duration together, of some kinds of faults.
func newPlan(dice *rand.Rand, duration time.Duration, kinds []string) (plan []step) {
	upTo := func(most time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(most))) }
	for total := time.Duration(0); total < duration; {
		s := step{hold: upTo(700 * time.Millisecond), calm: dice.IntN(3) > 0, gap: upTo(500 * time.Millisecond)}
		if dice.IntN(5) == 0 {
			s.hold = upTo(6 * time.Second)
		}
		for range 1 + dice.IntN(2)*dice.IntN(3) {
			f := newFault(dice, kinds)
			if exclusive[f.kind] {
				s.faults, s.calm = []fault{f}, true
				break
			}
			s.faults = append(s.faults, f)
		}
		plan = append(plan, s)
		total += s.hold + s.gap
	}
	return plan
}

// execute breaks and mends until the plan is at its end, or something was found.
func (w *world) execute(plan []step, faults map[string]int) {
	for i, s := range plan {
		if exclusive[s.faults[0].kind] && !w.well() || len(w.found()) > 0 {
			break
		}
		w.note("step %d: %v", i, s)
		var repeat []func()
		for _, f := range s.faults {
			faults[f.kind]++
			if again := w.begin(f); again != nil {
				repeat = append(repeat, again)
			}
		}
		for end := time.Now().Add(s.hold); time.Now().Before(end); {
			if len(repeat) == 0 {
				time.Sleep(time.Until(end))
			}
			for _, again := range repeat {
				again()
			}
		}
		w.note("mend")
		for _, h := range w.hosts {
			h.resume()
			h.setFull(false)
		}
		w.network.mend()
		for _, h := range w.hosts {
			w.revive(h)
		}
		if s.calm && !w.ready() {
			break
		}
		time.Sleep(s.gap)
	}
	w.well() // nothing is broken any more when the nodes are compared
}

// maxSkew is how far two clocks are apart at most that are right.
const maxSkew = 200 * time.Millisecond

// begin breaks something. What it returns is to be done again and again until it is
// mended; it takes some time.
func (w *world) begin(f fault) (again func()) {
	victims := w.victims(f)
	one, dice := victims[0], w.dice(uint64(f.pick))
	switch f.kind {
	case "kill", "power":
		for _, h := range victims {
			w.note("%s %s", f.kind, h.name)
			h.kill(f.kind == "power")
		}
	case "crash":
		for _, h := range victims {
			h.crashSoon(40)
		}
		return func() { // and again while it starts
			time.Sleep(time.Duration(dice.Int64N(int64(200 * time.Millisecond))))
			for _, h := range victims {
				if h.crashed() {
					h.kill(true)
					h.run()
					h.crashSoon(60)
				}
			}
		}
	case "ballots":
		// Two who do not see each other ask the same one for its vote, which forgets what it
		// can each time that it has written something down.
		w.network.setCut(true, w.wires("bridge", one)...)
		one.crashSoon(12)
		return func() {
			time.Sleep(time.Millisecond + time.Duration(dice.Int64N(int64(20*time.Millisecond))))
			if one.crashed() {
				one.kill(true)
				one.run()
				one.crashSoon(12)
			}
		}
	case "stop":
		for _, h := range victims {
			w.running.Go(h.stop)
		}
	case "empty":
		w.note("empty %s", one.name)
		one.empty()
	case "damage":
		w.ruin(one, dice)
	case "leave":
		w.dismiss(one, f.pick)
	case "full":
		for _, h := range victims {
			h.setFull(true)
		}
	case "pause":
		for _, h := range victims {
			w.note("pause %s", h.name)
			h.pause()
		}
	case "alone", "deaf", "mute", "bridge", "split", "flap":
		wires := w.wires(f.kind, one)
		w.note("cut %v", wires)
		w.network.setCut(true, wires...)
		if f.kind == "flap" {
			cut := true
			return func() {
				time.Sleep(time.Duration(dice.Int64N(int64(300 * time.Millisecond))))
				cut = !cut
				w.network.setCut(cut, wires...)
			}
		}
	case "slow":
		w.network.setSlow(time.Duration(1+dice.IntN(150)) * time.Millisecond)
	case "clocks": // they stay as they are set
		for _, h := range w.hosts {
			h.offset.Store(dice.Int64N(int64(maxSkew / time.Millisecond)))
		}
	case "hour": // it is always the same one, so that most clocks are right
		off := time.Hour
		if dice.IntN(2) == 0 {
			off = -off
		}
		wrong := w.hosts[w.seed%uint64(len(w.hosts))]
		w.note("the clock of %s is off by %v", wrong.name, off)
		wrong.mislead(off)
	case "resets":
		w.network.breakConns(0.2 + 0.8*dice.Float64())
	case "transfer", "transfers":
		hand := func() {
			if node := w.leader(f.pick).node(); node != nil {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				node.TransferLeadership(ctx)
			}
		}
		if f.kind == "transfer" {
			hand()
			return nil
		}
		return func() {
			hand()
			time.Sleep(time.Duration(dice.Int64N(int64(100 * time.Millisecond))))
		}
	case "saves":
		return func() {
			for _, h := range w.hosts {
				if node := h.node(); node != nil {
					w.running.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
						defer cancel()
						node.Save(ctx)
					})
				}
			}
			time.Sleep(50*time.Millisecond + time.Duration(dice.Int64N(int64(200*time.Millisecond))))
		}
	default:
		panic("no such fault: " + f.kind)
	}
	return nil
}

// victims are the hosts that a fault is for.
func (w *world) victims(f fault) []*host {
	leader := w.leader(f.pick)
	others := w.others(leader)
	switch {
	case f.whom == "all" || len(others) == 0:
		return w.hosts
	case f.whom == "two":
		return w.others(w.hosts[f.pick%len(w.hosts)])[:2]
	case f.whom == "follower":
		return others[f.pick%len(others) : f.pick%len(others)+1]
	}
	return []*host{leader}
}

// wires are those that are cut around a host.
func (w *world) wires(kind string, h *host) (cut []wire) {
	others := w.others(h)
	for i, other := range others {
		switch kind {
		case "alone", "flap":
			cut = append(cut, wire{h.ip, other.ip}, wire{other.ip, h.ip})
		case "deaf":
			cut = append(cut, wire{other.ip, h.ip})
		case "mute":
			cut = append(cut, wire{h.ip, other.ip})
		case "bridge": // the others see the host alone
			for _, third := range others[i+1:] {
				cut = append(cut, wire{other.ip, third.ip}, wire{third.ip, other.ip})
			}
		case "split": // the host sees the first half of the others
			if i >= len(others)/2 {
				cut = append(cut, wire{h.ip, other.ip}, wire{other.ip, h.ip})
			}
		}
	}
	return cut
}
