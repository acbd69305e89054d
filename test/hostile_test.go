package test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// Whatever clients send, the process that they send it to stays small and serves its
// other clients. Package resp tests the limits one by one; here it is the process that
// is looked at, with many such clients at once.
func TestHostileClients(t *testing.T) {
	c := start(t, "--inflight-bytes", "64mb", "--max-clients", "200")
	victim, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 8<<20)
	if _, err := victim.Do("SET", "big", big); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, test := range []struct {
		name    string
		clients int
		attack  func(t *testing.T, conn net.Conn, dice *rand.Rand)
	}{
		{"a bulk of 2 GB", 50, func(t *testing.T, conn net.Conn, _ *rand.Rand) {
			fmt.Fprintf(conn, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", 2<<30)
			wantLast(t, conn, "-ERR Protocol error: invalid bulk length")
		}},
		{"10 M arguments", 50, func(t *testing.T, conn net.Conn, _ *rand.Rand) {
			fmt.Fprint(conn, "*10000000\r\n")
			wantLast(t, conn, "-ERR Protocol error: invalid multibulk length")
		}},
		{"large commands that do not end", 20, func(_ *testing.T, conn net.Conn, _ *rand.Rand) {
			fmt.Fprintf(conn, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", 31<<20)
			io.WriteString(conn, strings.Repeat("x", 30<<20)) // most of them: until the deadline
			time.Sleep(attackTime)
		}},
		{"answers that nobody reads", 20, func(_ *testing.T, conn net.Conn, _ *rand.Rand) {
			io.WriteString(conn, strings.Repeat("GET big\r\n", 1000)) // 8 GB
			time.Sleep(attackTime)
		}},
		{"answers that nobody reads, after short ones", 20, func(_ *testing.T, conn net.Conn, _ *rand.Rand) {
			in := bufio.NewReader(conn)
			for range 3 {
				io.WriteString(conn, strings.Repeat("GET none\r\n", 2000))
				io.CopyN(io.Discard, in, 2000*int64(len("$-1\r\n")))
			}
			io.WriteString(conn, strings.Repeat("GET big\r\n", 1000))
			time.Sleep(attackTime)
		}},
		{"random bytes", 50, func(_ *testing.T, conn net.Conn, dice *rand.Rand) {
			go io.Copy(io.Discard, conn)
			for range 100 { // until the node has enough of it
				if _, err := conn.Write(rubbish(dice)); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			quiet := watchNode(t, victim, func() { time.Sleep(attackTime / 2) })
			during := watchNode(t, victim, func() {
				var done sync.WaitGroup
				for i := range test.clients {
					done.Go(func() {
						dice, until := rand.New(rand.NewPCG(seed, uint64(i))), time.Now().Add(attackTime)
						for ; time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
							conn, err := net.Dial("tcp", victim.Addr)
							if err != nil {
								t.Error(err)
								return
							}
							conn.SetDeadline(until.Add(time.Second))
							test.attack(t, conn, dice)
							conn.Close()
						}
					})
				}
				done.Wait()
			})
			t.Logf("another client waited %v; before %v; the process grew from %d MB to %d MB",
				during.waits, quiet.waits, quiet.memory>>20, during.memory>>20)
			// Those who attack want the processors as well, so the worst is a matter of luck.
			if during.waits.Percentile(90) > 250*time.Millisecond || during.waits.Percentile(100) > 5*time.Second {
				t.Error("another client waited too long")
			}
			if grown := during.memory - quiet.memory; grown > mostGrowth {
				t.Errorf("the process grew by %d MB, from %d MB", grown>>20, quiet.memory>>20)
			}
		})
	}

	// The number of connections has its limit too.
	var conns []net.Conn
	refused := ""
	for range 210 {
		conn, err := net.Dial("tcp", victim.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	for _, conn := range conns[200:] {
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := io.ReadAll(conn)
		if refused = string(answer); err != nil || refused != "-ERR max number of clients reached\r\n" {
			t.Errorf("a connection too many gets %q, %v", refused, err)
		}
	}
	for _, conn := range conns {
		conn.Close()
	}
	if !victim.Running() {
		t.Fatalf("the node has ended:\n%s", victim.Log())
	}
	if strings.Contains(victim.Log(), "panic") {
		t.Error("something panicked")
	}
	agree(t, c)
}

const (
	attackTime = 2 * time.Second

	// mostGrowth is what an attack may take: the 64 MB for large commands, one reply at
	// a time for each of twenty clients, and as much garbage.
	mostGrowth = 500 << 20
)

// wantLast reads all that a connection gets before it is closed.
func wantLast(t *testing.T, conn net.Conn, want string) {
	got, err := io.ReadAll(conn)
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// rubbish is random bytes, some of them nearly right.
func rubbish(dice *rand.Rand) []byte {
	data := make([]byte, dice.IntN(8<<10))
	for i := range data {
		data[i] = byte(dice.Uint32())
		if dice.IntN(3) == 0 {
			data[i] = "*$\r\n0123\"' PING"[dice.IntN(15)]
		}
	}
	return data
}

// watched is how a node fared for a while.
type watched struct {
	waits  workload.Pauses // of a well-behaved client, for a SET and a GET
	memory int64           // resident bytes, at most
}

// watchNode has a client write and read at a node while something goes on.
func watchNode(t *testing.T, n *harness.Node, meanwhile func()) (w watched) {
	t.Helper()
	conn, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	done := make(chan struct{})
	go func() { meanwhile(); close(done) }()
	for i := 0; ; i++ {
		began := time.Now()
		value := fmt.Sprint(i)
		do(t, conn, "SET", "watched", value)
		if got := do(t, conn, "GET", "watched"); got != value {
			t.Errorf("GET: %v, want %s", got, value)
		}
		w.waits = append(w.waits, time.Since(began))
		if memory, err := n.RSS(); err == nil {
			w.memory = max(w.memory, memory)
		}
		select {
		case <-done:
			return w
		case <-time.After(5 * time.Millisecond):
		}
	}
}
