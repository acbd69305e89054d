package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// A packed sequence does what a slice of slices does, and clones stay as they were.
func TestPacked(t *testing.T) {
	rand := Rand{7}
	var p, frozen packed
	var model, frozenModel [][]byte
	equal := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
	for step := range 5000 {
		at := rand.IntN(len(model) + 1)
		removed := rand.IntN(min(len(model)-at, 3) + 1)
		var added [][]byte
		for range rand.IntN(3) {
			added = append(added, bytes.Repeat([]byte{byte(step)}, rand.IntN(200)))
		}
		if len(model) > 100 {
			added = nil
		}
		p.splice(p.skip(0, at), removed, added...)
		model = slices.Replace(model, at, at+removed, added...)
		if !equal(p.elements(), model) || p.n != len(model) {
			t.Fatalf("step %d: got %d elements, want %d, or others", step, p.n, len(model))
		}
		if !equal(frozen.elements(), frozenModel) {
			t.Fatalf("step %d: a clone changed", step)
		}
		if step%50 == 0 {
			frozen, frozenModel = p, slices.Clone(model)
			p = p.clone()
		}
	}
}

func TestPackedFind(t *testing.T) {
	var p packed
	for _, s := range []string{"a", "b", "b", "c"} {
		p.push([]byte(s))
	}
	for _, test := range []struct {
		s    string
		step int
		want string
	}{{"b", 1, "2 true"}, {"b", 2, "4 true"}, {"c", 2, "8 false"}, {"c", 1, "6 true"}} {
		offset, ok := p.find([]byte(test.s), test.step)
		if got := fmt.Sprint(offset, ok); got != test.want {
			t.Errorf("find %s, step %d: %s, want %s", test.s, test.step, got, test.want)
		}
	}
}
