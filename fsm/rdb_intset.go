package fsm

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// unpackIntset unpacks Redis's intset, integers in ascending order:
//
//	width u32: 2, 4 or 8 | count u32 | { integer of that width }
func unpackIntset(piece []byte, visit func(element []byte) error) error {
	if len(piece) < 8 {
		return damaged("intset", piece, len(piece), "it ends within its header")
	}
	width := binary.LittleEndian.Uint32(piece)
	if width != 2 && width != 4 && width != 8 {
		return damaged("intset", piece, 0, fmt.Sprintf("integers of %d bytes", width))
	}
	count := binary.LittleEndian.Uint32(piece[4:])
	if uint64(len(piece)) != 8+uint64(count)*uint64(width) {
		return damaged("intset", piece, 4, fmt.Sprintf("%d integers of %d bytes", count, width))
	}
	ints := intset{b: piece[8:], width: int(width)}
	var digits [20]byte
	for i := range ints.len() {
		if i > 0 && ints.at(i) <= ints.at(i-1) {
			return damaged("intset", piece, 8+i*ints.width, "the integers do not ascend")
		}
		if err := visit(strconv.AppendInt(digits[:0], ints.at(i), 10)); err != nil {
			return err
		}
	}
	return nil
}
