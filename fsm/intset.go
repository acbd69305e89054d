package fsm

import (
	"encoding/binary"
	"math"
	"slices"
)

// intset is a short set of integers in ascending order, each in as many bytes as the
// widest needs, as Redis holds them.
type intset struct {
	b      []byte
	width  int  // 2, 4 or 8 bytes
	shared bool // b is another's as well: copy before changing it in place
}

// maxInts is how many integers a set holds in this form (Redis: set-max-intset-entries).
const maxInts = 512

func (s *intset) len() int {
	if s.width == 0 {
		return 0
	}
	return len(s.b) / s.width
}

func (s intset) clone() intset { return intset{b: slices.Clip(s.b), width: s.width, shared: true} }

func (s *intset) at(i int) int64 {
	b := s.b[i*s.width:]
	switch s.width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// find returns where n is, or where it would be.
func (s *intset) find(n int64) (int, bool) {
	low, high := 0, s.len()
	for low < high {
		if middle := int(uint(low+high) >> 1); s.at(middle) < n {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < s.len() && s.at(low) == n
}

func widthOf(n int64) int {
	switch {
	case n >= math.MinInt16 && n <= math.MaxInt16:
		return 2
	case n >= math.MinInt32 && n <= math.MaxInt32:
		return 4
	}
	return 8
}

// add puts n in and reports whether it was not there.
func (s *intset) add(n int64) bool {
	at, found := s.find(n)
	if found {
		return false
	}
	if width := widthOf(n); width > s.width {
		wide := intset{width: width, b: make([]byte, 0, (s.len()+1)*width)}
		for i := range s.len() {
			wide.b = appendInt(wide.b, s.at(i), width)
		}
		*s = wide
	}
	s.own(s.width)
	s.b = slices.Insert(s.b, at*s.width, appendInt(make([]byte, 0, 8), n, s.width)...)
	return true
}

// remove takes n out and reports whether it was there. The others keep their width.
func (s *intset) remove(n int64) bool {
	at, found := s.find(n)
	if found {
		s.own(0)
		s.b = slices.Delete(s.b, at*s.width, (at+1)*s.width)
	}
	return found
}

// own makes the bytes this set's alone, with room for some more.
func (s *intset) own(room int) {
	if s.shared || cap(s.b)-len(s.b) < room {
		s.b, s.shared = append(make([]byte, 0, len(s.b)+room+len(s.b)/8), s.b...), false
	}
}

func appendInt(b []byte, n int64, width int) []byte {
	switch width {
	case 2:
		return binary.LittleEndian.AppendUint16(b, uint16(n))
	case 4:
		return binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}
