package fsm

import "slices"

// list is a sequence of strings in chunks, as Redis's quicklist is. Chunks know whose
// they are: a list changes only its own, and copies the others first.
type list struct {
	chunks []*chunk // none is empty
	n      int      // elements
	owner  *owner
	shared bool // chunks, the slice, is another's as well
}

type chunk struct {
	owner *owner
	packed
}

// A chunk is divided when it has more of either. One element alone may be longer.
const (
	chunkElements = 128
	chunkBytes    = 4 << 10
)

func newList() *list { return &list{owner: new(owner)} }

func (l *list) kind() string     { return "list" }
func (l *list) encoding() string { return "quicklist" }
func (l *list) rdbType() byte    { return rdbList }

func (l *list) clone() value {
	return &list{chunks: l.chunks, n: l.n, owner: new(owner), shared: true}
}

func (l *list) writeRDB(w *rdbWriter) {
	w.length(l.n)
	for _, c := range l.chunks {
		for offset := 0; offset < len(c.b); {
			var element []byte
			element, offset = c.at(offset)
			w.string(element)
			w.pause()
		}
	}
}

func loadList(r *rdbReader) (value, error) {
	return r.list(func(l *list) error {
		element, err := r.string()
		if err != nil {
			return err
		}
		return l.append(element)
	})
}

// own returns the i-th chunk in a form that only this list has.
func (l *list) own(i int) *chunk {
	l.ownSlice()
	c := l.chunks[i]
	if c.owner != l.owner {
		c = &chunk{l.owner, c.packed.clone()}
		l.chunks[i] = c
	}
	return c
}

func (l *list) ownSlice() {
	if l.shared {
		l.chunks, l.shared = slices.Clone(l.chunks), false
	}
}

// locate returns the chunk of an index and the index within it; an index of n is behind
// the last element of the last chunk.
func (l *list) locate(index int) (i, within int) {
	if index > l.n/2 { // from the end
		end := l.n
		for i := len(l.chunks) - 1; i >= 0; i-- {
			if end -= l.chunks[i].n; index >= end {
				return i, index - end
			}
		}
	}
	for i, c := range l.chunks {
		if index < c.n {
			return i, index
		}
		index -= c.n
	}
	return len(l.chunks), 0
}

// at returns the element at an index that exists; it is valid until the list changes.
func (l *list) at(index int) []byte {
	i, within := l.locate(index)
	c := l.chunks[i]
	element, _ := c.packed.at(c.skip(0, within))
	return element
}

// insert puts an element before the one at an index, or at the end.
func (l *list) insert(index int, element []byte) {
	l.ownSlice()
	i, within := l.locate(index)
	l.n++
	switch {
	case i < len(l.chunks) && l.chunks[i].hasRoom(element):
	case within == 0 && i > 0 && l.chunks[i-1].hasRoom(element):
		i--
		within = l.chunks[i].n
	case within > 0 && within < l.chunks[i].n:
		l.divide(i, within)
		if !l.chunks[i].hasRoom(element) {
			i, within = i+1, 0
			l.chunks = slices.Insert(l.chunks, i, &chunk{owner: l.owner})
		}
	default:
		if within > 0 { // behind the chunk
			i, within = i+1, 0
		}
		l.chunks = slices.Insert(l.chunks, i, &chunk{owner: l.owner})
	}
	c := l.own(i)
	c.splice(c.skip(0, within), 0, element)
}

func (c *chunk) hasRoom(element []byte) bool {
	return c.n == 0 || c.n < chunkElements && len(c.b)+len(element) < chunkBytes
}

// divide cuts a chunk in two before an element of it.
func (l *list) divide(i, within int) {
	c := l.chunks[i]
	offset := c.skip(0, within)
	first := &chunk{l.owner, packed{b: slices.Clone(c.b[:offset]), n: within}}
	second := &chunk{l.owner, packed{b: slices.Clone(c.b[offset:]), n: c.n - within}}
	l.chunks[i] = first
	l.chunks = slices.Insert(l.chunks, i+1, second)
}

// set replaces the element at an index that exists.
func (l *list) set(index int, element []byte) {
	i, within := l.locate(index)
	c := l.own(i)
	c.splice(c.skip(0, within), 1, element)
	if len(c.b) > 2*chunkBytes && c.n > 1 {
		l.divide(i, c.n/2)
	}
}

// remove takes out count elements from an index on; all of them exist.
func (l *list) remove(index, count int) {
	for count > 0 {
		i, within := l.locate(index)
		n := min(count, l.chunks[i].n-within)
		count -= n
		l.n -= n
		if n == l.chunks[i].n {
			l.ownSlice()
			l.chunks = slices.Delete(l.chunks, i, i+1)
			continue
		}
		c := l.own(i)
		c.splice(c.skip(0, within), n)
		l.merge(i)
	}
}

// merge joins a chunk with the one behind it while both are small.
func (l *list) merge(i int) {
	if i+1 == len(l.chunks) {
		i--
	}
	if i < 0 || l.chunks[i].n+l.chunks[i+1].n > chunkElements/2 || len(l.chunks[i].b)+len(l.chunks[i+1].b) > chunkBytes/2 {
		return
	}
	next := l.chunks[i+1]
	c := l.own(i)
	c.packed = packed{b: slices.Concat(c.b, next.b), n: c.n + next.n}
	l.chunks = slices.Delete(l.chunks, i+1, i+2)
}

// forward visits the elements from an index on.
func (l *list) forward(index int, visit func(index int, element []byte) bool) {
	if index >= l.n {
		return
	}
	i, within := l.locate(index)
	for ; i < len(l.chunks); i, within = i+1, 0 {
		c := l.chunks[i]
		for offset := c.skip(0, within); offset < len(c.b); index++ {
			element, next := c.packed.at(offset)
			if !visit(index, element) {
				return
			}
			offset = next
		}
	}
}

// backward visits the elements from an index down to the first.
func (l *list) backward(index int, visit func(index int, element []byte) bool) {
	if l.n == 0 {
		return
	}
	i, within := l.locate(min(index, l.n-1))
	offsets := make([]int, 0, chunkElements) // of a chunk's elements
	for index = min(index, l.n-1); i >= 0; i-- {
		c := l.chunks[i]
		offsets = offsets[:0]
		for offset := 0; offset < len(c.b) && len(offsets) <= within; {
			offsets = append(offsets, offset)
			_, offset = c.packed.at(offset)
		}
		for k := len(offsets) - 1; k >= 0; k-- {
			element, _ := c.packed.at(offsets[k])
			if !visit(index, element) {
				return
			}
			index--
		}
		if i > 0 {
			within = l.chunks[i-1].n - 1
		}
	}
}
