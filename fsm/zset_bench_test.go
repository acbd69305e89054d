package fsm

import (
	"fmt"
	"runtime"
	"testing"
)

// benchmarkMember and benchmarkScore make a leaderboard that is filled in no order.
func benchmarkMember(i int) string { return fmt.Sprintf("member:%07d", i) }

func benchmarkScore(i int) float64 { return float64(i * 7919 % 1000003) }

// BenchmarkZsetMemory measures what a member takes in sorted sets of some sizes.
func BenchmarkZsetMemory(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sets := make([]*zset, max(1, 200000/n))
			var before, after runtime.MemStats
			for range b.N {
				clear(sets)
				runtime.GC()
				runtime.ReadMemStats(&before)
				for i := range sets {
					sets[i] = newZset()
					for j := range n {
						sets[i].add(benchmarkMember(j), benchmarkScore(j))
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(sets)*n), "bytes/member")
			runtime.KeepAlive(sets)
		})
	}
}

// BenchmarkZset runs commands on a sorted set of a million members.
func BenchmarkZset(b *testing.B) {
	const n = 1000000
	m := New()
	tx := Tx{m: m}
	z, _ := open(&tx, []byte("z"), newZset)
	for i := range n {
		z.add(benchmarkMember(i), benchmarkScore(i))
	}
	for _, words := range [][]string{
		{"ZADD", "z", "%d", "member:%07d"}, {"ZSCORE", "z", "member:%07d"}, {"ZRANK", "z", "member:%07d"},
		{"ZRANGE", "z", "%d", "+inf", "BYSCORE", "LIMIT", "0", "10"}, {"ZRANGE", "z", "500000", "500009"},
		{"ZRANGE", "z", "-inf", "+inf", "BYSCORE", "LIMIT", "%d", "10"}, {"ZCOUNT", "z", "1000", "%d"}, {"ZINCRBY", "z", "1", "member:%07d"},
		{"ZRANDMEMBER", "z", "10"}, {"ZPOPMIN", "z"},
	} {
		b.Run(fmt.Sprint(words), func(b *testing.B) {
			rand := Rand{1}
			args := make([][]byte, len(words))
			for i := range b.N {
				for j, word := range words {
					args[j] = []byte(word)
					if len(word) > 1 && word[len(word)-1] == 'd' {
						args[j] = fmt.Appendf(nil, word, rand.IntN(n))
					}
				}
				tx.rand = Rand{uint64(i)}
				if reply := tx.run(Call{Args: args}); reply.IsError() {
					b.Fatal(string(reply))
				}
			}
		})
	}
}
