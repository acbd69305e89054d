package fsm

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// packed is a short sequence of byte strings in one piece of memory, one after the
// other behind its length as a uvarint: what a small collection is held in, as Redis
// holds it in a listpack. Elements are found by walking, so it suits some hundred of
// them. Elements go by their offset; the offset of the end is len(b).
type packed struct {
	b      []byte
	n      int  // elements
	shared bool // b is another's as well: copy before changing it in place
}

// clone returns a sequence that shares its bytes until it changes. The original must
// not be changed any more.
func (p packed) clone() packed { return packed{b: p.b[:len(p.b):len(p.b)], n: p.n, shared: true} }

// at returns the element at an offset, which must not be the end, and the offset of
// what follows. The element is only valid until the sequence changes.
func (p *packed) at(offset int) (element []byte, next int) {
	size, n := uint64(p.b[offset]), 1
	if size >= 0x80 {
		size, n = binary.Uvarint(p.b[offset:])
	}
	next = offset + n + int(size)
	return p.b[offset+n : next : next], next
}

// find returns the offset of the first element equal to s among the first of every
// step elements: 2 looks only at the fields of a sequence of fields and values.
func (p *packed) find(s []byte, step int) (offset int, ok bool) {
	for i, offset := 0, 0; offset < len(p.b); i++ {
		element, next := p.at(offset)
		if i%step == 0 && bytes.Equal(element, s) {
			return offset, true
		}
		offset = next
	}
	return len(p.b), false
}

// skip returns the offset behind n elements from an offset on.
func (p *packed) skip(offset, n int) int {
	for range n {
		_, offset = p.at(offset)
	}
	return offset
}

// splice puts elements, which must not be the sequence's own, in the place of the
// removed ones from an offset on.
func (p *packed) splice(offset, removed int, elements ...[]byte) {
	end := p.skip(offset, removed)
	size := 0
	for _, s := range elements {
		size += uvarintLen(len(s)) + len(s)
	}
	if p.shared || len(p.b)+size-(end-offset) > cap(p.b) {
		// A little room only: most collections are read more often than changed.
		room := max(len(p.b), len(p.b)+size-(end-offset))
		p.b, p.shared = append(make([]byte, 0, room+room/8), p.b...), false
	}
	tail := len(p.b) - end
	if delta := size - (end - offset); delta > 0 {
		p.b = p.b[:len(p.b)+delta]
	}
	copy(p.b[offset+size:], p.b[end:end+tail])
	p.b = p.b[:offset+size+tail]
	p.n += len(elements) - removed
	at := p.b[:offset]
	for _, s := range elements {
		at = append(binary.AppendUvarint(at, uint64(len(s))), s...)
	}
}

// push appends elements.
func (p *packed) push(elements ...[]byte) { p.splice(len(p.b), 0, elements...) }

// elements lists copies of all elements.
func (p *packed) elements() [][]byte {
	list := make([][]byte, 0, p.n)
	for offset := 0; offset < len(p.b); {
		element, next := p.at(offset)
		list = append(list, slices.Clone(element))
		offset = next
	}
	return list
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
