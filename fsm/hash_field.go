package fsm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"unsafe"
)

// hashField is one field of a hash. What comes from a hash must not be changed, and is valid
// until the hash changes.
type hashField struct {
	name, value []byte
	deadline    Millis // 0 means never
}

// A field is kept in one piece of memory, a record:
//
//	uvarint: length of the name, doubled, 1 more with a deadline | [deadline 8 bytes] | name | value
func appendRecord(buf []byte, f hashField) []byte {
	header := uint64(len(f.name)) << 1
	if f.deadline == 0 {
		buf = binary.AppendUvarint(buf, header)
	} else {
		buf = binary.BigEndian.AppendUint64(binary.AppendUvarint(buf, header|1), uint64(f.deadline))
	}
	return append(append(buf, f.name...), f.value...)
}

func (f hashField) recordLen() int {
	size := uvarintLen(len(f.name)<<1) + len(f.name) + len(f.value)
	if f.deadline != 0 {
		size += 8
	}
	return size
}

func readRecord(record []byte) (f hashField) {
	header, n := binary.Uvarint(record)
	record = record[n:]
	if header&1 != 0 {
		f.deadline = Millis(binary.BigEndian.Uint64(record))
		record = record[8:]
	}
	end := int(header >> 1)
	f.name, f.value = record[:end:end], record[end:]
	return f
}

// isRecordOf reports whether a record is that of a field: most are dismissed by their
// first byte.
func isRecordOf(record, name []byte) bool {
	if header := int(record[0]); header < 0x80 {
		from := 1 + header&1*8
		return header>>1 == len(name) && string(record[from:from+len(name)]) == string(name)
	}
	return bytes.Equal(readRecord(record).name, name)
}

// long counts what is too long for a small hash.
func (f hashField) long() (n int) {
	if len(f.name) > maxPackedBytes {
		n++
	}
	if len(f.value) > maxPackedBytes {
		n++
	}
	return n
}

// fieldByHash is a field as a large hash keeps it: in the order of hashes.
type fieldByHash struct {
	hash   uint64 // of the name
	record string
}

func newFieldByHash(f hashField) fieldByHash {
	record := appendRecord(make([]byte, 0, f.recordLen()), f)
	return fieldByHash{hashOf(f.name), unsafe.String(unsafe.SliceData(record), len(record))}
}

func (a fieldByHash) field() hashField {
	return readRecord(unsafe.Slice(unsafe.StringData(a.record), len(a.record)))
}

func (a fieldByHash) compare(b fieldByHash) int {
	if a.hash != b.hash {
		return cmp.Compare(a.hash, b.hash)
	}
	return bytes.Compare(a.field().name, b.field().name)
}

func (a fieldByHash) hashOf() uint64 { return a.hash }

// fieldByTime is a field in the order of deadlines.
type fieldByTime struct {
	deadline Millis
	hash     uint64
	name     string
}

// timed is the field in that order; it has a deadline. The name shares the record's memory.
func (a fieldByHash) timed() fieldByTime {
	f := a.field()
	from := len(a.record) - len(f.value) - len(f.name)
	return fieldByTime{f.deadline, a.hash, a.record[from : from+len(f.name)]}
}

func (a fieldByTime) compare(b fieldByTime) int {
	return cmp.Or(cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
}
