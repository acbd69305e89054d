package fsm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// set is a set of strings in one of three forms, which its content decides: integers
// alone, up to maxInts of them; few and short members, packed; or a tree. Members are in
// ascending order in the first form, in the order of their hashes in the others, so that
// it is no matter what a set has been through.
type set struct {
	form  setForm
	ints  intset
	small packed
	tree  *tree[member]

	n     int
	texts int // members that are no integers
	long  int // members that are longer than maxPackedBytes
}

type setForm uint8

const (
	intsForm setForm = iota
	packedForm
	treeForm
)

// The limits of what is held packed (Redis: zset-max-listpack-entries and -value).
const (
	maxPacked      = 128
	maxPackedBytes = 64
)

// member is a string with its hash, which orders it.
type member struct {
	hash uint64
	s    string
}

func newMember[T string | []byte](s T) member { return member{hashOf([]byte(s)), string(s)} }

func (a member) compare(b member) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	return strings.Compare(a.s, b.s)
}

func newSet() *set { return &set{} }

func (s *set) kind() string  { return "set" }
func (s *set) rdbType() byte { return rdbSet }

func (s *set) encoding() string {
	if s.form == intsForm {
		return "intset"
	}
	return "hashtable"
}

func (s *set) clone() value {
	c := *s
	c.ints, c.small = s.ints.clone(), s.small.clone()
	if s.tree != nil {
		c.tree = s.tree.clone()
	}
	return &c
}

func (s *set) writeRDB(w *rdbWriter) {
	w.length(s.n)
	s.each(func(m []byte) bool {
		w.string(m)
		w.pause()
		return true
	})
}

func loadSet(r *rdbReader) (value, error) {
	s := newSet()
	err := r.repeat(func() error {
		m, err := r.string()
		if err != nil {
			return err
		}
		return s.addOnce(m)
	})
	if err != nil {
		return nil, err
	}
	return s, notEmpty(s.n)
}

// loadSetOf makes the loader of sets that are one piece of memory.
func loadSetOf(unpack unpacker) func(r *rdbReader) (value, error) {
	return func(r *rdbReader) (value, error) {
		s := newSet()
		if err := r.piece(unpack, s.addOnce); err != nil {
			return nil, err
		}
		return s, notEmpty(s.n)
	}
}

// addOnce is add for members that come from a file.
func (s *set) addOnce(m []byte) error {
	if !s.add(m) {
		return fmt.Errorf("member %q is there twice", m)
	}
	return nil
}

// wanted is the form that the content asks for.
func (s *set) wanted() setForm {
	switch {
	case s.texts == 0 && s.n <= maxInts:
		return intsForm
	case s.long == 0 && s.n <= maxPacked:
		return packedForm
	}
	return treeForm
}

// count keeps the numbers that decide the form.
func (s *set) count(m []byte, by int) {
	s.n += by
	if !isInt(m) {
		s.texts += by
	}
	if len(m) > maxPackedBytes {
		s.long += by
	}
}

// reform changes to the form that the content asks for.
func (s *set) reform() {
	form := s.wanted()
	if form == s.form {
		return
	}
	to := set{form: form, n: s.n, texts: s.texts, long: s.long}
	if form == treeForm {
		to.tree = newTree[member]()
	}
	s.each(func(m []byte) bool { to.insert(m); return true })
	*s = to
}

// has reports whether m is a member.
func (s *set) has(m []byte) bool {
	switch s.form {
	case intsForm:
		n, ok := parseInt(m)
		if ok {
			_, ok = s.ints.find(n)
		}
		return ok
	case packedForm:
		_, ok := s.small.find(m, 1)
		return ok
	}
	_, ok := s.tree.get(newMember(m))
	return ok
}

// add puts m in and reports whether it was no member.
func (s *set) add(m []byte) bool {
	if s.has(m) {
		return false
	}
	s.count(m, 1)
	s.reform()
	s.insert(m)
	return true
}

// insert puts in what is not there, and fits the form.
func (s *set) insert(m []byte) {
	switch s.form {
	case intsForm:
		n, _ := parseInt(m)
		s.ints.add(n)
	case packedForm:
		s.small.splice(s.place(newMember(m)), 0, m)
	default:
		s.tree.set(newMember(m))
	}
}

// place is the offset in the packed form where a member belongs.
func (s *set) place(m member) (offset int) {
	for offset < len(s.small.b) {
		element, next := s.small.at(offset)
		if newMember(element).compare(m) > 0 {
			break
		}
		offset = next
	}
	return offset
}

// remove takes m out and reports whether it was a member.
func (s *set) remove(m []byte) bool {
	if !s.has(m) {
		return false
	}
	switch s.form {
	case intsForm:
		n, _ := parseInt(m)
		s.ints.remove(n)
	case packedForm:
		offset, _ := s.small.find(m, 1)
		s.small.splice(offset, 1)
	default:
		s.tree.delete(newMember(m))
	}
	s.count(m, -1)
	s.reform()
	return true
}

// at returns the i-th member.
func (s *set) at(i int) []byte {
	switch s.form {
	case intsForm:
		return strconv.AppendInt(nil, s.ints.at(i), 10)
	case packedForm:
		element, _ := s.small.at(s.small.skip(0, i))
		return append([]byte(nil), element...)
	}
	return []byte(s.tree.at(i).s)
}

// each visits the members until visit returns false. They are valid during the visit.
func (s *set) each(visit func(m []byte) bool) {
	switch s.form {
	case intsForm:
		var buf [20]byte
		for i := range s.ints.len() {
			if !visit(strconv.AppendInt(buf[:0], s.ints.at(i), 10)) {
				return
			}
		}
	case packedForm:
		for offset := 0; offset < len(s.small.b); {
			element, next := s.small.at(offset)
			if !visit(element) {
				return
			}
			offset = next
		}
	default:
		for m := range s.tree.from(0) {
			if !visit([]byte(m.s)) {
				return
			}
		}
	}
}
