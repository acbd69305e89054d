package fsm

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// fuzzBytes is how long an input may be: fuzzing explores forms, not sizes.
const fuzzBytes = 64 << 10

// allocated returns how many bytes a function has allocated.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// commandCall is a command line in database 0.
func commandCall(args ...string) Call {
	var c Call
	for _, arg := range args {
		c.Args = append(c.Args, []byte(arg))
	}
	return c
}

// Apply takes any bytes or panics with a sentence that tells where the log is damaged.
// Whatever it has taken can be written down and read back.
func FuzzDecodeEntry(f *testing.F) {
	requests := AppendRequest(nil, 1, Request{Calls: []Call{commandCall("SET", "k", "v", "PX", "5")}})
	requests = AppendRequest(requests, 2, Request{Multi: true, Watch: 3, Calls: []Call{commandCall("SADD", "s", "a", "1"), commandCall("SPOP", "s")}})
	requests = AppendRequest(requests, 3, Request{Calls: []Call{commandCall("WATCH", "3", "k")}})
	f.Add(AppendEntry(nil, 5, 7, []Section{{Incarnation: 1, Count: 3, Requests: requests}}))
	f.Add(AppendEntry(nil, 5, 7, []Section{{Incarnation: 2, LowWater: 2, Count: 3, Requests: requests}, {Incarnation: 1, LowWater: 1, Count: 1, Requests: requests}}))
	f.Add(AppendEntry(nil, 1<<60, 7, nil))
	f.Add(AppendRegistration(nil, 5, "n1", 8, 1))
	f.Add(AppendDeparture(nil, 5, "n1"))
	f.Add(AppendFormed(nil, 5, "cluster"))
	f.Add(AppendCheck(nil, 5))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		m := New()
		m.Apply(1, AppendRegistration(nil, 1, "n1", 7, 0))
		defer func() {
			if r := recover(); r != nil {
				text := fmt.Sprint(r)
				if _, ok := r.(string); !ok || !strings.HasPrefix(text, "fsm: entry 2 ") {
					panic(r) // with its stack
				}
				return
			}
			var file bytes.Buffer
			if _, err := m.Snapshot().WriteTo(&file); err != nil {
				t.Fatal(err)
			}
			again := New()
			if err := again.Restore(&file); err != nil {
				t.Fatal(err)
			}
			if x, y := m.Snapshot().Digest(), again.Snapshot().Digest(); x != y {
				t.Fatalf("digest %s, after a snapshot %s", x, y)
			}
		}()
		m.Apply(2, data)
	})
}

// The decoder of requests does not believe numbers: what it allocates is bounded by what
// is there.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(AppendRequest(nil, 1, Request{Calls: []Call{commandCall("SET", "k", "v")}}))
	f.Add(AppendRequest(nil, 1<<63, Request{Multi: true, Watch: 3, Calls: []Call{commandCall("PING"), commandCall("GET", "")}}))
	f.Add([]byte("\x01\x00\xff\xff\xff\xff\x0f\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		bytes := allocated(func() {
			d := decoder{buf: data}
			var s scratch
			for !d.failed && d.at < len(data) {
				seq, r := d.request(&s)
				if d.failed {
					break
				}
				again := decoder{buf: AppendRequest(nil, seq, r)}
				var s scratch
				if seq2, r2 := again.request(&s); again.failed || seq2 != seq || fmt.Sprint(r2) != fmt.Sprint(r) {
					t.Fatalf("%d %v, encoded and decoded %d %v", seq, r, seq2, r2)
				}
			}
		})
		if limit := uint64(1<<20 + 4000*len(data)); bytes > limit {
			t.Errorf("%d bytes were allocated for %d", bytes, len(data))
		}
	})
}

