package resp

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// heapAfter is how many bytes the heap has grown by, garbage not counted, since before.
func heapAfter(before int64) int64 { return heapInUse() - before }

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// wantServed checks that another client is served as if nothing had happened.
func wantServed(t *testing.T, address string) {
	t.Helper()
	start := time.Now()
	dial(t, address).want("+PONG\r\n", "PING")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("another client waited %v", took)
	}
}

func TestProtocolLimits(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	for _, test := range []struct{ name, data, want string }{
		{"a bulk of 2 GB", "*2\r\n$4\r\nECHO\r\n$2147483648\r\n", "invalid bulk length"},
		{"a bulk of one byte too many", "*1\r\n$33554433\r\n", "invalid bulk length"},
		{"10 M arguments", "*10000000\r\n", "invalid multibulk length"},
		{"one argument too many", "*1048577\r\n", "invalid multibulk length"},
		{"a long inline command", strings.Repeat("x", 65537), "too big inline request"},
		{"a long header", "*" + strings.Repeat("1", 65537), "too big mbulk count string"},
		{"a long bulk header", "*1\r\n$" + strings.Repeat("1", 65537), "too big bulk count string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := heapInUse()
			c := dial(t, address)
			c.send(test.data)
			if got, want := c.rest(), "-ERR Protocol error: "+test.want+"\r\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if grown := heapAfter(before); grown > 4<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			wantServed(t, address)
		})
	}
}

// TestPromisedBytes: a header allocates nothing, however large; only bytes that arrive do.
func TestPromisedBytes(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	before := heapInUse()
	for range 100 {
		c := dial(t, address)
		c.send("*1000000\r\n$33554432\r\n" + strings.Repeat("x", 1000))
	}
	wantServed(t, address)
	if grown := heapAfter(before); grown > 16<<20 {
		t.Errorf("100 clients that promised 3 GB made the heap grow by %d bytes", grown)
	}
}

func TestQueryBufferLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxBulkBytes, cfg.QueryBufferBytes = 1<<20, 2<<20
	_, address := serve(t, cfg, newMemoryStore())
	c := dial(t, address)
	go func() { // each argument is small enough, their sum is not
		io.WriteString(c, "*1000\r\n")
		argument := fmt.Sprintf("$%d\r\n%s\r\n", 1<<19, strings.Repeat("x", 1<<19))
		for range 10 {
			if _, err := io.WriteString(c, argument); err != nil {
				return
			}
		}
	}()
	if got, want := c.reply(), "-ERR Protocol error: client query buffer limit reached\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wantServed(t, address)
}

// TestInflightLimit fills the memory for large commands with commands that never end.
func TestInflightLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxBulkBytes, cfg.QueryBufferBytes, cfg.InflightBytes = 4<<20, 4<<20, 6<<20
	cfg.StallTimeout = 500 * time.Millisecond
	s, address := serve(t, cfg, newMemoryStore())
	half := "*2\r\n$4\r\nECHO\r\n$4000000\r\n" + strings.Repeat("x", 3000000)
	first := dial(t, address)
	first.send(half)
	waitFor(t, "the first command to take its memory", func() bool {
		if s.inflight.TryAcquire(4 << 20) {
			s.inflight.Release(4 << 20)
			return false
		}
		return true
	})
	time.Sleep(cfg.StallTimeout / 2) // so that the first gives up before the second
	second := dial(t, address)
	go io.WriteString(second, half)
	wantServed(t, address)
	// The first is silent for too long and is closed; its memory goes to the second,
	// whose command is answered when it is complete.
	if rest := first.rest(); rest != "" {
		t.Errorf("the stalled connection got %q", rest)
	}
	time.Sleep(100 * time.Millisecond)
	second.send(strings.Repeat("x", 1000000) + "\r\n")
	if got := second.reply(); len(got) != len("$4000000\r\n")+4000000+2 {
		t.Errorf("the second command got %d bytes: %.60q", len(got), got)
	}
	second.want("+PONG\r\n", "PING")
	waitFor(t, "all memory to come back", func() bool {
		if !s.inflight.TryAcquire(cfg.InflightBytes) {
			return false
		}
		s.inflight.Release(cfg.InflightBytes)
		return true
	})
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// TestClientThatNeverReads asks for much more than the sockets hold and reads none of it.
func TestClientThatNeverReads(t *testing.T) {
	cfg := DefaultConfig()
	cfg.OutputTimeout = 500 * time.Millisecond
	s, address := serve(t, cfg, newMemoryStore())
	before := heapInUse()
	c := dial(t, address)
	big := command("ECHO", strings.Repeat("x", 1<<20))
	sent := 0
	var err error
	for err == nil && sent < 1000 { // until the server stops reading, and then closes
		if _, err = io.WriteString(c, big); err == nil {
			sent++
		}
	}
	if err == nil {
		t.Fatalf("the server took %d MB from a client that reads nothing", sent)
	}
	waitFor(t, "the connection to be closed", func() bool { return len(s.clients()) == 0 })
	if grown := heapAfter(before); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	wantServed(t, address)
}

// TestSlowReader is not closed, since it reads something all the time.
func TestSlowReader(t *testing.T) {
	cfg := DefaultConfig()
	cfg.OutputTimeout = 300 * time.Millisecond
	_, address := serve(t, cfg, newMemoryStore())
	c := dial(t, address)
	c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	const n = 16 << 20
	c.send(command("ECHO", strings.Repeat("x", n)))
	got, buf := 0, make([]byte, 1<<20)
	for got < n {
		time.Sleep(50 * time.Millisecond)
		m, err := io.ReadFull(c.r, buf)
		if got += m; err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
	}
}

func TestMaxClients(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxClients = 3
	s, address := serve(t, cfg, newMemoryStore())
	for range 3 {
		dial(t, address).want("+PONG\r\n", "PING")
	}
	c := dial(t, address)
	if got, want := c.rest(), "-ERR max number of clients reached\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.clients()[0].nc.Close()
	waitFor(t, "a connection to end", func() bool { return len(s.clients()) == 2 })
	wantServed(t, address)
}

func TestIdleTimeout(t *testing.T) {
	cfg := DefaultConfig()
	cfg.IdleTimeout = time.Second
	_, address := serve(t, cfg, newMemoryStore())
	c := dial(t, address)
	start := time.Now()
	for range 3 {
		time.Sleep(500 * time.Millisecond)
		c.want("+PONG\r\n", "PING")
	}
	if rest := c.rest(); rest != "" {
		t.Errorf("got %q", rest)
	}
	if took := time.Since(start); took < 2400*time.Millisecond || took > 10*time.Second {
		t.Errorf("closed after %v, want 1s after the last command", took)
	}
}

// TestRandomBytes sends rubbish, some of it nearly right, and wants nothing but errors
// and closed connections.
func TestRandomBytes(t *testing.T) {
	s, address := serve(t, DefaultConfig(), newMemoryStore())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	before := heapInUse()
	for range 200 {
		c := dial(t, address)
		data := make([]byte, dice.IntN(20000))
		for i := range data {
			data[i] = byte(dice.Uint32())
			if dice.IntN(3) == 0 {
				data[i] = "*$\r\n0123\"' PING"[dice.IntN(15)]
			}
		}
		go io.Copy(io.Discard, c.r)
		c.Write(data) // may fail: the server has closed the connection
		c.Close()
	}
	waitFor(t, "the connections to end", func() bool { return len(s.clients()) == 0 })
	if n := s.stats.panics.Load(); n != 0 {
		t.Errorf("%d connections panicked", n)
	}
	if grown := heapAfter(before); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	wantServed(t, address)
}
