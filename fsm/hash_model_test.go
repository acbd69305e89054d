package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// timedModel is hashes as maps.
type timedModel map[string]map[string]timedValue

type timedValue struct {
	value    string
	deadline Millis // 0 means never
}

// expire takes out what has expired.
func (m timedModel) expire(now Millis) {
	for key, fields := range m {
		maps.DeleteFunc(fields, func(_ string, v timedValue) bool { return v.deadline != 0 && v.deadline <= now })
		if len(fields) == 0 {
			delete(m, key)
		}
	}
}

func (m timedModel) set(key, name string, v timedValue) {
	if m[key] == nil {
		m[key] = map[string]timedValue{}
	}
	m[key][name] = v
}

// hexpire is HPEXPIREAT for one field.
func (m timedModel) hexpire(key, name, condition string, deadline, now Millis) string {
	v, ok := m[key][name]
	switch old := v.deadline; {
	case !ok:
		return "-2"
	case condition == "NX" && old != 0, condition == "XX" && old == 0,
		condition == "GT" && (old == 0 || deadline <= old),
		condition == "LT" && old != 0 && deadline >= old:
		return "0"
	case deadline <= now:
		m.delete(key, name)
		return "2"
	}
	m.set(key, name, timedValue{v.value, deadline})
	return "1"
}

func (m timedModel) delete(key, name string) (v timedValue, ok bool) {
	v, ok = m[key][name]
	if delete(m[key], name); len(m[key]) == 0 {
		delete(m, key)
	}
	return v, ok
}

// Random commands on hashes, with deadlines of fields that pass, do what a naive model
// does, and alike on a machine that was restored from a snapshot half-way.
func TestFieldDeadlines(t *testing.T) {
	const steps = 8000
	rand := Rand{9}
	a, b, model := newTimedMachine(), newTimedMachine(), timedModel{}
	forms := map[string]int{}
	for step := range steps {
		now := a.now + Millis(rand.IntN(20))
		a.now, b.now = now, now
		if step%3 == 0 {
			a.reap()
			b.reap()
		}
		model.expire(now)
		key := []string{"h1", "h2", "big"}[rand.IntN(3)]
		other := []string{"h1", "h2"}[rand.IntN(2)]
		name := fmt.Sprint("f", rand.IntN(12))
		if key == "big" {
			name = fmt.Sprint("f", rand.IntN(800))
		}
		value := fmt.Sprint("v", step)
		if key != "big" && rand.IntN(10) == 0 {
			value = strings.Repeat("x", maxPackedBytes+1)
		}
		deadline := now + Millis(rand.IntN(400)) - 20
		if key == "big" {
			deadline = now + Millis(rand.IntN(20000)) - 20
		}
		old, there := model[key][name]
		oldValue := "nil"
		if there {
			oldValue = old.value
		}
		var line, want string
		switch rand.IntN(14) {
		case 0, 1:
			line, want = fmt.Sprintf("HSET %s %s %s", key, name, value), "1"
			if there {
				want = "0"
			}
			model.set(key, name, timedValue{value, 0})
		case 2, 3, 4:
			condition := []string{"", "NX", "XX", "GT", "LT"}[rand.IntN(5)]
			line = fmt.Sprintf("HPEXPIREAT %s %d %s FIELDS 1 %s", key, deadline, condition, name)
			want = model.hexpire(key, name, condition, deadline, now)
		case 5:
			line, want = fmt.Sprintf("HSETEX %s FIELDS 1 %s %s PXAT", key, name, value), "-ERR wrong number of arguments for 'hsetex' command"
		case 6:
			line, want = fmt.Sprintf("HSETEX %s PXAT %d FIELDS 1 %s %s", key, deadline, name, value), "1"
			if model.set(key, name, timedValue{value, deadline}); deadline <= now {
				model.delete(key, name)
			}
		case 7:
			line, want = fmt.Sprintf("HSETEX %s KEEPTTL FIELDS 1 %s %s", key, name, value), "1"
			model.set(key, name, timedValue{value, old.deadline})
		case 8:
			line, want = fmt.Sprintf("HPERSIST %s FIELDS 1 %s", key, name), "-2"
			if there && old.deadline == 0 {
				want = "-1"
			} else if there {
				want = "1"
				model.set(key, name, timedValue{old.value, 0})
			}
		case 9:
			line, want = fmt.Sprintf("HGETEX %s PXAT %d FIELDS 1 %s", key, deadline, name), oldValue
			if there && deadline <= now {
				model.delete(key, name)
			} else if there {
				model.set(key, name, timedValue{old.value, deadline})
			}
		case 10:
			line, want = fmt.Sprintf("HGETDEL %s FIELDS 1 %s", key, name), oldValue
			model.delete(key, name)
		case 11:
			line, want = fmt.Sprintf("HDEL %s %s", key, name), "0"
			if _, ok := model.delete(key, name); ok {
				want = "1"
			}
		case 12:
			line, want = fmt.Sprintf("COPY %s %s REPLACE", key, other), "0"
			if key == other {
				want = "-ERR source and destination objects are the same"
			} else if len(model[key]) > 0 {
				want = "1"
				model[other] = maps.Clone(model[key])
			}
		case 13:
			if key == "big" {
				key = "h1"
			}
			line, want = fmt.Sprintf("RENAME %s %s", key, other), "-ERR no such key"
			if len(model[key]) > 0 && key != other {
				want = ""
				model[other] = model[key]
				delete(model, key)
			} else if len(model[key]) > 0 {
				want = ""
			}
		}
		got := a.write(line)
		if again := b.write(line); again != got {
			t.Fatalf("step %d: %s: %q, and restored %q", step, line, got, again)
		}
		if strings.Join(content(got), " ") != want {
			t.Fatalf("step %d at %d: %s: got %q, want %q", step, now, line, got, want)
		}
		checkFieldTimes(t, a.Machine)
		if v, ok, _ := get[*hash](&Tx{m: a.Machine, now: now}, []byte(key)); ok {
			forms[v.encoding()]++
		}

		a.now += Millis(rand.IntN(30)) // reads may be ahead of the log
		b.now = a.now
		model.expire(a.now)
		checkReads(t, a, b, model, []string{"h1", "h2"}[step%2])
		if step%200 == 0 {
			checkReads(t, a, b, model, "big")
		}
		if step%500 == 250 {
			file := snapshotOf(t, a.Machine)
			if err := b.Restore(bytes.NewReader(file)); err != nil {
				t.Fatal(err)
			}
			checkFieldTimes(t, b.Machine)
		}
		if step%97 == 0 && !bytes.Equal(snapshotOf(t, a.Machine), snapshotOf(t, b.Machine)) {
			t.Fatalf("snapshots differ after step %d", step)
		}
	}
	for _, form := range []string{"listpack", "listpackex", "hashtable"} {
		if forms[form] < steps/100 {
			t.Errorf("forms: %v", forms)
		}
	}
}

