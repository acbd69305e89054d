package fsm

import (
	"encoding/binary"
	"fmt"
)

func (h *hash) rdbType() byte {
	if h.timed != nil {
		return rdbHashMetadata
	}
	return rdbHash
}

// writeRDB writes, with deadlines:
//
//	earliest deadline u64 | count | { deadline | name | value }
//
// where the deadline of a field is 0 for none, or how much later than the earliest, and 1
// more. Without, it is the count, names and values.
func (h *hash) writeRDB(w *rdbWriter) {
	if h.timed != nil {
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(h.timed.next))
	}
	w.length(h.len())
	for f := range h.all() {
		if h.timed != nil {
			after := 0
			if f.deadline != 0 {
				after = int(f.deadline-h.timed.next) + 1
			}
			w.length(after)
		}
		w.string(f.name)
		w.string(f.value)
		w.pause()
	}
}

func loadHash(r *rdbReader) (value, error) { return r.hash(nil) }

func loadHashMetadata(r *rdbReader) (value, error) {
	b, err := r.fixed(8)
	if err != nil {
		return nil, err
	}
	earliest := Millis(binary.LittleEndian.Uint64(b))
	return r.hash(&earliest)
}

// loadHashMetadataPre reads a hash whose deadlines stand for themselves.
func loadHashMetadataPre(r *rdbReader) (value, error) {
	earliest := Millis(1)
	return r.hash(&earliest)
}

// loadHashOf makes the loader of hashes that are one piece of memory.
func loadHashOf(unpack unpacker) func(r *rdbReader) (value, error) {
	return func(r *rdbReader) (value, error) {
		b := newHashBuilder()
		err := r.groups(2, unpack, func(field [][]byte) error {
			return b.add(hashField{name: field[0], value: field[1]})
		})
		if err != nil {
			return nil, err
		}
		return b.hash()
	}
}

func loadHashListpackEx(r *rdbReader) (value, error) {
	if _, err := r.fixed(8); err != nil { // the earliest deadline
		return nil, err
	}
	return loadHashListpackPre(r)
}

// loadHashListpackPre reads a hash of names, values and deadlines, 0 for none.
func loadHashListpackPre(r *rdbReader) (value, error) {
	b := newHashBuilder()
	err := r.groups(3, unpackListpack, func(field [][]byte) error {
		deadline, ok := parseInt(field[2])
		if !ok {
			return fmt.Errorf("field %q has the deadline %q", field[0], field[2])
		}
		return b.add(hashField{name: field[0], value: field[1], deadline: Millis(deadline)})
	})
	if err != nil {
		return nil, err
	}
	return b.hash()
}

// hash reads the fields; each with a deadline before it if there is an earliest one.
func (r *rdbReader) hash(earliest *Millis) (value, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	b := newHashBuilder()
	for range n {
		var f hashField
		if earliest != nil {
			after, err := r.length()
			if err != nil {
				return nil, err
			}
			if after > uint64(maxFieldDeadline) {
				return nil, fmt.Errorf("field with a deadline %d ms after the first", after)
			}
			if after != 0 {
				f.deadline = *earliest + Millis(after) - 1
			}
		}
		if f.name, err = r.string(); err != nil {
			return nil, err
		}
		if f.value, err = r.string(); err != nil {
			return nil, err
		}
		if err := b.add(f); err != nil {
			return nil, err
		}
	}
	return b.hash()
}

// hashBuilder makes a hash of fields that come from a file.
type hashBuilder struct{ h *hash }

func newHashBuilder() *hashBuilder { return &hashBuilder{newHash()} }

// add puts in a field, which is copied.
func (b *hashBuilder) add(f hashField) error {
	if f.deadline < 0 || f.deadline > maxFieldDeadline {
		return fmt.Errorf("field %q has the deadline %d", f.name, f.deadline)
	}
	if _, twice := b.h.set(f); twice {
		return fmt.Errorf("field %q is there twice", f.name)
	}
	return nil
}

// hash returns the hash of all the fields that were added.
func (b *hashBuilder) hash() (*hash, error) {
	if b.h.timed != nil {
		b.h.retime()
	}
	return b.h, notEmpty(b.h.len())
}
