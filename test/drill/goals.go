package main

import (
	"fmt"
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

// memory is the most that a process had at some moments, in bytes.
type memory struct{ heap, resident int64 }

// noteMemory asks a leader that is about to be killed for its memory.
func noteMemory(by map[string]memory, k kind, n *harness.Node) error {
	if !k.leader || k.verb() != "kill" {
		return nil
	}
	info, err := n.Info("memory")
	if err != nil {
		return err
	}
	heap, err := strconv.ParseInt(info["used_memory"], 10, 64)
	if err != nil {
		return err
	}
	resident, err := n.RSS()
	most := by[k.name]
	by[k.name] = memory{max(most.heap, heap), max(most.resident, resident)}
	return err
}

func (m memory) String() string {
	bound := "below"
	if m.heap >= goalHeap {
		bound = "NOT below"
	}
	return fmt.Sprintf("heap of the leader before the fault at most %d MB (%s %d), resident %d MB", m.heap>>20, bound, goalHeap>>20, m.resident>>20)
}
