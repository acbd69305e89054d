package workload

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/test/harness"
)

// server is a keyspace with GET, SET, INCR, TTL and DEL whose faults can be switched on.
type server struct {
	mu     sync.Mutex
	data   map[string]string
	broken func(s *server, args []string) (reply string, handled bool)
}

// listen serves at an address until the test ends.
func (s *server) listen(t *testing.T) string {
	l, err := harness.Listen(s.serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func (s *server) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		var count int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &count); err != nil {
			return
		}
		args := make([]string, count)
		for i := range args {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			fmt.Fscanf(in, "%s\r\n", &args[i])
		}
		fmt.Fprintf(conn, "%s\r\n", s.run(args))
	}
}

func (s *server) run(args []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		if reply, handled := s.broken(s, args); handled {
			return reply
		}
	}
	switch args[0] {
	case "SET":
		s.data[args[1]] = args[2]
		return "+OK"
	case "INCR":
		n, _ := strconv.Atoi(s.data[args[1]])
		s.data[args[1]] = strconv.Itoa(n + 1)
		return ":" + s.data[args[1]]
	case "TTL":
		return ":3600"
	case "DEL":
		for _, key := range args[1:] {
			delete(s.data, key)
		}
		return fmt.Sprint(":", len(args)-1)
	}
	value, ok := s.data[args[1]]
	if !ok {
		return "$-1"
	}
	return fmt.Sprintf("$%d\r\n%s", len(value), value)
}

// A crowd that could not find what it looks for would prove nothing: each fault is
// put into a server, and must be found.
func TestFindings(t *testing.T) {
	times := func(count int, command string, fault func(s *server, args []string) string) func(*server, []string) (string, bool) {
		seen := 0
		return func(s *server, args []string) (string, bool) {
			if !strings.HasPrefix(strings.Join(args, " "), command) {
				return "", false
			}
			if seen++; seen < 50 || seen >= 50+count {
				return "", false
			}
			return fault(s, args), true
		}
	}
	once := func(command string, fault func(s *server, args []string) string) func(*server, []string) (string, bool) {
		return times(1, command, fault)
	}
	tests := []struct {
		name   string
		broken func(*server, []string) (string, bool)
		found  func(Findings) int
	}{
		{"nothing", nil, func(f Findings) int { return 1 - f.Errors - f.Lost - f.Duplicated - f.Stale }},
		{"an error", once("SET", func(*server, []string) string { return "-READONLY no" }), func(f Findings) int { return f.Errors }},
		{"a lost increment", once("INCR", func(s *server, args []string) string {
			n, _ := strconv.Atoi(s.data[args[1]])
			return fmt.Sprint(":", n+1)
		}), func(f Findings) int { return f.Lost }},
		{"a doubled increment", once("INCR", func(s *server, args []string) string {
			n, _ := strconv.Atoi(s.data[args[1]])
			s.data[args[1]] = strconv.Itoa(n + 2)
			return fmt.Sprint(":", n+2)
		}), func(f Findings) int { return f.Duplicated }},
		// Of one counter nothing may have been acknowledged yet.
		{"a stale read", times(20, "GET count", func(*server, []string) string { return "$1\r\n0" }), func(f Findings) int { return f.Stale }},
		{"a lost key", once("SET left", func(*server, []string) string { return "+OK" }), func(f Findings) int { return f.Lost }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &server{data: map[string]string{}, broken: test.broken}
			addr := s.listen(t)
			load := Start([]string{addr}, Options{Clients: 4})
			// Enough for the fault to come, which is in one of fifty keys left behind.
			for deadline := time.Now().Add(30 * time.Second); load.Findings().Writes < 1500 && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond)
			}
			load.Stop()
			findings, err := load.Verify(addr)
			if err != nil {
				t.Fatal(err)
			}
			if findings.Writes < 1500 || test.found(findings) == 0 {
				t.Fatalf("not found: %v", findings)
			}
			if err := load.Clear(addr); err != nil || len(s.data) > 0 {
				t.Errorf("%d keys are there after Clear, %v", len(s.data), err)
			}
		})
	}
}

// A node that answers a question of the time when it stood still from its memory is found
// out; one that knows better is not.
func TestQuestions(t *testing.T) {
	for _, stale := range []bool{false, true} {
		s := &server{data: map[string]string{}}
		addrs := []string{s.listen(t), s.listen(t)}
		s.broken = func(s *server, args []string) (string, bool) { return "+PONG", args[0] == "PING" }
		load := Start(addrs, Options{Clients: 2})
		questions, err := load.Prepare(addrs[0], 10)
		if err != nil {
			t.Fatal(err)
		}
		defer questions.Close()
		time.Sleep(50 * time.Millisecond)
		load.Stop()
		if stale {
			s.broken = func(s *server, args []string) (string, bool) { return "$1\r\n0", args[0] == "GET" }
		}
		if err := questions.Ask(); err != nil {
			t.Fatal(err)
		}
		if err := questions.Answers(); err != nil {
			t.Fatal(err)
		}
		if findings := load.Findings(); (findings.Stale > 0) != stale {
			t.Errorf("stale %v: %v", stale, findings)
		}
	}
}

func TestPauses(t *testing.T) {
	var p Pauses
	for i := 20; i >= 1; i-- {
		p = append(p, time.Duration(i)*time.Millisecond)
	}
	if got := p.String(); got != "n=20 p50=10.0 p99=20.0 max=20.0 ms" {
		t.Error(got)
	}
}

// What begins shortly before the end of a measurement is measured to its end.
func TestMeasureToTheEnd(t *testing.T) {
	s := &server{data: map[string]string{}}
	var from, until time.Time
	s.broken = func(s *server, args []string) (string, bool) {
		if now := time.Now(); now.After(from) && now.Before(until) {
			time.Sleep(until.Sub(now)) // everybody waits for the lock
		}
		return "", false
	}
	load := Start([]string{s.listen(t)}, Options{Clients: 4, Interval: time.Millisecond})
	defer load.Stop()
	pause, err := load.Measure(200*time.Millisecond, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		from = time.Now().Add(150 * time.Millisecond)
		until = from.Add(300 * time.Millisecond)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pause < 250*time.Millisecond {
		t.Errorf("a pause of 300 ms that began 50 ms before the end is %v", pause)
	}
}
