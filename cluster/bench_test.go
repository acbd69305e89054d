package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// BenchmarkDigest shows what clients of a cluster of three notice while all its nodes hash
// a state of a million sessions: the longest waits beside those without a digest, the time
// that it takes, and of it the CPU's.
//
//	go test ./cluster -run '^$' -bench Digest -benchtime 5x -timeout 30m
func BenchmarkDigest(b *testing.B) {
	const sessions, perGroup, clients = 1_000_000, 500, 8
	c := newCluster(b, 3, func(config *Config) { config.DigestInterval, config.SnapshotBytes = 0, 1<<40 })
	n := c.nodes[c.leader()]
	group := make([]fsm.Request, perGroup)
	for i := 0; i < sessions; i += perGroup {
		for k := range group {
			group[k].Calls = []fsm.Call{call(fmt.Sprintf("SET session:%d %s EX 86400", i+k, benchmarkValue[:150]))}
		}
		if _, err := n.Write(b.Context(), group); err != nil {
			b.Fatal(err)
		}
	}

	// crowd has clients of all nodes work until stop is closed, and returns their waits.
	crowd := func(stop chan struct{}) (waits []time.Duration) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for client := range clients {
			wg.Go(func() {
				var mine []time.Duration
				at := c.nodes[client%3]
				for i := client; ; i += clients * 7919 {
					select {
					case <-stop:
						mu.Lock()
						defer mu.Unlock()
						waits = append(waits, mine...)
						return
					case <-time.After(time.Millisecond):
					}
					key := fmt.Sprintf("session:%d", i%sessions)
					begun := time.Now()
					_, err := at.Write(b.Context(), []fsm.Request{{Calls: []fsm.Call{set(key)}}})
					if err == nil {
						_, err = at.Read(b.Context(), []fsm.Call{call("GET " + key)}, 1)
					}
					if err != nil {
						b.Error(err)
					}
					mine = append(mine, time.Since(begun))
				}
			})
		}
		wg.Wait()
		slices.Sort(waits)
		return waits
	}
	report := func(what string, waits []time.Duration) {
		for name, part := range map[string]float64{"p50": 0.5, "p99": 0.99, "max": 1} {
			b.ReportMetric(float64(waits[int(part*float64(len(waits)-1))].Microseconds())/1000, what+"-"+name+"-ms")
		}
	}

	var with, without []time.Duration
	var took time.Duration
	compare := func() {
		begun := time.Now()
		if lead := c.nodes[c.leader()]; lead.check(lead.raft()) != nil {
			b.Error("the states were not compared")
		}
		took = time.Since(begun)
	}
	b.ResetTimer()
	before := cpuTime()
	compare()
	b.ReportMetric((cpuTime()-before).Seconds()/3, "cpu-s/node")
	for range b.N {
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			compare()
		}()
		with = append(with, crowd(stop)...)
		stop = make(chan struct{})
		time.AfterFunc(took, func() { close(stop) })
		without = append(without, crowd(stop)...)
	}
	slices.Sort(with)
	slices.Sort(without)
	report("with", with)
	report("without", without)
	b.ReportMetric(took.Seconds(), "digest-s")
}
