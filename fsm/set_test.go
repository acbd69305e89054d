package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// A set does what a map does in each of its forms, its order depends on nothing but its
// members, and clones stay as they were.
func TestSet(t *testing.T) {
	rand := Rand{5}
	for _, test := range []struct {
		name  string
		limit int
		make  func(i int) string
	}{
		{"few integers", 600, func(i int) string { return fmt.Sprint(i - 300) }},
		{"many integers", 2000, func(i int) string { return fmt.Sprint((i - 1000) * 1e9) }},
		{"few strings", 100, func(i int) string { return fmt.Sprint("m", i) }},
		{"many strings", 2000, func(i int) string { return fmt.Sprint("m", i) }},
		{"mixed", 700, func(i int) string {
			switch {
			case i == 7:
				return string(bytes.Repeat([]byte{'x'}, 100))
			case i%300 == 8:
				return fmt.Sprint("text", i)
			}
			return fmt.Sprint(i)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, model := newSet(), map[string]bool{}
			frozen, frozenModel := newSet(), map[string]bool{}
			for step := range 12000 {
				m := test.make(rand.IntN(test.limit))
				if growing := step/3000%2 == 0; growing == (rand.IntN(8) != 0) {
					if s.add([]byte(m)) == model[m] {
						t.Fatalf("add %s", m)
					}
					model[m] = true
				} else {
					if s.remove([]byte(m)) != model[m] {
						t.Fatalf("remove %s", m)
					}
					delete(model, m)
				}
				if step%1000 == 999 {
					checkSet(t, s, model)
					checkSet(t, frozen, frozenModel)
					frozen, frozenModel = s, maps.Clone(model)
					s = s.clone().(*set)
				}
			}
		})
	}
}

func checkSet(t *testing.T, s *set, model map[string]bool) {
	t.Helper()
	var got []string
	s.each(func(m []byte) bool { got = append(got, string(m)); return true })
	anew := newSet() // built in another order
	for _, m := range slices.Backward(slices.Sorted(maps.Keys(model))) {
		anew.add([]byte(m))
	}
	var want []string
	anew.each(func(m []byte) bool { want = append(want, string(m)); return true })
	if !slices.Equal(got, want) || len(got) != len(model) || s.form != anew.form || s.n != len(model) {
		t.Fatalf("%d members in form %d, want %d in form %d, or in another order", len(got), s.form, len(want), anew.form)
	}
	for i := range got {
		if i%13 == 0 && string(s.at(i)) != got[i] {
			t.Fatalf("member %d is %s, not %s", i, s.at(i), got[i])
		}
	}
}

func TestRandomIndexes(t *testing.T) {
	rand := Rand{3}
	counts := make([]int, 10)
	for range 10000 {
		chosen := randomIndexes(&rand, 10, 3)
		slices.Sort(chosen)
		if len(slices.Compact(chosen)) != 3 {
			t.Fatalf("chosen %v", chosen)
		}
		for _, i := range chosen {
			counts[i]++
		}
	}
	for i, n := range counts {
		if n < 2700 || n > 3300 {
			t.Errorf("%d was chosen %d times of 3000", i, n)
		}
	}
	if got := len(randomIndexes(&rand, 10, 100)); got != 10 {
		t.Errorf("%d of 10", got)
	}
}
