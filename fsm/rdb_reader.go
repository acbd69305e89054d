package fsm

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// rdbReader reads what an RDB file is made of. It does not believe a length before what it
// promises is there: memory grows with what was read.
type rdbReader struct {
	r   io.Reader // cheap to read from in small pieces
	crc uint64
	n   int64
	tmp [16]byte

	unpack uint64 // how many bytes may still come out of compressed strings
}

// fixed reads up to 16 bytes, valid until the next read.
func (r *rdbReader) fixed(n int) ([]byte, error) {
	b := r.tmp[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, err
	}
	r.crc = updateCRC(r.crc, b)
	r.n += int64(n)
	return b, nil
}

func (r *rdbReader) byte() (byte, error) {
	b, err := r.fixed(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// read reads n bytes without trusting n: memory grows with what is really there.
func (r *rdbReader) read(n uint64) ([]byte, error) {
	const chunk = 1 << 20
	if n > 1<<32 {
		return nil, fmt.Errorf("string of %d bytes", n)
	}
	b := make([]byte, 0, min(n, chunk))
	for uint64(len(b)) < n {
		part := int(min(n-uint64(len(b)), chunk))
		b = slices.Grow(b, part)
		got, err := io.ReadFull(r.r, b[len(b):len(b)+part])
		if err != nil {
			return nil, err
		}
		b = b[:len(b)+got]
	}
	r.crc = updateCRC(r.crc, b)
	r.n += int64(n)
	return b, nil
}

// lengthOrEncoding reads a length, or the number of a special encoding.
func (r *rdbReader) lengthOrEncoding() (n uint64, encoded bool, err error) {
	first, err := r.byte()
	if err != nil {
		return 0, false, err
	}
	switch first >> 6 {
	case 0:
		return uint64(first & 0x3f), false, nil
	case 1:
		next, err := r.byte()
		return uint64(first&0x3f)<<8 | uint64(next), false, err
	case 3:
		return uint64(first & 0x3f), true, nil
	}
	switch first {
	case 0x80:
		b, err := r.fixed(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case 0x81:
		b, err := r.fixed(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(b), false, nil
	}
	return 0, false, fmt.Errorf("length that begins with %#x", first)
}

func (r *rdbReader) length() (uint64, error) {
	n, encoded, err := r.lengthOrEncoding()
	if err == nil && encoded {
		err = fmt.Errorf("encoding %d where a length belongs", n)
	}
	return n, err
}

func (r *rdbReader) lengths(n int) error {
	for range n {
		if _, err := r.length(); err != nil {
			return err
		}
	}
	return nil
}

// string reads a string, written plainly, as an integer, or compressed.
func (r *rdbReader) string() ([]byte, error) {
	n, encoded, err := r.lengthOrEncoding()
	if err != nil {
		return nil, err
	}
	if !encoded {
		return r.read(n)
	}
	switch n {
	case 0, 1, 2: // an integer of 1, 2 or 4 bytes
		b, err := r.fixed(1 << n)
		if err != nil {
			return nil, err
		}
		var v int64
		switch n {
		case 0:
			v = int64(int8(b[0]))
		case 1:
			v = int64(int16(binary.LittleEndian.Uint16(b)))
		case 2:
			v = int64(int32(binary.LittleEndian.Uint32(b)))
		}
		return strconv.AppendInt(nil, v, 10), nil
	case 3:
		return r.compressed()
	}
	return nil, fmt.Errorf("string of unknown encoding %d", n)
}

func (r *rdbReader) compressed() ([]byte, error) {
	packed, err := r.length()
	if err != nil {
		return nil, err
	}
	size, err := r.length()
	if err != nil {
		return nil, err
	}
	data, err := r.read(packed)
	if err != nil {
		return nil, err
	}
	if size > r.unpack {
		return nil, fmt.Errorf("compressed string of %d bytes: %d are left to it", size, r.unpack)
	}
	r.unpack -= size
	return lzfDecompress(data, size)
}
