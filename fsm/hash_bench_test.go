package fsm

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkHashMemory reports what a field costs, its hash and key included, in hashes of
// several sizes, as HSET leaves them. Names have 12 bytes, values 16.
func BenchmarkHashMemory(b *testing.B) {
	const fields = 200_000
	for _, size := range []int{10, 1000, 100_000} {
		for _, deadline := range []Millis{0, 1_700_000_000_000} {
			b.Run(fmt.Sprintf("fields=%d/timed=%v", size, deadline != 0), func(b *testing.B) {
				for range b.N {
					before := heapBytes()
					m := New()
					tx := Tx{m: m}
					for i := range fields {
						key := fmt.Appendf(nil, "hash:%06d", i/size)
						h, _ := open(&tx, key, newHash)
						h.set(hashField{fmt.Appendf(nil, "field:%06d", i%size), fmt.Appendf(nil, "value:%010d", i), deadline})
						tx.settleHash(key, h)
					}
					b.ReportMetric(float64(heapBytes()-before)/fields, "B/field")
					runtime.KeepAlive(m)
				}
			})
		}
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkHash measures the main commands on hashes of several sizes.
func BenchmarkHash(b *testing.B) {
	for _, size := range []int{10, 500, 1_000_000} {
		m := New()
		tx := Tx{m: m, rand: Rand{1}}
		key := []byte("h")
		names := make([][]byte, size)
		for i := range names {
			names[i] = fmt.Appendf(nil, "field:%06d", i)
			call(b, &tx, "HSET", key, names[i], []byte("value:0000000000"))
		}
		for _, name := range []string{"HSET", "HGET", "HLEN", "HRANDFIELD", "HSCAN"} {
			b.Run(fmt.Sprintf("fields=%d/%s", size, name), func(b *testing.B) {
				for i := range b.N {
					switch field := names[i*7919%size]; name {
					case "HSET":
						call(b, &tx, name, key, field, []byte("value:1111111111"))
					case "HGET":
						call(b, &tx, name, key, field)
					case "HSCAN":
						call(b, &tx, name, key, []byte("0"))
					default:
						call(b, &tx, name, key)
					}
				}
			})
		}
	}
}

func call(b *testing.B, tx *Tx, name string, args ...[]byte) {
	b.Helper()
	if reply := tx.run(Call{Args: append([][]byte{[]byte(name)}, args...)}); reply.IsError() {
		b.Fatalf("%s: %q", name, reply)
	}
}
