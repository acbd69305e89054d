package fsm

import (
	"iter"
	"slices"
)

// tree is an ordered set as a counted B-tree: besides finding an item it tells the
// rank of one, and the item of a rank, in logarithmic time (Bayer and McCreight,
// "Organization and Maintenance of Large Ordered Indexes", 1972; counts as in the
// order-statistic trees of Cormen et al., chapter 14).
//
// A clone takes constant time and shares nodes: a tree changes only nodes that it owns
// and copies the others first.
type tree[T ordered[T]] struct {
	root  *node[T] // nil when empty
	owner *owner
}

// ordered is a total order; items that compare as 0 are the same to the tree.
type ordered[T any] interface{ compare(T) int }

// owner is the identity of a tree, for its nodes. It has a size so that no two share
// an address.
type owner struct{ _ byte }

type node[T any] struct {
	owner    *owner
	items    []T
	children []*node[T] // nil in a leaf, else one more than items
	count    int        // items here and below
}

const (
	maxItems = 64
	minItems = maxItems / 4 // fewer than half, so that sets and deletes in turn do not split and merge in turn
)

func newTree[T ordered[T]]() *tree[T] { return &tree[T]{owner: new(owner)} }

// clone returns a tree of the same items. The original must not be changed any more.
func (t *tree[T]) clone() *tree[T] { return &tree[T]{root: t.root, owner: new(owner)} }

func (t *tree[T]) len() int {
	if t.root == nil {
		return 0
	}
	return t.root.count
}

// find returns where item is in the node, or where it would be.
func (n *node[T]) find(item T, compare func(a, b T) int) (int, bool) {
	return slices.BinarySearchFunc(n.items, item, compare)
}

func compare[T ordered[T]](a, b T) int { return a.compare(b) }

// get returns the item that is the same as key to the order.
func (t *tree[T]) get(key T) (item T, ok bool) {
	for n := t.root; n != nil; {
		i, found := n.find(key, compare[T])
		if found {
			return n.items[i], true
		}
		if n.children == nil {
			break
		}
		n = n.children[i]
	}
	return item, false
}

// own returns a node that the tree may change, in the place of n.
func (t *tree[T]) own(n *node[T]) *node[T] {
	if n.owner == t.owner {
		return n
	}
	return &node[T]{owner: t.owner, items: slices.Clone(n.items), children: slices.Clone(n.children), count: n.count}
}

// set puts an item in, in the place of the one that is the same to the order.
func (t *tree[T]) set(item T) (old T, replaced bool) {
	if t.root == nil {
		t.root = &node[T]{owner: t.owner, items: []T{item}, count: 1}
		return old, false
	}
	t.root = t.own(t.root)
	old, replaced = t.setIn(t.root, item)
	if len(t.root.items) > maxItems {
		root := &node[T]{owner: t.owner, children: []*node[T]{t.root}, count: t.root.count}
		t.split(root, 0)
		t.root = root
	}
	return old, replaced
}

func (t *tree[T]) setIn(n *node[T], item T) (old T, replaced bool) {
	i, found := n.find(item, compare[T])
	switch {
	case found:
		old, n.items[i] = n.items[i], item
		return old, true
	case n.children == nil:
		if len(n.items) == cap(n.items) { // in small steps: most nodes are not full
			n.items = append(make([]T, 0, len(n.items)+1+len(n.items)/4), n.items...)
		}
		n.items = slices.Insert(n.items, i, item)
	default:
		n.children[i] = t.own(n.children[i])
		if old, replaced = t.setIn(n.children[i], item); replaced {
			return old, true
		}
		if len(n.children[i].items) > maxItems {
			t.split(n, i)
		}
	}
	n.count++
	return old, false
}

// split divides the i-th child of n, which is too full. Items that arrive in order
// leave nearly full nodes behind: the last node of a level is cut near its end.
func (t *tree[T]) split(n *node[T], i int) {
	middle := len(n.children[i].items) / 2
	if i == len(n.children)-1 {
		middle = len(n.children[i].items) - minItems
	}
	t.cut(n, i, middle)
}

// cut divides the i-th child of n, which the tree owns, at one of its items.
func (t *tree[T]) cut(n *node[T], i, at int) {
	child := n.children[i]
	item := child.items[at]
	right := &node[T]{owner: t.owner, items: slices.Clone(child.items[at+1:])}
	child.items = slices.Clone(child.items[:at])
	if child.children != nil {
		right.children = slices.Clone(child.children[at+1:])
		child.children = slices.Clone(child.children[:at+1])
	}
	child.recount()
	right.recount()
	n.items = slices.Insert(n.items, i, item)
	n.children = slices.Insert(n.children, i+1, right)
}

func (n *node[T]) recount() {
	n.count = len(n.items)
	for _, child := range n.children {
		n.count += child.count
	}
}

// delete takes an item out.
func (t *tree[T]) delete(key T) (item T, ok bool) {
	if _, ok = t.get(key); !ok {
		return item, false
	}
	t.root = t.own(t.root)
	item = t.deleteIn(t.root, key)
	t.shrink()
	return item, true
}

