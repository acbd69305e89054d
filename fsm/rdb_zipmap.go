package fsm

import "fmt"

// unpackZipmap unpacks Redis's zipmap, which small hashes were before Redis 2.6, into names
// and values in turn:
//
//	count u8, 254 for many | { length | name | length | unused u8 | value | unused bytes } | 0xff
//
// where a length is a byte below 254, or 254 and 4 bytes.
func unpackZipmap(piece []byte, visit func(element []byte) error) error {
	d := decoder{buf: piece}
	n, count := d.byte(), 0
	for d.at < len(piece) && piece[d.at] != 0xff {
		from := d.at
		name := d.take(d.zipmapLength())
		size := d.zipmapLength()
		unused := d.byte()
		value := d.take(size)
		d.take(int(unused))
		if d.failed {
			return damaged("zipmap", piece, from, "a field that is cut off")
		}
		for _, element := range [][]byte{name, value} {
			if err := visit(element); err != nil {
				return err
			}
		}
		count++
	}
	if d.at != len(piece)-1 {
		return damaged("zipmap", piece, d.at, "its end is elsewhere")
	}
	if n < 254 && int(n) != count {
		return damaged("zipmap", piece, 0, fmt.Sprintf("it says that it has %d fields, and has %d", n, count))
	}
	return nil
}

func (d *decoder) zipmapLength() int {
	switch n := d.byte(); n {
	case 254:
		return int(d.little(4))
	case 255:
		d.failed = true
		return 0
	default:
		return int(n)
	}
}
