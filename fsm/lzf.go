package fsm

import "errors"

var errLZF = errors.New("damaged LZF data")

// lzfDecompress unpacks what Redis has compressed with LibLZF. Each control byte c
// begins either a run of c+1 literal bytes (c < 32) or a reference: c>>5 plus 2 bytes
// (7: plus the next byte), from an offset back whose low byte follows.
func lzfDecompress(in []byte, size uint64) ([]byte, error) {
	// One byte of input yields at most 264 of output, give or take.
	if size > uint64(len(in))*264+264 {
		return nil, errLZF
	}
	out := make([]byte, 0, size)
	for i := 0; i < len(in); {
		control := int(in[i])
		i++
		if control < 32 {
			run := control + 1
			if i+run > len(in) || uint64(len(out)+run) > size {
				return nil, errLZF
			}
			out = append(out, in[i:i+run]...)
			i += run
			continue
		}
		length := control >> 5
		if length == 7 {
			if i >= len(in) {
				return nil, errLZF
			}
			length += int(in[i])
			i++
		}
		if i >= len(in) {
			return nil, errLZF
		}
		from := len(out) - (control&0x1f<<8 | int(in[i])) - 1
		i++
		length += 2
		if from < 0 || uint64(len(out)+length) > size {
			return nil, errLZF
		}
		for k := range length { // byte by byte: it may repeat what it has just written
			out = append(out, out[from+k])
		}
	}
	if uint64(len(out)) != size {
		return nil, errLZF
	}
	return out, nil
}
