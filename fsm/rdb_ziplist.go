package fsm

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// unpackZiplist unpacks Redis's ziplist, which came before the listpack:
//
//	bytes u32 | offset of the last element u32 | count u16, 65535 for many |
//	{ size of the element before | element } | 0xff
//
// where a size is a byte, or 0xfe and 4 bytes.
func unpackZiplist(piece []byte, visit func(element []byte) error) error {
	if len(piece) < 11 {
		return damaged("ziplist", piece, len(piece), "it ends within its header")
	}
	if size := binary.LittleEndian.Uint32(piece); uint64(size) != uint64(len(piece)) {
		return damaged("ziplist", piece, 0, fmt.Sprintf("it says that it has %d bytes", size))
	}
	d := decoder{buf: piece, at: 10}
	count, last, before := 0, 10, 0
	var digits [20]byte
	for d.at < len(piece) && piece[d.at] != 0xff {
		last = d.at
		size := int(d.byte())
		if size == 0xfe {
			size = int(d.little(4))
		}
		if !d.failed && size != before {
			return damaged("ziplist", piece, last, fmt.Sprintf("the element before has %d bytes, not %d", before, size))
		}
		element, ok := d.ziplistElement(digits[:0])
		if !ok {
			return damaged("ziplist", piece, last, "an element of no known form, or one that is cut off")
		}
		before = d.at - last
		if err := visit(element); err != nil {
			return err
		}
		count++
	}
	if d.at != len(piece)-1 {
		return damaged("ziplist", piece, d.at, "its end is elsewhere")
	}
	if tail := binary.LittleEndian.Uint32(piece[4:]); uint64(tail) != uint64(last) {
		return damaged("ziplist", piece, 4, fmt.Sprintf("it says that the last element is at %d, and it is at %d", tail, last))
	}
	if n := int(binary.LittleEndian.Uint16(piece[8:])); n != 65535 && n != count {
		return damaged("ziplist", piece, 8, fmt.Sprintf("it says that it has %d elements, and has %d", n, count))
	}
	return nil
}

// ziplistElement reads an element; the first byte tells its kind. Integers are written into
// digits.
func (d *decoder) ziplistElement(digits []byte) (element []byte, ok bool) {
	first := d.byte()
	var n int64
	switch {
	case first < 0x40:
		element = d.take(int(first))
		return element, !d.failed
	case first < 0x80:
		element = d.take(int(first&0x3f)<<8 | int(d.byte()))
		return element, !d.failed
	case first == 0x80:
		var size uint32
		if b := d.take(4); b != nil {
			size = binary.BigEndian.Uint32(b)
		}
		element = d.take(int(size))
		return element, !d.failed
	case first == 0xc0:
		n = int64(int16(d.little(2)))
	case first == 0xd0:
		n = int64(int32(d.little(4)))
	case first == 0xe0:
		n = int64(d.little(8))
	case first == 0xf0:
		n = int64(int32(d.little(3))<<8) >> 8
	case first == 0xfe:
		n = int64(int8(d.byte()))
	case first > 0xf0 && first < 0xfe: // 0 to 12
		n = int64(first) - 0xf1
	default:
		return nil, false
	}
	return strconv.AppendInt(digits, n, 10), !d.failed
}