// Restore takes any bytes or says at what offset they are wrong; then the machine is as it
// was. It allocates in proportion to what it has read.
func FuzzRestore(f *testing.F) {
	m := New()
	m.Apply(1, AppendRegistration(nil, 1, "n1", 7, 0))
	var seq uint64
	do := func(r Request) {
		seq++
		m.Apply(m.Index()+1, AppendEntry(nil, 1, 7, []Section{{Incarnation: 1, Count: 1, Requests: AppendRequest(nil, seq, r)}}))
	}
	for _, line := range []string{"SET k v", "SET k2 12345 EX 100", "RPUSH l a b 1", "SADD e a b", "SADD i 1 2 3", "ZADD z 1 a 2.5 b",
		"HSET h f v", "SETEX x 10 " + strings.Repeat("long", 30), "WATCH 1 k nosuch", "CONFIG SET notify-keyspace-events KEA", "SCRIPT LOAD x=1"} {
		do(Request{Calls: []Call{commandCall(strings.Fields(line)...)}})
	}
	var file bytes.Buffer
	if _, err := m.Snapshot().WriteTo(&file); err != nil {
		f.Fatal(err)
	}
	unchecked := append(bytes.Clone(file.Bytes()[:file.Len()-8]), make([]byte, 8)...) // without a checksum more is reached
	f.Add(file.Bytes())
	f.Add(unchecked)
	f.Add(append([]byte("REDIS0003"), unchecked[9:]...))
	f.Add([]byte("REDIS0011\xfe\x00\xfb\x01\x01\xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01k\xc3\x05\x14\x01aa\xe0\x07\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	for _, name := range []string{"redis-strings.rdb", "redis-packed.rdb", "redis-plain.rdb"} { // of redis-server 7.0
		dump, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(dump)
		f.Add(append(bytes.Clone(dump[:len(dump)-8]), make([]byte, 8)...))
	}
	for _, form := range rdbForms() {
		f.Add([]byte("REDIS0003" + string([]byte{form.kind}) + "\x01k" + form.data + "\xff"))
	}
	aux := func(name, value string) []byte { // a file with one field
		out := rdbWriter{buf: []byte("REDIS0003")}
		out.aux(name, value)
		return append(out.buf, rdbEOF)
	}
	var watches encoder // of a client, in a database that is not there
	for _, n := range []uint64{1, 1, 1, 0, 1, 1 << 63, 1, 0} {
		watches.uint(n)
	}
	f.Add(aux(auxWatches, string(watches.buf)))
	f.Add(aux(auxOnce, "\x02\x02n1\x01\x01\x05\x02\x04\x01+\x03\x01+\x02n1\x01\x01\x00\x00"))
	f.Add(aux(auxIndex, "18446744073709551615"))
	f.Add(aux(auxClock, "-5"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		m := New()
		var err error
		bytes := allocated(func() { err = m.Restore(strings.NewReader(string(data))) })
		if limit := uint64(8<<20 + 1000*len(data)); bytes > limit {
			t.Errorf("%d bytes were allocated for %d", bytes, len(data))
		}
		if err != nil {
			if !strings.Contains(err.Error(), "offset") {
				t.Errorf("no offset: %v", err)
			}
			if m.Index() != 0 || m.Snapshot().Digest() != New().Snapshot().Digest() {
				t.Errorf("changed in spite of %v", err)
			}
			return
		}
		use(t, m)
	})
}

// A value is read from any bytes, or refused, and memory is taken in proportion to them. What
// was read is the same when it was written and is read again.
func FuzzLoadValue(f *testing.F) {
	for _, form := range rdbForms() {
		f.Add(form.kind, []byte(form.data))
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		if len(data) > fuzzBytes {
			return
		}
		in := &rdbReader{r: bytes.NewReader(data), unpack: maxStringBytes}
		var v value
		var err error
		bytes := allocated(func() { v, err = in.value(kind) })
		if limit := uint64(4<<20 + 1000*len(data)); bytes > limit {
			t.Errorf("%d bytes were allocated for %d", bytes, len(data))
		}
		if err != nil {
			return
		}
		var file strings.Builder
		out := &rdbWriter{w: &file}
		v.writeRDB(out)
		out.flush()
		if got, want := loadText(v.rdbType(), file.String()), contentOf(v); got != want {
			t.Errorf("it holds %q, written and read again %q", want, got)
		}
	})
}

