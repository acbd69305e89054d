package cluster

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"holdfast/fsm"
)

// What other nodes send is decoded in proportion to its length, or refused; what is taken
// encodes to the same again, and is safe to work with.

func bounded(t *testing.T, data []byte, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > uint64(2<<20+500*len(data)) {
		t.Errorf("%d bytes were allocated for %d", bytes, len(data))
	}
}

const fuzzBytes = 64 << 10

func FuzzHello(f *testing.F) {
	f.Add(hello{NodeID: "n1", ClusterID: "c", Boot: 1 << 63, Bus: "127.0.0.1:17001", Client: ":7001", Leader: "n2", To: "n3", Refusal: "no"}.encode())
	f.Add(hello{}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bounded(t, data, func() {
			h, err := decodeHello(data)
			if err != nil {
				return
			}
			if again, err := decodeHello(h.encode()); err != nil || again != h {
				t.Errorf("%+v, encoded and decoded %+v, %v", h, again, err)
			}
		})
	})
}

func FuzzCheck(f *testing.F) {
	f.Add(check{index: 7, voters: 3, reports: []report{{"n1", true, "a"}, {"n2", false, "b"}}}.encode())
	f.Add([]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bounded(t, data, func() {
			c, err := decodeCheck(data)
			if err != nil {
				return
			}
			c.majority()
			if again, err := decodeCheck(c.encode()); err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
				t.Errorf("%+v, encoded and decoded %+v, %v", c, again, err)
			}
		})
	})
}

// What begins a connection may come from anybody who finds the port.
func FuzzHandshake(f *testing.F) {
	var whole bytes.Buffer
	writeHello(pipe{out: &whole}, linkConn, hello{NodeID: "n1", Boot: 5})
	f.Add(whole.Bytes())
	f.Add([]byte(preamble + "L\xff\xff\xff\xff"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bounded(t, data, func() {
			conn := pipe{in: bytes.NewReader(data)}
			if _, err := readPreamble(conn); err == nil {
				readHello(conn)
			}
		})
	})
}

// pipe is a connection as far as a handshake needs one.
type pipe struct {
	net.Conn
	in  *bytes.Reader
	out *bytes.Buffer
}

func (p pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, askTerm, 1, nil), askRead, 1<<40, []byte("payload")))
	f.Add([]byte("\x3f\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x01x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bounded(t, data, func() {
			r := bufio.NewReader(bytes.NewReader(data))
			for rest := data; ; {
				kind, id, payload, err := readFrame(r)
				if err != nil {
					return
				}
				again := appendFrame(nil, kind, id, payload)
				if !bytes.HasPrefix(rest, again) {
					t.Errorf("%q is read from %q", again, rest)
				}
				rest = rest[len(again):]
			}
		})
	})
}

func callOf(db uint8, line string) fsm.Call {
	c := fsm.Call{DB: db}
	for _, word := range strings.Fields(line) {
		c.Args = append(c.Args, []byte(word))
	}
	return c
}

// A section that was accepted can be applied: an entry that cannot would end every node.
func FuzzSection(f *testing.F) {
	requests := fsm.AppendRequest(nil, 1, fsm.Request{Calls: []fsm.Call{callOf(0, "SET k v")}})
	requests = fsm.AppendRequest(requests, 2, fsm.Request{Multi: true, Watch: 3, Calls: []fsm.Call{callOf(3, "GET k"), callOf(15, "DEL k")}})
	for _, count := range []int{0, 1, 2, 3, 1 << 40, -1} {
		var e encoder
		e.section(fsm.Section{Incarnation: 1, LowWater: 2, Count: count, Requests: requests})
		f.Add(e.buf)
	}
	var e encoder
	e.section(fsm.Section{Incarnation: 1})
	f.Add(e.buf)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		d := decoder{buf: data}
		var s fsm.Section
		bounded(t, data, func() { s = d.section() })
		if d.err != nil {
			return
		}
		m := fsm.New()
		m.Apply(1, fsm.AppendRegistration(nil, 1, "n1", 7, 0))
		if results := m.Apply(2, fsm.AppendEntry(nil, 1, 1, []fsm.Section{s})); len(results) != s.Count {
			t.Errorf("%d results for %d requests", len(results), s.Count)
		}
	})
}

// Calls that were accepted can be read with.
func FuzzCalls(f *testing.F) {
	for _, calls := range [][]fsm.Call{{callOf(0, "GET k")}, {callOf(15, "EXISTS k"), callOf(1, "MGET a b c")}, {callOf(16, "GET k")}, {callOf(0, "")}, {callOf(255, "")}} {
		var e encoder
		e.calls(calls)
		f.Add(e.buf)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		d := decoder{buf: data}
		var calls []fsm.Call
		bounded(t, data, func() { calls = d.calls() })
		if d.err != nil {
			return
		}
		var e encoder
		e.calls(calls)
		again := decoder{buf: e.buf}
		if got := again.calls(); again.err != nil || fmt.Sprint(got) != fmt.Sprint(calls) {
			t.Errorf("%v, encoded and decoded %v, %v", calls, got, again.err)
		}
		if replies, _ := fsm.New().Read(1, 1, calls); len(replies) != len(calls) {
			t.Errorf("%d replies to %d calls", len(replies), len(calls))
		}
	})
}

func FuzzReplies(f *testing.F) {
	var e encoder
	e.replies([]fsm.Reply{fsm.OK, nil, fsm.Nil, fsm.BulkString("x\r\n")})
	f.Add(e.buf)
	f.Add([]byte("\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bounded(t, data, func() {
			d := decoder{buf: data}
			replies := d.replies()
			if d.err != nil {
				return
			}
			var e encoder
			e.replies(replies)
			again := decoder{buf: e.buf}
			if got := again.replies(); again.err != nil || fmt.Sprint(got) != fmt.Sprint(replies) {
				t.Errorf("%q, encoded and decoded %q, %v", replies, got, again.err)
			}
			if s, err := decodeLogState(data); err == nil {
				if again, err := decodeLogState(s.encode()); err != nil || again != s {
					t.Errorf("%+v, encoded and decoded %+v, %v", s, again, err)
				}
			}
		})
	})
}
