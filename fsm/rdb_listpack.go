package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// unpackListpack unpacks Redis's listpack:
//
//	bytes u32 | count u16, 65535 for many | { element | its length, backwards } | 0xff
//
// The length behind an element is for walking backwards: see listpackBackLength.
func unpackListpack(piece []byte, visit func(element []byte) error) error {
	if len(piece) < 7 {
		return damaged("listpack", piece, len(piece), "it ends within its header")
	}
	if size := binary.LittleEndian.Uint32(piece); uint64(size) != uint64(len(piece)) {
		return damaged("listpack", piece, 0, fmt.Sprintf("it says that it has %d bytes", size))
	}
	d := decoder{buf: piece, at: 6}
	count := 0
	var digits [20]byte
	for d.at < len(piece) && piece[d.at] != 0xff {
		from := d.at
		element, ok := d.listpackElement(digits[:0])
		if !ok {
			return damaged("listpack", piece, from, fmt.Sprintf("an element that begins with %#x", piece[from]))
		}
		end := d.at
		if back := listpackBackLength(end - from); !bytes.Equal(d.take(len(back)), back) {
			return damaged("listpack", piece, end, "another length stands behind an element")
		}
		if err := visit(element); err != nil {
			return err
		}
		count++
	}
	if d.at != len(piece)-1 {
		return damaged("listpack", piece, d.at, "its end is elsewhere")
	}
	if n := int(binary.LittleEndian.Uint16(piece[4:])); n != 65535 && n != count {
		return damaged("listpack", piece, 4, fmt.Sprintf("it says that it has %d elements, and has %d", n, count))
	}
	return nil
}

// listpackElement reads an element; the first byte tells its kind. Integers are written
// into digits.
func (d *decoder) listpackElement(digits []byte) (element []byte, ok bool) {
	first := d.byte()
	var n int64
	switch {
	case first < 0x80: // 7 bits
		n = int64(first)
	case first < 0xc0:
		element = d.take(int(first & 0x3f))
		return element, !d.failed
	case first < 0xe0: // 13 bits
		n = int64(int16(uint16(first)<<11|uint16(d.byte())<<3)) >> 3
	case first < 0xf0:
		element = d.take(int(first&0xf)<<8 | int(d.byte()))
		return element, !d.failed
	case first == 0xf0:
		element = d.take(int(d.little(4)))
		return element, !d.failed
	case first == 0xf1:
		n = int64(int16(d.little(2)))
	case first == 0xf2:
		n = int64(int32(d.little(3))<<8) >> 8
	case first == 0xf3:
		n = int64(int32(d.little(4)))
	case first == 0xf4:
		n = int64(d.little(8))
	default:
		return nil, false
	}
	return strconv.AppendInt(digits, n, 10), !d.failed
}

// little reads a number of so many bytes, the lowest first.
func (d *decoder) little(n int) (v uint64) {
	for i, b := range d.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// listpackBackLength is how the length of an element is written behind it: 7 bits a byte,
// so that whoever comes from behind meets the lowest first; all bytes but the first have
// the top bit.
func listpackBackLength(n int) []byte {
	b := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		b[0] |= 0x80
		b = append([]byte{byte(n & 0x7f)}, b...)
	}
	return b
}
