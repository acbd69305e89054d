package fsm

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// timedMachine is a machine with the clock of a leader.
type timedMachine struct {
	*Machine
	index, seq uint64
	now        Millis
}

func newTimedMachine() *timedMachine {
	m := &timedMachine{New(), 1, 0, 1000}
	m.Apply(1, AppendRegistration(nil, m.now, "n1", 1, 0))
	return m
}

func callOf(line string) (call Call) {
	for _, word := range strings.Fields(line) {
		call.Args = append(call.Args, []byte(word))
	}
	return call
}

func (m *timedMachine) write(line string) string { return m.apply(callOf(line)) }

func (m *timedMachine) apply(call Call) string {
	m.index++
	m.seq++
	requests := AppendRequest(nil, m.seq, Request{Calls: []Call{call}})
	entry := AppendEntry(nil, m.now, m.index, []Section{{Incarnation: 1, LowWater: m.seq - 1, Count: 1, Requests: requests}})
	return string(m.Apply(m.index, entry)[0].Reply)
}

// reap applies an entry without requests.
func (m *timedMachine) reap() {
	m.index++
	m.Apply(m.index, AppendEntry(nil, m.now, m.index, nil))
}

func (m *timedMachine) read(line string) (reply string, due Millis) {
	replies, due := m.Read(m.now, m.index, []Call{callOf(line)})
	return string(replies[0]), due
}

// content lists the bulk strings and integers of a reply.
func content(reply string) (list []string) {
	lines := strings.Split(reply, "\r\n")
	for i := 0; i < len(lines); i++ {
		switch {
		case lines[i] == "$-1":
			list = append(list, "nil")
		case strings.HasPrefix(lines[i], "$"):
			i++
			list = append(list, lines[i])
		case strings.HasPrefix(lines[i], ":"):
			list = append(list, lines[i][1:])
		case strings.HasPrefix(lines[i], "-"):
			list = append(list, lines[i])
		}
	}
	return list
}

// More fields with one deadline than an entry reaps: they are gone all the same, and what
// is written meanwhile is new.
func TestFieldBacklog(t *testing.T) {
	for _, stays := range []string{"", " stays v"} {
		m := newTimedMachine()
		m.write("CONFIG SET notify-keyspace-events KEA")
		line := "HSET h" + stays
		names := ""
		const fields = 2*reapBudget + 100
		for i := range fields {
			line += fmt.Sprintf(" f%d v", i)
			names += fmt.Sprintf(" f%d", i)
		}
		m.write(line)
		m.write(fmt.Sprintf("HPEXPIRE h 1000 FIELDS %d%s", fields, names))
		if next, ok := m.NextDeadline(); !ok || next != m.now+1000 {
			t.Fatalf("next deadline %d, %v", next, ok)
		}
		m.now += 1000
		want := strconv.Itoa(len(stays) / len(" stays v"))
		for _, line := range []string{"HLEN h", "EXISTS h", "HGET h f1", "HRANDFIELD h 1"} {
			if _, due := m.read(line); due != m.now && !(stays != "" && line == "EXISTS h") {
				t.Errorf("%s: due %d at %d", line, due, m.now)
			}
		}
		m.reap()
		if left := m.dbs[0].fields.heap[0].object.value.(*hash).len(); left < fields-reapBudget || m.Counts().ExpiredFields != reapBudget {
			t.Fatalf("%d fields are left, %d expired", left, m.Counts().ExpiredFields)
		}
		for _, line := range []string{"HLEN h", "EXISTS h"} {
			if got, due := m.read(line); got != ":"+want+"\r\n" || due != 0 {
				t.Errorf("%s: %q, due %d", line, got, due)
			}
		}
		if got, _ := m.read("HRANDFIELD h 5"); strings.Join(content(got), "") != strings.TrimSpace(strings.TrimSuffix(stays, "v")) {
			t.Errorf("HRANDFIELD: %q", got)
		}
		// The entry of a write reaps as many again; some are left for it to meet.
		meets := m.dbs[0].fields.heap[0].object.value.(*hash).timed.order.at(fields - reapBudget - 1).name
		if got := m.write(fmt.Sprintf("HSET h %s new other new", meets)); got != ":2\r\n" {
			t.Errorf("HSET: %q", got)
		}
		count := 2
		if stays != "" {
			count = 3
		}
		if got, _ := m.read("HLEN h"); got != fmt.Sprintf(":%d\r\n", count) {
			t.Errorf("HLEN: %q", got)
		}
		if got, _ := m.read(fmt.Sprintf("HGET h %s", meets)); got != "$3\r\nnew\r\n" {
			t.Errorf("HGET: %q", got)
		}
		checkFieldTimes(t, m.Machine)
		m.reap()
		m.reap()
		if _, ok := m.NextDeadline(); ok || m.Counts().ExpiredFields != fields {
			t.Errorf("%d expired of %d", m.Counts().ExpiredFields, fields)
		}
	}
}

