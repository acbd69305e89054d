package fsm

import (
	"bytes"
	"slices"
	"testing"
)

// A list does what a slice does, and clones of it stay as they were.
func TestList(t *testing.T) {
	rand := Rand{11}
	l := newList()
	var model [][]byte
	frozen, frozenModel := newList(), [][]byte(nil)
	for step := range 30000 {
		growing := step/6000%2 == 0
		switch n := rand.IntN(10); {
		case growing == (n < 7):
			at := []int{0, len(model), rand.IntN(len(model) + 1)}[rand.IntN(3)]
			size := rand.IntN(20)
			if rand.IntN(200) == 0 {
				size = rand.IntN(3 * chunkBytes)
			}
			element := bytes.Repeat([]byte{byte(step)}, size)
			l.insert(at, element)
			model = slices.Insert(model, at, element)
		case len(model) == 0:
		case n == 9:
			at := rand.IntN(len(model))
			element := bytes.Repeat([]byte{'s', byte(step)}, rand.IntN(100))
			l.set(at, element)
			model[at] = element
		default:
			at := rand.IntN(len(model))
			count := min(1+rand.IntN(3), len(model)-at)
			if rand.IntN(500) == 0 {
				count = min(300, len(model)-at)
			}
			l.remove(at, count)
			model = slices.Delete(model, at, at+count)
		}
		if step%1000 == 999 {
			checkList(t, l, model)
			checkList(t, frozen, frozenModel)
			frozen, frozenModel = l, slices.Clone(model)
			l = l.clone().(*list)
		}
	}
}

func checkList(t *testing.T, l *list, model [][]byte) {
	t.Helper()
	if l.n != len(model) {
		t.Fatalf("%d elements, want %d", l.n, len(model))
	}
	from := len(model) / 3
	var got [][]byte
	l.forward(from, func(index int, element []byte) bool {
		if index != from+len(got) {
			t.Fatalf("index %d after %d", index, from+len(got))
		}
		got = append(got, slices.Clone(element))
		return true
	})
	if !slices.EqualFunc(got, model[from:], bytes.Equal) {
		t.Fatal("forward gives other elements")
	}
	got = nil
	l.backward(from, func(index int, element []byte) bool {
		if index != from-len(got) {
			t.Fatalf("index %d after %d", index, from-len(got))
		}
		got = append(got, slices.Clone(element))
		return true
	})
	slices.Reverse(got)
	if len(model) > 0 && !slices.EqualFunc(got, model[:from+1], bytes.Equal) {
		t.Fatal("backward gives other elements")
	}
	for i := range model {
		if i%17 == 0 && !bytes.Equal(l.at(i), model[i]) {
			t.Fatalf("element %d is another", i)
		}
	}
	small := 0
	for _, c := range l.chunks {
		if c.n == 0 {
			t.Fatal("an empty chunk")
		}
		if c.n < 8 && len(c.b) < chunkBytes/8 {
			small++
		}
	}
	if small > 2+len(l.chunks)/2 {
		t.Errorf("%d of %d chunks are small", small, len(l.chunks))
	}
}