// deleteAt takes out the item of a rank that exists.
func (t *tree[T]) deleteAt(rank int) T {
	item, _ := t.delete(t.at(rank))
	return item
}

// shrink takes away a root without items.
func (t *tree[T]) shrink() {
	if len(t.root.items) > 0 {
		return
	}
	if t.root.children == nil {
		t.root = nil
	} else {
		t.root = t.root.children[0]
	}
}

// deleteIn takes key, which is there, out of n.
func (t *tree[T]) deleteIn(n *node[T], key T) (item T) {
	i, found := n.find(key, compare[T])
	n.count--
	if n.children == nil {
		item = n.items[i]
		n.items = slices.Delete(n.items, i, i+1)
		return item
	}
	n.children[i] = t.own(n.children[i])
	if found { // the item before it takes its place
		item = n.items[i]
		n.items[i] = t.deleteLast(n.children[i])
	} else {
		item = t.deleteIn(n.children[i], key)
	}
	t.balance(n, i)
	return item
}

func (t *tree[T]) deleteLast(n *node[T]) (item T) {
	n.count--
	last := len(n.items) - 1
	if n.children == nil {
		item = n.items[last]
		n.items = slices.Delete(n.items, last, last+1)
		return item
	}
	n.children[last+1] = t.own(n.children[last+1])
	item = t.deleteLast(n.children[last+1])
	t.balance(n, last+1)
	return item
}

// balance joins the i-th child of n, where it has become too small, with the one
// beside it, and divides what is too much for one.
func (t *tree[T]) balance(n *node[T], i int) {
	if len(n.children[i].items) >= minItems {
		return
	}
	if i > 0 {
		i--
	}
	left, right := t.own(n.children[i]), n.children[i+1]
	left.items = append(append(slices.Clip(left.items), n.items[i]), right.items...)
	if left.children != nil {
		left.children = append(slices.Clip(left.children), right.children...)
	}
	left.recount()
	n.children[i] = left
	n.items = slices.Delete(n.items, i, i+1)
	n.children = slices.Delete(n.children, i+1, i+2)
	if len(left.items) > maxItems/2+minItems {
		t.cut(n, i, len(left.items)/2)
	}
}

// at returns the item of a rank, which must be from 0 to len-1.
func (t *tree[T]) at(rank int) T {
	n := t.root
descend:
	for n.children != nil {
		for i, child := range n.children {
			if rank < child.count {
				n = child
				continue descend
			}
			if rank -= child.count; rank == 0 && i < len(n.items) {
				return n.items[i]
			}
			rank--
		}
		panic("fsm: rank beyond the tree")
	}
	return n.items[rank]
}

// rank returns how many items are before a key in the order.
func (t *tree[T]) rank(key T) int {
	return t.search(func(item T) bool { return item.compare(key) < 0 })
}

// search returns how many items before holds for. It must hold for the first items of
// the order and for no others.
func (t *tree[T]) search(before func(T) bool) (rank int) {
	for n := t.root; n != nil; {
		low, high := 0, len(n.items)
		for low < high {
			if middle := int(uint(low+high) >> 1); before(n.items[middle]) {
				low = middle + 1
			} else {
				high = middle
			}
		}
		if n.children == nil {
			return rank + low
		}
		for _, child := range n.children[:low] {
			rank += child.count + 1
		}
		n = n.children[low]
	}
	return rank
}

// from visits the items from a rank on, in order. The tree must not change meanwhile.
func (t *tree[T]) from(rank int) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.root.visit(max(rank, 0), yield)
		}
	}
}

// visit passes over skip items and visits the others until yield returns false.
func (n *node[T]) visit(skip int, yield func(T) bool) bool {
	if n.children == nil {
		for _, item := range n.items[min(skip, len(n.items)):] {
			if !yield(item) {
				return false
			}
		}
		return true
	}
	for i, child := range n.children {
		if skip >= child.count {
			skip -= child.count
		} else {
			if !child.visit(skip, yield) {
				return false
			}
			skip = 0
		}
		if i == len(n.items) {
			break
		}
		if skip > 0 {
			skip--
		} else if !yield(n.items[i]) {
			return false
		}
	}
	return true
}

// backward visits the items from a rank down to the first.
func (t *tree[T]) backward(rank int) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.root.visitBackward(max(t.root.count-1-rank, 0), yield)
		}
	}
}

func (n *node[T]) visitBackward(skip int, yield func(T) bool) bool {
	if n.children == nil {
		for i := len(n.items) - 1 - skip; i >= 0; i-- {
			if !yield(n.items[i]) {
				return false
			}
		}
		return true
	}
	for i := len(n.children) - 1; i >= 0; i-- {
		child := n.children[i]
		if skip >= child.count {
			skip -= child.count
		} else {
			if !child.visitBackward(skip, yield) {
				return false
			}
			skip = 0
		}
		if i == 0 {
			break
		}
		if skip > 0 {
			skip--
		} else if !yield(n.items[i-1]) {
			return false
		}
	}
	return true
}
