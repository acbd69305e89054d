package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// hashModel is a hash as a map, with the order of its fields while it is small.
type hashModel struct {
	values map[string]string
	order  []string
}

func (m *hashModel) small() bool {
	for field, value := range m.values {
		if len(field) > maxPackedBytes || len(value) > maxPackedBytes {
			return false
		}
	}
	return len(m.values) <= maxPackedFields
}

// A hash does what a map does, keeps the order of its fields while it is small, has the
// form that its content demands, and clones of it stay as they were.
func TestHash(t *testing.T) {
	rand := Rand{5}
	h, model := newHash(), &hashModel{values: map[string]string{}}
	frozen, frozenValues := newHash(), map[string]string{}
	forms := map[string]int{}
	for step := range 20000 {
		field := fmt.Sprintf("f%d", rand.IntN(700))
		if rand.IntN(2000) == 0 {
			field = fmt.Sprintf("%065d", rand.IntN(3))
		}
		growing := step/5000%2 == 0
		_, exists := model.values[field]
		if growing == (rand.IntN(10) < 7) {
			value := fmt.Sprint(step)
			if rand.IntN(3000) == 0 {
				value = fmt.Sprintf("%065d", step)
			}
			if h.put(field, value) == exists {
				t.Fatalf("step %d: a new field is none, or the other way round", step)
			}
			model.values[field] = value
			if !exists {
				model.order = append(model.order, field)
			}
		} else {
			if _, ok := h.delete([]byte(field)); ok != exists {
				t.Fatalf("step %d: deleted what was not there, or the other way round", step)
			}
			delete(model.values, field)
			model.order = slices.DeleteFunc(model.order, func(f string) bool { return f == field })
		}
		forms[h.encoding()]++
		if !model.small() {
			model.order = nil
		} else if model.order == nil { // it goes on in the order that the large form had
			model.order = fieldsOf(h)
		}
		if small := h.encoding() == "listpack"; small != model.small() {
			t.Fatalf("step %d: small is %v", step, small)
		}
		if step%100 == 99 {
			checkHash(t, h, model.values)
			if model.order != nil && !slices.Equal(model.order, fieldsOf(h)) {
				t.Fatalf("step %d: fields %q, want %q", step, fieldsOf(h), model.order)
			}
			checkHash(t, frozen, frozenValues)
			frozen, frozenValues = h, maps.Clone(model.values)
			h = h.clone().(*hash)
		}
	}
	if forms["listpack"] < 1000 || forms["hashtable"] < 1000 {
		t.Errorf("steps by form: %v", forms)
	}
}

func fieldsOf(h *hash) (fields []string) {
	for f := range h.all() {
		fields = append(fields, string(f.name))
	}
	return fields
}

// put sets a field that lives for ever, and reports whether it is new.
func (h *hash) put(name, value string) bool {
	_, replaced := h.set(hashField{name: []byte(name), value: []byte(value)})
	return !replaced
}

func checkHash(t *testing.T, h *hash, values map[string]string) {
	t.Helper()
	if h.len() != len(values) {
		t.Fatalf("%d fields, want %d", h.len(), len(values))
	}
	seen := 0
	for f := range h.all() {
		if want, ok := values[string(f.name)]; !ok || want != string(f.value) {
			t.Fatalf("%q has %q, want %q, %v", f.name, f.value, want, ok)
		}
		seen++
	}
	if seen != len(values) {
		t.Fatalf("visited %d fields of %d", seen, len(values))
	}
	for field, want := range values {
		if f, ok := h.get([]byte(field)); !ok || string(f.value) != want {
			t.Fatalf("%q has %q, %v, want %q", field, f.value, ok, want)
		}
	}
	if _, ok := h.get([]byte("no such field")); ok {
		t.Fatal("a field that is not there")
	}
	byRank := h.byRank()
	for rank, want := range fieldsOf(h) {
		if f := byRank(rank); string(f.name) != want || string(f.value) != values[want] {
			t.Fatalf("rank %d: %q with %q, want %q", rank, f.name, f.value, want)
		}
	}
}

// What a hash is written as reads back as an equal one: its order and form included.
func TestHashRDB(t *testing.T) {
	for _, n := range []int{1, 3, maxPackedFields, maxPackedFields + 1, 5000} {
		for _, width := range []int{1, maxPackedBytes + 1} {
			h := newHash()
			for i := range n {
				h.put(fmt.Sprint(i), strings.Repeat("x", width))
			}
			m := New()
			tx := Tx{m: m}
			tx.put([]byte("h"), h, 0)
			file := snapshotOf(t, m)
			if err := m.Restore(bytes.NewReader(file)); err != nil {
				t.Fatal(err)
			}
			back, _, err := get[*hash](&tx, []byte("h"))
			if err != nil || back.encoding() != h.encoding() || !slices.Equal(fieldsOf(back), fieldsOf(h)) {
				t.Errorf("%d fields of %d bytes: another hash, %v", n, width, err)
			}
			if !bytes.Equal(snapshotOf(t, m), file) {
				t.Errorf("%d fields of %d bytes: another file", n, width)
			}
		}
	}
}

func snapshotOf(t *testing.T, m *Machine) []byte {
	t.Helper()
	var buf bytes.Buffer
	s := m.Snapshot()
	defer s.Release()
	if _, err := s.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Every field that is there from the first call of HSCAN to the last is visited, while
// others come and go.
func TestHashScan(t *testing.T) {
	h := newHash()
	for i := range 3000 {
		h.put(fmt.Sprint("stays", i), "v")
	}
	rand := Rand{3}
	seen := map[string]bool{}
	for cursor, calls := uint64(0), 0; ; calls++ {
		visited := 0
		cursor = h.scan(cursor, 10, func(f hashField) {
			seen[string(f.name)] = true
			visited++
		})
		if visited > 20 || calls > 1000 {
			t.Fatalf("call %d visits %d", calls, visited)
		}
		if cursor == 0 {
			break
		}
		for range 5 {
			h.put(fmt.Sprint("comes", rand.IntN(100)), "v")
			h.delete(fmt.Append(nil, "comes", rand.IntN(100)))
		}
	}
	for i := range 3000 {
		if field := fmt.Sprint("stays", i); !seen[field] {
			t.Fatalf("%s was not visited", field)
		}
	}
	if next := h.scan(1<<60, 10, func(hashField) { t.Error("visited") }); next != 0 {
		t.Errorf("cursor %d beyond the end", next)
	}
}
