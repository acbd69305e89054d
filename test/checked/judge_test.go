package checked

import (
	"slices"
	"strings"
	"testing"
)

// Transactions whose verdict is known.
func TestJudgeTransactions(t *testing.T) {
	add := func(key string, element int) micro { return micro{key: key, append: element} }
	see := func(key string, elements ...int) micro { return micro{key: key, read: elements} }
	at := func(call, end int64, steps ...micro) transaction { return transaction{call, end, true, steps} }
	lost := func(call int64, steps ...micro) transaction { return transaction{call: call, steps: steps} }
	for _, test := range []struct {
		name  string
		wrong string // "": nothing is
		all   []transaction
	}{
		{"one after the other", "", []transaction{
			at(0, 1, add("x", 1)), at(2, 3, add("x", 2), see("x", 1, 2)), at(4, 5, see("x", 1, 2)),
		}},
		{"at a time, in either order", "", []transaction{
			at(0, 9, add("x", 1)), at(0, 9, add("x", 2)), at(10, 11, see("x", 2, 1)),
		}},
		{"an append without an answer is there", "", []transaction{lost(0, add("x", 1)), at(2, 3, see("x", 1))}},
		{"or not", "", []transaction{lost(0, add("x", 1)), at(2, 3, see("x"))}},
		{"or later", "", []transaction{lost(0, add("x", 1)), at(2, 3, see("x")), at(4, 5, see("x", 1))}},
		{"applied in part", "in part", []transaction{lost(0, add("x", 1), add("y", 2)), at(2, 3, see("x", 1)), at(4, 5, see("y"))}},
		{"lost", "lost", []transaction{at(0, 1, add("x", 1)), at(2, 3, see("x"))}},
		{"twice", "twice", []transaction{at(0, 1, add("x", 1)), at(2, 3, see("x", 1, 1))}},
		{"from nowhere", "nobody", []transaction{at(2, 3, see("x", 7))}},
		{"two orders", "beginning", []transaction{
			at(0, 9, add("x", 1)), at(0, 9, add("x", 2)), at(0, 9, see("x", 2)), at(10, 11, see("x", 1, 2)),
		}},
		{"a stale read", "circle", []transaction{
			at(0, 1, add("x", 1)), at(2, 3, see("x")), at(4, 5, see("x", 1)),
		}},
		{"a read beside the append may miss it", "", []transaction{
			at(0, 3, add("x", 1)), at(2, 3, see("x")), at(4, 5, see("x", 1)),
		}},
		{"an append that overtakes", "circle", []transaction{
			at(0, 1, add("x", 1)), at(2, 3, add("x", 2)), at(4, 5, see("x", 2, 1)),
		}},
		{"write skew", "circle", []transaction{
			at(0, 9, see("x"), add("y", 1)), at(0, 9, see("y"), add("x", 2)), at(10, 11, see("x", 2)), at(10, 11, see("y", 1)),
		}},
		{"half of a transaction is seen", "circle", []transaction{
			at(0, 9, add("x", 1), add("y", 2)), at(0, 9, see("x", 1), see("y")), at(10, 11, see("x", 1)), at(10, 11, see("y", 2)),
		}},
		{"reads that see the other's half each", "circle", []transaction{
			at(0, 9, add("x", 1)), at(0, 9, add("y", 2)),
			at(0, 9, see("x", 1), see("y")), at(0, 9, see("x"), see("y", 2)),
			at(10, 11, see("x", 1)), at(10, 11, see("y", 2)),
		}},
		{"a transaction that does not see itself", "itself", []transaction{
			at(0, 1, add("x", 1), see("x")), at(2, 3, see("x", 1)),
		}},
		{"a transaction that sees itself too early", "later", []transaction{
			at(0, 1, see("x", 1), add("x", 1)), at(4, 5, see("x", 1)),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(judgeTransactions(test.all), "\n")
			if (got == "") != (test.wrong == "") || !strings.Contains(got, test.wrong) {
				t.Errorf("got %q, want %q", got, test.wrong)
			}
		})
	}
}

// Histories of a counter whose verdict is known.
func TestJudgeCounter(t *testing.T) {
	incr := func(call, end, value int64) counting { return counting{call, end, true, true, value} }
	get := func(call, end, value int64) counting { return counting{call, end, false, true, value} }
	lost := func(call, end int64) counting { return counting{call: call, end: end, add: true} }
	for _, test := range []struct {
		name  string
		wrong string
		ops   []counting
	}{
		{"one after the other", "", []counting{incr(0, 1, 1), incr(2, 3, 2), get(4, 5, 2)}},
		{"at a time, in either order", "", []counting{incr(0, 9, 2), incr(1, 8, 1), get(10, 11, 2)}},
		{"without an answer it counts", "", []counting{lost(0, 1), incr(2, 3, 2)}},
		{"or later", "", []counting{lost(0, 1), incr(2, 3, 1), get(4, 5, 1), get(6, 7, 2)}},
		{"or never", "", []counting{lost(0, 1), get(6, 7, 0)}},
		{"lost", "least", []counting{incr(0, 1, 1), get(2, 3, 0)}},
		{"counted twice", "had been sent", []counting{incr(0, 1, 1), get(2, 3, 2)}},
		{"given twice", "two increments", []counting{incr(0, 9, 1), incr(0, 9, 1)}},
		{"backwards", "least", []counting{incr(0, 9, 1), lost(0, 1), get(2, 3, 2), get(4, 5, 1)}},
		{"before its time", "had been sent", []counting{get(0, 1, 1), incr(2, 3, 1)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(judgeCounter(slices.Clone(test.ops)), "\n")
			if (got == "") != (test.wrong == "") || !strings.Contains(got, test.wrong) {
				t.Errorf("got %q, want %q", got, test.wrong)
			}
		})
	}
}
