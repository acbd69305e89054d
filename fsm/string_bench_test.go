package fsm

import (
	"fmt"
	"strings"
	"testing"
)

// Lookups of random keys among many: what they cost is mostly waiting for memory.
func BenchmarkGet(b *testing.B) {
	for _, keys := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			m := New()
			tx := Tx{m: m}
			value := []byte(strings.Repeat("v", 300))
			for i := range keys {
				tx.putString(fmt.Appendf(nil, "key:%012d", i), value, 0, false)
			}
			dice := Rand{1}
			args := [][]byte{[]byte("GET"), nil}
			names := make([][]byte, 4096)
			for i := range names {
				names[i] = fmt.Appendf(nil, "key:%012d", dice.IntN(keys))
			}
			b.ResetTimer()
			for i := range b.N {
				args[1] = names[i%len(names)]
				if reply, err := getCommand(&tx, args); err != nil || len(reply) < 300 {
					b.Fatal(string(reply), err)
				}
			}
		})
	}
}
