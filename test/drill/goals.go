package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// goal is how long clients of surviving nodes may be without a reply after a fault. A
// drill that misses one tells of it and has not failed: the machine may be busy.
type goal struct{ p50, p99 time.Duration }

// goals are for a leader whose heap is below goalHeap: a bigger one takes longer to be
// taken apart by the kernel, and until then nobody knows that it is gone.
var goals = map[string]goal{
	"kill-leader":        {20 * time.Millisecond, 300 * time.Millisecond},
	"kill-loaded-leader": {50 * time.Millisecond, 300 * time.Millisecond},
	"pause-leader":       {p50: 600 * time.Millisecond},
	"cut-leader":         {p50: 600 * time.Millisecond},
	"stop-leader":        {20 * time.Millisecond, 100 * time.Millisecond},
	"failover-leader":    {20 * time.Millisecond, 100 * time.Millisecond},
}

const goalHeap = 300 << 20

// judged says of a kind's pauses which goals they reach, "" if there are none. At full
// load there are goals for a kill alone.
func judged(kind string, load bool, pauses workload.Pauses) string {
	if load {
		if kind != "kill-leader" && kind != "kill-loaded-leader" {
			return ""
		}
		kind = "kill-loaded-leader"
	}
	g := goals[kind]
	var parts []string
	for _, limit := range []struct {
		percent int
		most    time.Duration
	}{{50, g.p50}, {99, g.p99}} {
		if limit.most == 0 {
			continue
		}
		verdict := "reached"
		if pauses.Percentile(limit.percent) > limit.most {
			verdict = "missed"
		}
		parts = append(parts, fmt.Sprintf("p%d <= %d ms %s", limit.percent, limit.most.Milliseconds(), verdict))
	}
	return strings.Join(parts, ", ")
}

// state is what leaders and the machine were like before a kind of fault.
type state struct {
	heap, resident int64   // bytes; the most
	busy           float64 // CPUs, of all faults together
	faults         int
}

// noteState waits for a fault to come, and if it is a kill it asks the leader for its memory
// and notes how busy the machine was meanwhile.
func noteState(by map[string]state, k kind, n *harness.Node, wait time.Duration) error {
	began := time.Now()
	before, err := harness.BusyCPU()
	if err != nil {
		return err
	}
	time.Sleep(wait)
	after, err := harness.BusyCPU()
	if err != nil || !k.leader || k.verb() != "kill" {
		return err
	}
	s := by[k.name]
	s.faults++
	s.busy += (after - before).Seconds() / time.Since(began).Seconds()
	info, err := n.Info("memory")
	if err != nil {
		return err
	}
	heap, err := strconv.ParseInt(info["used_memory"], 10, 64)
	if err != nil {
		return err
	}
	resident, err := n.RSS()
	s.heap, s.resident = max(s.heap, heap), max(s.resident, resident)
	by[k.name] = s
	return err
}

func (s state) String() string {
	bound := "below"
	if s.heap >= goalHeap {
		bound = "NOT below"
	}
	return fmt.Sprintf("before the fault: the leader's heap at most %d MB (%s %d), resident %d MB; %.1f of %d CPUs busy",
		s.heap>>20, bound, goalHeap>>20, s.resident>>20, s.busy/float64(s.faults), runtime.NumCPU())
}