// What becomes of fields and their hash is told as Redis tells it.
func TestFieldEvents(t *testing.T) {
	m := newTimedMachine()
	m.write("CONFIG SET notify-keyspace-events KEA")
	events := func() string {
		var names []string
		for _, e := range m.Events() {
			names = append(names, e.Name)
		}
		return strings.Join(names, " ")
	}
	for _, test := range []struct{ line, want string }{
		{"HSET h a 1 b 2 c 3", "hset"},
		{"HEXPIRE h 100 FIELDS 1 a", "hexpire"},
		{"HEXPIRE h 100 NX FIELDS 1 a", ""},
		{"HEXPIRE h 100 FIELDS 1 nosuch", ""},
		{"HPERSIST h FIELDS 1 a", "hpersist"},
		{"HPERSIST h FIELDS 1 a", ""},
		{"HGETEX h EX 100 FIELDS 1 a", "hexpire"},
		{"HGETEX h PERSIST FIELDS 1 a", "hpersist"},
		{"HGETEX h FIELDS 1 a", ""},
		{"HGETEX h EX 0 FIELDS 1 a", "hdel"},
		{"HGETDEL h FIELDS 1 b", "hdel"},
		{"HGETDEL h FIELDS 1 b", ""},
		{"HEXPIRE h 0 FIELDS 1 c", "hdel del"},
		{"HSETEX h EX 100 FIELDS 1 a 1", "hset hexpire"},
		{"HSETEX h FIELDS 1 a 1", "hset"},
		{"HSETEX h EXAT 1 FIELDS 1 a 1", "hset hdel del"},
		{"HSETEX h PX 10 FIELDS 2 a 1 b 1", "hset hexpire"},
	} {
		m.write(test.line)
		if got := events(); got != test.want {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
	m.write("HSET h c 1")
	m.now += 10
	if m.reap(); events() != "hexpired" {
		t.Errorf("two fields expire: %q", events())
	}
	m.write("HPEXPIRE h 10 FIELDS 1 c")
	m.now += 10
	if m.reap(); events() != "hexpired del" {
		t.Errorf("the last field expires: %q", events())
	}
}

// A field that expires changes a watched hash.
func TestFieldExpiryWatched(t *testing.T) {
	m := newTimedMachine()
	exec := func() string {
		m.index++
		m.seq++
		requests := AppendRequest(nil, m.seq, Request{Calls: []Call{callOf("HLEN h")}, Multi: true, Watch: 7})
		return string(m.Apply(m.index, AppendEntry(nil, m.now, 1, []Section{{1, m.seq - 1, 1, requests}}))[0].Reply)
	}
	m.write("HSET h a 1 b 2")
	m.write("HPEXPIRE h 10 FIELDS 1 a")
	m.write("WATCH 7 h")
	if got := exec(); got != "*1\r\n:2\r\n" {
		t.Errorf("nothing has expired: %q", got)
	}
	m.write("WATCH 7 h")
	m.now += 10
	if got := exec(); got != string(NilArray) {
		t.Errorf("a field has expired: %q", got)
	}
}

func TestParseHsetex(t *testing.T) {
	for _, test := range []struct {
		line string
		want hsetexOptions // names and values aside
		bad  string
	}{
		{line: "FIELDS 1 a 1"},
		{line: "fnx fields 1 a 1", want: hsetexOptions{fnx: true}},
		{line: "EX 5 FXX FIELDS 1 a 1", want: hsetexOptions{fxx: true, timed: true, deadline: 6000}},
		{line: "PX 5 FIELDS 1 a 1", want: hsetexOptions{timed: true, deadline: 1005}},
		{line: "EXAT 5 FIELDS 1 a 1", want: hsetexOptions{timed: true, deadline: 5000}},
		{line: "PXAT 5 FIELDS 1 a 1", want: hsetexOptions{timed: true, deadline: 5}},
		{line: "KEEPTTL FNX FIELDS 2 EX 1 FIELDS 1", want: hsetexOptions{fnx: true, keepTTL: true}},
		{line: "FNX EX", bad: "missing expire time"},
		{line: "FNX KEEPTTL", bad: "wrong number of arguments for 'hsetex' command"},
		{line: "PX 5 KEEPTTL FIELDS 1 a 1", bad: "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"},
		{line: "FXX FXX FIELDS 1 a 1", bad: "Only one of FXX or FNX arguments can be specified"},
		{line: "FIELDS 2147483648 a 1", bad: "invalid number of fields"},
	} {
		o, err := parseHsetex(callOf("HSETEX h "+test.line).Args, 1000)
		switch {
		case test.bad != "":
			if err == nil || err.Error() != "ERR "+test.bad {
				t.Errorf("%s: got %v, want %s", test.line, err, test.bad)
			}
		case err != nil || len(o.pairs) < 2:
			t.Errorf("%s: got %v, %v", test.line, o, err)
		default:
			if o.pairs = nil; fmt.Sprint(o) != fmt.Sprint(test.want) {
				t.Errorf("%s: got %+v, want %+v", test.line, o, test.want)
			}
		}
	}
}

// What a script has done to deadlines of fields is undone when it goes too far.
func TestFieldDeadlinesUndone(t *testing.T) {
	m := newTimedMachine()
	m.write("HSETEX h PX 1000 FIELDS 2 a 1 b 2")
	m.write("HSETEX gone PX 500 FIELDS 1 a 1")
	m.write("HSET plain a 1")
	before := m.Snapshot().Digest()
	reply := m.write("EVAL " + strings.Join([]string{
		"redis.call('HPEXPIRE','h','5','FIELDS','1','a')",
		"redis.call('HPERSIST','h','FIELDS','1','b')",
		"redis.call('DEL','gone')",
		"redis.call('HPEXPIRE','plain','5','FIELDS','1','a')",
		"redis.call('HSETEX','new','PX','5','FIELDS','1','a','1')",
		"while(true)do(tostring)(1)end",
	}, "") + " 0")
	if !strings.HasPrefix(reply, "-") {
		t.Fatalf("the script ends with %q", reply)
	}
	checkFieldTimes(t, m.Machine)
	if m.Snapshot().Digest() != before {
		t.Error("the script has left something behind")
	}
	if next, _ := m.NextDeadline(); next != m.now+500 {
		t.Errorf("next deadline %d, want %d", next, m.now+500)
	}
}

// A file with deadlines of fields is one of Redis 7.4, any other one of 7.0.
func TestFieldDeadlinesRDB(t *testing.T) {
	m := newTimedMachine()
	m.write("HSET h a 1 b 2")
	if file := snapshotOf(t, m.Machine); string(file[:9]) != "REDIS0010" {
		t.Errorf("it begins with %q", file[:9])
	}
	digest := m.Snapshot().Digest()
	m.write("HPEXPIREAT h 1700000000000 FIELDS 1 b")
	file := snapshotOf(t, m.Machine)
	if string(file[:9]) != "REDIS0012" {
		t.Errorf("it begins with %q", file[:9])
	}
	// type | key | earliest deadline | 2 fields | no deadline, a, 1 | the earliest, b, 2
	want := "\x18\x01h" + "\x00\x68\xe5\xcf\x8b\x01\x00\x00" + "\x02" + "\x00\x01a\x011" + "\x01\x01b\x012"
	if !bytes.Contains(file, []byte(want)) {
		t.Errorf("%q is not in %q", want, file)
	}
	if m.Snapshot().Digest() == digest {
		t.Error("the digest does not see deadlines of fields")
	}
	m.write("HPERSIST h FIELDS 1 b")
	if m.Snapshot().Digest() != digest {
		t.Error("another digest without them")
	}
	for _, bad := range []string{
		"\x00\x68\xe5\xcf\x8b\x01\x00\x00" + "\x00",                                               // empty
		"\x00\x68\xe5\xcf\x8b\x01\x00\x00" + "\x02\x00\x01a\x011\x00\x01a\x012",                   // a twice
		"\x00\x00\x00\x00\x00\x00\x00\x80" + "\x01\x01\x01a\x011",                                 // far away
		"\x00\x68\xe5\xcf\x8b\x01\x00\x00" + "\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x011", // beyond int64
	} {
		file := "REDIS0012\x18\x01h" + bad + "\xff\x00\x00\x00\x00\x00\x00\x00\x00"
		if err := New().Restore(strings.NewReader(file)); err == nil {
			t.Errorf("%q makes a hash", bad)
		}
	}
}
