package fsm

import "fmt"

// What a module has written is made of fields that tell their kind.
const (
	moduleEnd = iota
	moduleSigned
	moduleUnsigned
	moduleFloat
	moduleDouble
	moduleString
)

// skipModule passes over the value of a module: its id, fields, and an end.
func (r *rdbReader) skipModule() error {
	if err := r.lengths(1); err != nil {
		return err
	}
	return r.skipModuleFields()
}

// skipModuleAux passes over what a module keeps beside its values: its id, when it is to be
// read, fields, and an end.
func (r *rdbReader) skipModuleAux() error {
	if err := r.lengths(1); err != nil {
		return err
	}
	kind, err := r.length()
	if err != nil {
		return err
	}
	if kind != moduleUnsigned {
		return fmt.Errorf("a module's field of kind %d instead of %d", kind, moduleUnsigned)
	}
	if err := r.lengths(1); err != nil {
		return err
	}
	return r.skipModuleFields()
}

func (r *rdbReader) skipModuleFields() error {
	for {
		kind, err := r.length()
		if err != nil {
			return err
		}
		switch kind {
		case moduleEnd:
			return nil
		case moduleSigned, moduleUnsigned:
			err = r.lengths(1)
		case moduleFloat:
			_, err = r.fixed(4)
		case moduleDouble:
			_, err = r.fixed(8)
		case moduleString:
			_, err = r.string()
		default:
			err = fmt.Errorf("a module's field of unknown kind %d", kind)
		}
		if err != nil {
			return err
		}
	}
}

// skipStream passes over a stream:
//
//	count | { first id, entries }                             pieces of memory
//	length | last id | [first id | last deleted id | added]   numbers, an id is two
//	count | { name | last id | [entries read] | count | { id, time, deliveries } |
//	          count | { name | seen | [active] | count | { id } } }
//
// What is in brackets came with later versions: the last with 3, the others with 2.
func skipStream(version int) func(r *rdbReader) error {
	return func(r *rdbReader) error {
		numbers, groupNumbers, times := 3, 2, 8
		if version >= 2 {
			numbers, groupNumbers = 8, 3
		}
		if version >= 3 {
			times = 16
		}
		if err := r.repeat(func() error { return r.strings(2) }); err != nil {
			return err
		}
		if err := r.lengths(numbers); err != nil {
			return err
		}
		consumer := func() error {
			if err := r.strings(1); err != nil {
				return err
			}
			if _, err := r.fixed(times); err != nil {
				return err
			}
			return r.repeat(func() error {
				_, err := r.fixed(16)
				return err
			})
		}
		pending := func() error {
			for _, size := range []int{16, 8} {
				if _, err := r.fixed(size); err != nil {
					return err
				}
			}
			return r.lengths(1)
		}
		return r.repeat(func() error {
			if err := r.strings(1); err != nil {
				return err
			}
			if err := r.lengths(groupNumbers); err != nil {
				return err
			}
			if err := r.repeat(pending); err != nil {
				return err
			}
			return r.repeat(consumer)
		})
	}
}

// repeat reads a number and does something so many times.
func (r *rdbReader) repeat(do func() error) error {
	n, err := r.length()
	if err != nil {
		return err
	}
	for range n {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (r *rdbReader) strings(n int) error {
	for range n {
		if _, err := r.string(); err != nil {
			return err
		}
	}
	return nil
}
