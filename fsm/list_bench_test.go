package fsm

import (
	"strings"
	"testing"
)

// A list as a queue: what is pushed at one end is taken from the other.
func BenchmarkList(b *testing.B) {
	for _, commands := range [][2]string{{"LPUSH", "RPOP"}, {"RPUSH", "LPOP"}} {
		b.Run(strings.Join(commands[:], " "), func(b *testing.B) {
			m := New()
			tx := Tx{m: m}
			push := [][]byte{[]byte(commands[0]), []byte("list"), []byte("a-value-of-twenty-by")}
			pop := [][]byte{[]byte(commands[1]), push[1]}
			step := func(args [][]byte) {
				command, err := Lookup(args)
				if err != nil {
					b.Fatal(err)
				}
				if reply, err := command.Run(&tx, args); err != nil || reply.IsError() {
					b.Fatal(string(reply), err)
				}
			}
			for range 1000 {
				step(push)
			}
			b.ReportAllocs()
			for b.Loop() {
				step(push)
				step(pop)
			}
		})
	}
}