// checkReads compares what reads tell of a key with the model, once the log has reached
// what they met.
func checkReads(t *testing.T, a, b *timedMachine, model timedModel, key string) {
	t.Helper()
	read := func(line string) []string {
		t.Helper()
		reply, due := a.read(line)
		if due != 0 {
			if due <= a.Clock() || due > a.now {
				t.Fatalf("%s: due %d, the log is at %d and the leader at %d", line, due, a.Clock(), a.now)
			}
			a.reap()
			b.reap()
			if reply, due = a.read(line); due != 0 {
				t.Fatalf("%s: due %d after the reap at %d", line, due, a.now)
			}
		}
		if again, _ := b.read(line); again != reply {
			t.Fatalf("%s: %q, and restored %q", line, reply, again)
		}
		return content(reply)
	}
	fields := model[key]
	if got, want := read("HLEN "+key), strconv.Itoa(len(fields)); got[0] != want {
		t.Fatalf("HLEN %s: got %v, want %s", key, got, want)
	}
	if got := read("EXISTS " + key); (got[0] == "1") != (len(fields) > 0) {
		t.Fatalf("EXISTS %s: got %v of %d", key, got, len(fields))
	}
	names := slices.Sorted(maps.Keys(fields))
	all := read("HGETALL " + key)
	if len(all) != 2*len(names) {
		t.Fatalf("HGETALL %s at %d: got %d, want %v", key, a.now, len(all)/2, fields)
	}
	for pair := range slices.Chunk(all, 2) {
		if v, ok := fields[pair[0]]; !ok || v.value != pair[1] {
			t.Fatalf("HGETALL %s: got %v, want %v", key, all, fields)
		}
	}
	if len(names) == 0 {
		return
	}
	one := names[len(all)*7%len(names)]
	want := "-1"
	if v := fields[one]; v.deadline != 0 {
		want = fmt.Sprint(v.deadline)
	}
	if got := read(fmt.Sprintf("HPEXPIRETIME %s FIELDS 1 %s", key, one)); got[0] != want {
		t.Fatalf("deadline of %s %s: got %v, want %s", key, one, got, want)
	}
	if got := read(fmt.Sprintf("HMGET %s %s nosuch", key, one)); got[0] != fields[one].value || got[1] != "nil" {
		t.Fatalf("%s of %s: got %v, want %v", one, key, got, fields[one])
	}
	for _, name := range read(fmt.Sprintf("HRANDFIELD %s -5", key)) {
		if _, ok := fields[name]; !ok {
			t.Fatalf("HRANDFIELD %s: %s", key, name)
		}
	}
}

// checkFieldTimes verifies the order of hashes by the deadlines of their fields.
func checkFieldTimes(t *testing.T, m *Machine) {
	t.Helper()
	d := m.dbs[0]
	timed := 0
	d.keys.walk(0, func(_ uint64, o *object) bool {
		h := o.value.(*hash)
		var next, last Millis
		forEver := false
		for f := range h.all() {
			if f.deadline == 0 {
				forEver = true
			} else if last = max(last, f.deadline); next == 0 || f.deadline < next {
				next = f.deadline
			}
		}
		if next == 0 {
			if h.timed != nil {
				t.Fatalf("%s has deadlines without fields", o.key)
			}
			return true
		}
		timed++
		if forEver {
			last = 0
		}
		if h.timed.next != next || h.timed.last != last || d.fields.heap[h.timed.heapPos].object != o {
			t.Fatalf("%s: %+v, want next %d and last %d", o.key, h.timed, next, last)
		}
		return true
	})
	if timed != len(d.fields.heap) {
		t.Fatalf("%d hashes with deadlines, but %d in order", timed, len(d.fields.heap))
	}
	for i, item := range d.fields.heap {
		if i > 0 && d.fields.before(item, d.fields.heap[(i-1)/2]) {
			t.Fatalf("place %d is before the one above", i)
		}
	}
}
