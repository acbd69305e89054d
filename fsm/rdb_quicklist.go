package fsm

import "fmt"

// A list is written by Redis as ziplists or listpacks one after the other.

func loadListZiplist(r *rdbReader) (value, error) {
	l := newList()
	if err := r.piece(unpackZiplist, l.append); err != nil {
		return nil, err
	}
	return l, notEmpty(l.n)
}

func loadQuicklist(r *rdbReader) (value, error) {
	return r.list(func(l *list) error { return r.piece(unpackZiplist, l.append) })
}

// loadQuicklist2 reads a list whose nodes have a byte before them: 1 where the node is one
// long element, 2 where it is a listpack.
func loadQuicklist2(r *rdbReader) (value, error) {
	return r.list(func(l *list) error {
		form, err := r.length()
		switch {
		case err != nil:
			return err
		case form == 1:
			element, err := r.string()
			if err != nil {
				return err
			}
			return l.append(element)
		case form == 2:
			return r.piece(unpackListpack, l.append)
		}
		return fmt.Errorf("node of unknown form %d", form)
	})
}

// list reads the parts of a list behind their number, each of which adds elements to it. A
// part may have none: Redis has written those.
func (r *rdbReader) list(part func(*list) error) (value, error) {
	l := newList()
	if err := r.repeat(func() error { return part(l) }); err != nil {
		return nil, err
	}
	return l, notEmpty(l.n)
}

// append adds a copy of an element at the end.
func (l *list) append(element []byte) error {
	l.insert(l.n, element)
	return nil
}
