package fsm

import (
	"errors"
	"io"
	"iter"
)

// DumpedKey is a key of an RDB file, for those who carry it elsewhere.
type DumpedKey struct {
	DB       uint64
	Key      []byte
	Deadline Millis // 0 means never
	Type     string // as TYPE answers; "stream" or "module value" where that has no place here
	Empty    bool   // a collection without elements: some versions of Redis have written those

	value value // nil where it has no place here
}

// Foreign reports whether there is no place here for the value, whose type is in Type.
func (k *DumpedKey) Foreign() bool { return k.value == nil && !k.Empty }

// Text is the value of a string; false for any other.
func (k *DumpedKey) Text() ([]byte, bool) {
	s, ok := k.value.(*str)
	if !ok {
		return nil, false
	}
	return s.b, true
}

// Dump is the value as RESTORE takes it. The key is neither foreign nor empty.
func (k *DumpedKey) Dump() []byte { return dumpOf(k.value) }

var errEnough = errors.New("enough")

// ReadDump reads an RDB file and checks all of it. The last pair has the error, if there is
// one, which names the offset in the file.
func ReadDump(r io.Reader) iter.Seq2[DumpedKey, error] {
	return func(yield func(DumpedKey, error) bool) {
		err := readRDB(r, rdbVisitor{mayBeEmpty: true, key: func(k rdbKey) error {
			key := DumpedKey{DB: k.db, Key: k.key, Deadline: k.deadline, Type: k.foreign, Empty: k.value == nil && k.foreign == "", value: k.value}
			if k.value != nil {
				key.Type = k.value.kind()
			}
			if !yield(key, nil) {
				return errEnough
			}
			return nil
		}})
		if err != nil && !errors.Is(err, errEnough) {
			yield(DumpedKey{}, err)
		}
	}
}
