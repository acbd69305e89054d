package cluster

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/fsm"
)

var benchmarkValue = []byte(strings.Repeat("v", 300))

// run has 50 clients, each with a function of its own, call the leader of a cluster of
// three, and reports the CPU time of all nodes for an operation: on a busy machine it
// says more than the time that passes.
func run(b *testing.B, client func(n *Node) func() error) {
	c := newCluster(b, 3, nil)
	n := c.nodes[c.leader()]
	b.SetParallelism(25)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		do := client(n)
		for pb.Next() {
			if err := do(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func set(key string) fsm.Call {
	return fsm.Call{Args: [][]byte{[]byte("SET"), []byte(key), benchmarkValue}}
}

func BenchmarkRead(b *testing.B) {
	run(b, func(n *Node) func() error {
		ctx := b.Context()
		if _, err := n.Write(ctx, []fsm.Request{{Calls: []fsm.Call{set("k")}}}); err != nil {
			b.Error(err)
		}
		get := []fsm.Call{call("GET k")}
		return func() error {
			_, err := n.Read(ctx, get, 1)
			return err
		}
	})
}

func BenchmarkWrite(b *testing.B) { benchmarkWrite(b, 1) }

func BenchmarkWritePipeline16(b *testing.B) { benchmarkWrite(b, 16) }

func benchmarkWrite(b *testing.B, pipeline int) {
	run(b, func(n *Node) func() error {
		i := 0
		group := make([]fsm.Request, pipeline)
		return func() error {
			for k := range group {
				group[k].Calls = []fsm.Call{set(fmt.Sprintf("key:%012d", i%100_000))}
				i += 7
			}
			_, err := n.Write(context.Background(), group)
			return err
		}
	})
}