// use does with a restored machine what may find it broken.
func use(t *testing.T, m *Machine) {
	digest := m.Snapshot().Digest()
	var first, second bytes.Buffer
	if _, err := m.Snapshot().WriteTo(&first); err != nil {
		t.Fatal(err)
	}
	again := New()
	if err := again.Restore(bytes.NewReader(first.Bytes())); err != nil {
		t.Fatalf("what was read and written cannot be read again: %v", err)
	}
	if _, err := again.Snapshot().WriteTo(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || again.Snapshot().Digest() != digest {
		t.Fatalf("read again, it is not the same: %q and %q", first.Bytes(), second.Bytes())
	}
	if m.Index() > 1<<62 {
		return
	}
	var requests []byte
	lines := []string{"KEYS *", "SCAN 0 COUNT 1000", "RANDOMKEY", "DBSIZE", "SCRIPT EXISTS x"}
	for db := range uint8(Databases) {
		m.dbs[db].keys.walk(0, func(_ uint64, o *object) bool {
			for _, command := range []string{"GET", "LRANGE", "SMEMBERS", "HGETALL", "ZRANGE", "OBJECT ENCODING", "PTTL"} {
				c := commandCall(strings.Fields(command)...)
				c.DB, c.Args = db, append(c.Args, []byte(o.key))
				if command == "LRANGE" || command == "ZRANGE" {
					c.Args = append(c.Args, []byte("0"), []byte("-1"))
				}
				m.Read(m.Clock(), 1, []Call{c})
			}
			return true
		})
		for _, line := range lines {
			c := commandCall(strings.Fields(line)...)
			c.DB = db
			m.Read(m.Clock(), 1, []Call{c})
		}
	}
	index := m.Index() + 1
	m.Apply(index, AppendRegistration(nil, m.Clock(), "new", 7, 0))
	for number := range uint64(5) {
		requests = AppendRequest(requests, number+1, Request{Multi: true, Watch: number, Calls: []Call{commandCall("SET", "new", "x")}})
	}
	m.Apply(index+1, AppendEntry(nil, m.Clock(), 1, []Section{{Incarnation: index, Count: 5, Requests: requests}}))
	for _, w := range m.watches.sorted() {
		(&Tx{m: m, now: m.clock, origin: w.id.origin}).unchanged(w.id.number)
	}
	m.Apply(index+2, AppendEntry(nil, 1<<62, 1, nil)) // all deadlines pass
}

// naiveMatch is Match as Redis explains it: without a thought of what it costs.
func naiveMatch(p, s []byte) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	if p[0] == '*' {
		for i := range len(s) + 1 {
			if naiveMatch(p[1:], s[i:]) {
				return true
			}
		}
		return false
	}
	if len(s) == 0 {
		return false
	}
	c, rest := s[0], s[1:]
	switch {
	case p[0] == '?':
		return naiveMatch(p[1:], rest)
	case p[0] == '\\' && len(p) > 1:
		return p[1] == c && naiveMatch(p[2:], rest)
	case p[0] != '[':
		return p[0] == c && naiveMatch(p[1:], rest)
	}
	p = p[1:]
	negated := len(p) > 0 && p[0] == '^'
	if negated {
		p = p[1:]
	}
	in := false
	for ; len(p) > 0 && p[0] != ']'; p = p[1:] {
		low, high := p[0], p[0]
		switch {
		case p[0] == '\\' && len(p) > 1:
			p = p[1:]
			low, high = p[0], p[0]
		case len(p) > 2 && p[1] == '-':
			high = p[2]
			p = p[2:]
		}
		in = in || min(low, high) <= c && c <= max(low, high)
	}
	if len(p) > 0 {
		p = p[1:]
	}
	return in != negated && naiveMatch(p, rest)
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"h[^a-c]*o?", "hello!"}, {`a\*b[\]x]`, "a*b]"}, {"[", "["}, {"[^", "x"}, {"[a-", "-"}, {"**a*", "ba"}, {"[]]", "]"}, {"\\", "\\"}} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if len(pattern) > 12 || len(s) > 12 {
			Match(pattern, s) // must come to an end
			return
		}
		if len(s) == 0 { // Redis is of two minds there
			return
		}
		if got, want := Match(pattern, s), naiveMatch(pattern, s); got != want {
			t.Errorf("%q %q: %v, want %v", pattern, s, got, want)
		}
	})
}

// lzfCompress packs bytes in the simplest way: the longest earlier match, if there is one.
func lzfCompress(in []byte) (out []byte) {
	var literals []byte
	flush := func() {
		for len(literals) > 0 {
			n := min(32, len(literals))
			out = append(append(out, byte(n-1)), literals[:n]...)
			literals = literals[n:]
		}
	}
	for i := 0; i < len(in); {
		best, from := 0, 0
		for j := max(0, i-8192); j < i; j++ {
			n := 0
			for i+n < len(in) && in[j+n] == in[i+n] && n < 264 {
				n++
			}
			if n > best {
				best, from = n, j
			}
		}
		if best < 3 {
			literals = append(literals, in[i])
			i++
			continue
		}
		flush()
		back, length := i-from-1, best-2
		if length < 7 {
			out = append(out, byte(length<<5|back>>8), byte(back))
		} else {
			out = append(out, byte(7<<5|back>>8), byte(length-7), byte(back))
		}
		i += best
	}
	flush()
	return out
}

func FuzzLZF(f *testing.F) {
	for _, seed := range []string{"", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabd", strings.Repeat("x", 600), "\x00aa\xe0\x07\x00", "\xff\xff\xff"} {
		f.Add([]byte(seed), uint16(len(seed)))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		if len(data) > 400 {
			return
		}
		if out, err := lzfDecompress(data, uint64(size)); err == nil && len(out) != int(size) {
			t.Errorf("%d bytes, want %d", len(out), size)
		}
		packed := lzfCompress(data)
		if out, err := lzfDecompress(packed, uint64(len(data))); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%q packed is %q, unpacked %q, %v", data, packed, out, err)
		}
		if _, err := lzfDecompress(packed, uint64(len(data))+1); err == nil {
			t.Error("longer than it is")
		}
	})
}
