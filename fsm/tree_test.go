package fsm

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

type number int

func (a number) compare(b number) int { return cmp.Compare(a, b) }

// checkTree compares a tree with the sorted slice of what is in it.
func checkTree(t *testing.T, tree *tree[number], want []number) {
	t.Helper()
	if got := slices.Collect(tree.from(0)); !slices.Equal(got, want) {
		t.Fatalf("%d items, want %d, or others", len(got), len(want))
	}
	if tree.len() != len(want) {
		t.Fatalf("length %d, want %d", tree.len(), len(want))
	}
	for _, rank := range []int{0, 1, len(want) / 3, len(want) - 1} {
		if rank < 0 || rank >= len(want) {
			continue
		}
		if got := tree.at(rank); got != want[rank] {
			t.Fatalf("at(%d) is %v, want %v", rank, got, want[rank])
		}
		if got := slices.Collect(tree.from(rank)); !slices.Equal(got, want[rank:]) {
			t.Fatalf("from(%d) gives %d items", rank, len(got))
		}
		backward := slices.Collect(tree.backward(rank))
		slices.Reverse(backward)
		if !slices.Equal(backward, want[:rank+1]) {
			t.Fatalf("backward(%d) gives %d items", rank, len(backward))
		}
	}
	if tree.root != nil {
		checkNode(t, tree.root, true)
	}
}

func checkNode(t *testing.T, n *node[number], root bool) (height int) {
	t.Helper()
	count := len(n.items)
	if count > maxItems || !root && count < minItems {
		t.Fatalf("a node has %d items", count)
	}
	if n.children != nil {
		if len(n.children) != len(n.items)+1 {
			t.Fatalf("%d children beside %d items", len(n.children), len(n.items))
		}
		for i, child := range n.children {
			h := checkNode(t, child, false)
			if i > 0 && h != height {
				t.Fatalf("heights %d and %d", height, h)
			}
			height = h
			count += child.count
		}
	}
	if n.count != count {
		t.Fatalf("count %d, but there are %d", n.count, count)
	}
	return height + 1
}

// A tree does what a sorted slice does, and clones of it stay as they were.
func TestTree(t *testing.T) {
	for _, spread := range []int{10, 1000, 100000} {
		t.Run(fmt.Sprint(spread), func(t *testing.T) {
			rand := Rand{uint64(spread)}
			tree := newTree[number]()
			frozen := newTree[number]()
			var model, frozenModel []number
			for step := range 20000 {
				growing := step/4000%2 == 0
				n := number(rand.IntN(spread))
				i, there := slices.BinarySearch(model, n)
				if rank := tree.rank(n); rank != i {
					t.Fatalf("rank of %d is %d, want %d", n, rank, i)
				}
				if growing == (rand.IntN(10) != 0) {
					if _, replaced := tree.set(n); replaced != there {
						t.Fatalf("set %d: replaced %v", n, replaced)
					}
					if !there {
						model = slices.Insert(model, i, n)
					}
				} else {
					if _, deleted := tree.delete(n); deleted != there {
						t.Fatalf("delete %d: %v", n, deleted)
					}
					if there {
						model = slices.Delete(model, i, i+1)
					} else if len(model) > 0 {
						i := rand.IntN(len(model))
						if got := tree.deleteAt(i); got != model[i] {
							t.Fatalf("deleteAt(%d) is %d, want %d", i, got, model[i])
						}
						model = slices.Delete(model, i, i+1)
					}
				}
				if _, ok := tree.get(n); ok != slices.Contains(model, n) && spread == 10 {
					t.Fatalf("get %d: %v", n, ok)
				}
				if step%1000 == 999 {
					checkTree(t, tree, model)
					checkTree(t, frozen, frozenModel)
					frozen, frozenModel = tree, slices.Clone(model)
					tree = tree.clone()
				}
			}
		})
	}
}

// What arrives in order leaves nodes behind that are three quarters full.
func TestTreeInOrder(t *testing.T) {
	tree := newTree[number]()
	const n = 100000
	for i := range n {
		tree.set(number(i))
	}
	nodes, slots := 0, 0
	var visit func(*node[number])
	visit = func(n *node[number]) {
		nodes++
		slots += cap(n.items)
		for _, child := range n.children {
			visit(child)
		}
	}
	visit(tree.root)
	if fill := float64(n) / float64(slots); fill < 0.9 {
		t.Errorf("%d items take %d slots", n, slots)
	}
	if perNode := n / nodes; perNode < maxItems*2/3 {
		t.Errorf("%d items a node", perNode)
	}
}
