package fsm

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// MEMORY USAGE says of all keys together what the memory of the process grows by.
func TestMemoryUsage(t *testing.T) {
	fields := func(format string, n int) (args [][]byte) {
		for i := range n {
			args = append(args, fmt.Appendf(nil, format, i))
		}
		return args
	}
	pairs := func(first, second string, n int) (args [][]byte) {
		for i := range n {
			args = append(args, fmt.Appendf(nil, first, i), fmt.Appendf(nil, second, i))
		}
		return args
	}
	session := []byte(strings.Repeat("s", 300))
	for _, test := range []struct {
		name string
		keys int
		args [][]byte // behind the command and the key
	}{
		{"SET", 20000, [][]byte{[]byte("12345678")}},
		{"SET", 20000, [][]byte{session}},
		{"SET", 20000, [][]byte{session, []byte("EX"), []byte("100")}},
		{"RPUSH", 5000, fields("element:%02d", 10)},
		{"RPUSH", 15, fields("element:%06d", 10000)},
		{"SADD", 5000, fields("%d", 100)},
		{"SADD", 5000, fields("member:%02d", 10)},
		{"SADD", 15, fields("member:%06d", 10000)},
		{"HSET", 5000, pairs("field:%02d", "value:%02d", 10)},
		{"HSET", 15, pairs("field:%06d", "value:%06d", 10000)},
		{"HSET", 5000, [][]byte{[]byte("session"), session}},
		{"ZADD", 5000, pairs("%d", "member:%02d", 10)},
		{"ZADD", 15, pairs("%d", "member:%06d", 10000)},
	} {
		t.Run(fmt.Sprintf("%s/%d", test.name, len(test.args)), func(t *testing.T) {
			before := heapBytes()
			m := New()
			tx := Tx{m: m}
			key := func(i int) []byte { return fmt.Appendf(nil, "key:%08d", i) }
			run := func(words ...[]byte) Reply {
				reply := tx.run(Call{Args: words})
				if reply.IsError() {
					t.Fatalf("%q: %s", words[:2], reply)
				}
				return reply
			}
			for i := range test.keys {
				run(append([][]byte{[]byte(test.name), key(i)}, test.args...)...)
			}
			took, said := float64(heapBytes()-before), 0.0
			for i := range test.keys {
				var size float64
				fmt.Sscanf(string(run([]byte("MEMORY"), []byte("USAGE"), key(i))), ":%f", &size)
				said += size
			}
			t.Logf("%.0f bytes a key, MEMORY USAGE says %.0f", took/float64(test.keys), said/float64(test.keys))
			if ratio := said / took; ratio < 0.75 || ratio > 1.34 {
				t.Errorf("MEMORY USAGE says %.2f of what it is", ratio)
			}
			runtime.KeepAlive(m)
		})
	}
}
