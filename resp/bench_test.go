package resp

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// What a connection costs, the store left out as far as that goes: GETs of a short string,
// sent alone and in pipelines.
func BenchmarkConnection(b *testing.B) {
	_, address := serve(b, DefaultConfig(), newMemoryStore())
	c := dial(b, address)
	c.SetDeadline(time.Time{})
	c.want("+OK\r\n", "SET", "k", "v")
	const reply = "$1\r\nv\r\n"
	for _, depth := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("pipeline=%d", depth), func(b *testing.B) {
			pipeline := []byte(strings.Repeat(command("GET", "k"), depth))
			replies := make([]byte, depth*len(reply))
			r := bufio.NewReader(c.Conn)
			for done := 0; done < b.N; done += depth {
				if _, err := c.Write(pipeline); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(r, replies); err != nil || string(replies[:len(reply)]) != reply {
					b.Fatalf("%q, %v", replies[:len(reply)], err)
				}
			}
		})
	}
}
