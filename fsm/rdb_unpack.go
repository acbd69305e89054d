package fsm

import "fmt"

// Redis writes a small collection as the piece of memory in which it holds it. An unpacker
// visits the elements of such a piece, each valid until the next: integers come as their
// digits. It checks all of the piece, and says at which offset it is damaged.
type unpacker func(piece []byte, visit func(element []byte) error) error

// piece reads a string and unpacks it.
func (r *rdbReader) piece(unpack unpacker, visit func(element []byte) error) error {
	piece, err := r.string()
	if err != nil {
		return err
	}
	return unpack(piece, visit)
}

// groups is piece for elements of which several belong together: a field and its value.
func (r *rdbReader) groups(size int, unpack unpacker, visit func(group [][]byte) error) error {
	group, n := make([][]byte, size), 0
	err := r.piece(unpack, func(element []byte) error {
		group[n%size] = append(group[n%size][:0], element...)
		n++
		if n%size == 0 {
			return visit(group)
		}
		return nil
	})
	if err == nil && n%size != 0 {
		err = fmt.Errorf("%d elements, where %d belong together", n, size)
	}
	return err
}

// A damaged is an error in a piece of memory.
func damaged(form string, piece []byte, at int, problem string) error {
	return fmt.Errorf("%s of %d bytes, damaged at %d: %s", form, len(piece), at, problem)
}
