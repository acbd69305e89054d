package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"holdfast/test/machine"
)

// plan is what is going to be broken, in steps. It is a function of its seed.
type plan []planned

// planned is a step: faults that are there at the same time, and how long they last.
type planned struct {
	faults []fault
	hold   time.Duration
	calm   bool          // everything has to be ready again before the next step
	gap    time.Duration // before the next step
}

// fault is one thing that is broken.
type fault struct {
	kind    string
	whom    string // leader, follower, two, all; or any
	pick    int    // which of several
	weather machine.Weather
	stall   time.Duration // of a slow disk, or between two of what is repeated
	leave   int64         // bytes of room on a full disk
	off     time.Duration // of a clock
}

func (f fault) String() string {
	switch {
	case f.weather != machine.Weather{}:
		return fmt.Sprintf("%s %s %+v", f.kind, f.whom, f.weather)
	case f.kind == "jump", f.kind == "drift":
		return fmt.Sprintf("%s %s %v", f.kind, f.whom, f.off)
	case f.kind == "slow":
		return fmt.Sprintf("%s %s %v", f.kind, f.whom, f.stall)
	}
	return f.kind + " " + f.whom
}

func (p planned) String() string {
	names := make([]string, len(p.faults))
	for i, f := range p.faults {
		names[i] = f.String()
	}
	return fmt.Sprintf("%s, for %v", strings.Join(names, " + "), p.hold)
}

// kinds of faults, by what they break: of each there is one at a time. A kind that is
// named twice is twice as likely.
var kinds = map[string][]string{
	"process": {"kill", "kill", "pause", "pause", "stop", "power", "crashes", "rolling", "failovers"},
	"disk":    {"full", "slow", "slow"},
	"wires":   {"alone", "alone", "deaf", "mute", "bridge", "ring", "split", "flap"},
	"weather": {"delay", "jitter", "loss", "duplicate", "reorder", "storm"},
	"saves":   {"saves"},
	"clocks":  {"jump", "drift", "hour"},
}

var slots = []string{"process", "process", "disk", "wires", "wires", "weather", "saves", "clocks"}

// exclusive are kinds that come alone. A node's memory is taken while all others are well:
// what is acknowledged must have other disks to be on.
var exclusive = []string{"empty", "damage", "damage", "join", "leave"}

// spares is how many nodes join in the course of a plan.
const spares = 1

// newPlan makes steps that take at least a duration together. No step is longer than
// longest. Where kinds are named there are only those.
func newPlan(seed uint64, duration, longest time.Duration, named ...string) (plan, error) {
	chosen := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(kind string) bool { return len(named) > 0 && !slices.Contains(named, kind) })
	}
	slots := slices.DeleteFunc(slices.Clone(slots), func(slot string) bool { return len(chosen(kinds[slot])) == 0 })
	exclusive := chosen(exclusive)
	if len(slots)+len(exclusive) == 0 {
		return nil, fmt.Errorf("no fault is called %q", named)
	}
	dice := rand.New(rand.NewPCG(seed, 1<<32))
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(dice.Int64N(int64(most-least)))
	}
	var p plan
	joined := 0
	for total := time.Duration(0); total < duration; {
		s := planned{hold: between(300*time.Millisecond, 4*time.Second), calm: dice.IntN(4) > 0, gap: between(0, time.Second)}
		if dice.IntN(8) == 0 {
			s.hold = between(time.Second, longest)
		}
		if len(slots) == 0 || len(exclusive) > 0 && dice.IntN(10) == 0 {
			s.faults, s.calm = []fault{newFault(dice, exclusive[dice.IntN(len(exclusive))])}, true
			if s.faults[0].kind == "join" {
				if joined++; joined > spares {
					s.faults[0].kind = "saves"
				}
			}
		} else {
			used := map[string]bool{}
			for range 1 + dice.IntN(3) {
				if slot := slots[dice.IntN(len(slots))]; !used[slot] {
					used[slot] = true
					of := chosen(kinds[slot])
					s.faults = append(s.faults, newFault(dice, of[dice.IntN(len(of))]))
				}
			}
			s.faults = possible(s.faults)
		}
		p = append(p, s)
		total += s.hold + s.gap
	}
	return p, nil
}

// possible leaves a slow disk alone whose power is cut: a file system that stands still
// cannot be taken away.
func possible(faults []fault) []fault {
	power := false
	for _, f := range faults {
		power = power || f.kind == "power"
	}
	var kept []fault
	for _, f := range faults {
		if !power || f.kind != "slow" {
			kept = append(kept, f)
		}
	}
	return kept
}

func newFault(dice *rand.Rand, kind string) fault {
	f := fault{kind: kind, whom: "leader", pick: dice.IntN(1000), stall: 20*time.Millisecond + time.Duration(dice.Int64N(int64(600*time.Millisecond)))}
	switch n := dice.IntN(10); {
	case n == 0:
		f.whom = "all"
	case n == 1:
		f.whom = "two"
	case n < 5:
		f.whom = "follower"
	}
	if dice.IntN(2) == 0 {
		f.leave = dice.Int64N(1 << 20)
	}
	f.off = time.Duration(dice.Int64N(int64(2*maxOff))) - maxOff
	milliseconds := func(most int64) time.Duration { return time.Duration(1+dice.Int64N(most)) * time.Millisecond }
	switch kind {
	case "delay":
		f.weather.Delay = milliseconds(100)
	case "jitter":
		f.weather.Delay, f.weather.Jitter = milliseconds(5), milliseconds(60)
	case "loss":
		f.weather.Loss = 0.01 + 0.3*dice.Float64()
	case "duplicate":
		f.weather.Duplicate = 0.1 + 0.8*dice.Float64()
	case "reorder":
		f.weather.Delay, f.weather.Reorder = milliseconds(20), 0.25+0.5*dice.Float64()
	case "storm":
		f.weather = machine.Weather{Delay: milliseconds(20), Jitter: milliseconds(40), Loss: 0.1 * dice.Float64(), Duplicate: 0.2 * dice.Float64(), Reorder: 0.2 * dice.Float64()}
	case "join":
		f.whom = "another node"
	case "empty", "damage", "leave", "crashes":
		if f.whom != "follower" {
			f.whom = "leader"
		}
	case "rolling", "failovers", "saves", "split", "ring", "hour":
		f.whom = "any"
	}
	return f
}
