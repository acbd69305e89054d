package fsm

import "strconv"

// field is an integer in a string: so many bits from an offset on, the highest first.
type field struct {
	signed bool
	width  int // bits: 1 to 64 signed, 1 to 63 unsigned
	offset int64
}

// fieldOp is one GET, SET or INCRBY of a BITFIELD.
type fieldOp struct {
	field
	kind     fieldKind
	value    int64
	overflow overflow
}

type (
	fieldKind uint8
	overflow  uint8
)

const (
	getField fieldKind = iota
	setField
	addField
)

const (
	wrapAround overflow = iota
	saturate
	failOver // no change, and nil for an answer
)

var errFieldType = NewError("ERR", "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")

func parseBitfield(args [][]byte, readOnly bool) (ops []fieldOp, err error) {
	mode := wrapAround
	for i := 2; i < len(args); {
		op, left := fieldOp{overflow: mode}, len(args)-i-1
		switch {
		case is(args[i], "GET") && left >= 2:
			op.kind = getField
		case is(args[i], "SET") && left >= 3:
			op.kind = setField
		case is(args[i], "INCRBY") && left >= 3:
			op.kind = addField
		case is(args[i], "OVERFLOW") && left >= 1:
			switch {
			case is(args[i+1], "WRAP"):
				mode = wrapAround
			case is(args[i+1], "SAT"):
				mode = saturate
			case is(args[i+1], "FAIL"):
				mode = failOver
			default:
				return nil, NewError("ERR", "Invalid OVERFLOW type specified")
			}
			i += 2
			continue
		default:
			return nil, ErrSyntax
		}
		if err := op.parse(args[i+1], args[i+2]); err != nil {
			return nil, err
		}
		i += 3
		if op.kind != getField {
			if readOnly {
				return nil, NewError("ERR", "BITFIELD_RO only supports the GET subcommand")
			}
			if op.value, err = intArg(args[i]); err != nil {
				return nil, err
			}
			i++
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// parse reads a type ("i16", "u8") and an offset, in bits or, behind a "#", in fields.
func (f *field) parse(kind, offset []byte) error {
	if len(kind) < 2 || kind[0] != 'i' && kind[0] != 'u' {
		return errFieldType
	}
	width, err := strconv.Atoi(string(kind[1:]))
	f.signed, f.width = kind[0] == 'i', width
	if err != nil || width < 1 || width > 64 || !f.signed && width > 63 {
		return errFieldType
	}
	unit := int64(1)
	if len(offset) > 0 && offset[0] == '#' {
		offset, unit = offset[1:], int64(width)
	}
	n, ok := parseInt(offset)
	if !ok || n < 0 || n > (maxStringBytes*8)/unit {
		return errBitOffset
	}
	if f.offset = n * unit; f.offset>>3 >= maxStringBytes {
		return errBitOffset
	}
	return nil
}

// bytes is how long a string must be to hold the field.
func (f field) bytes() int { return int((f.offset+int64(f.width)-1)>>3) + 1 }

func (f field) read(b []byte) int64 {
	var v uint64
	for i := range f.width {
		v = v<<1 | uint64(bitAt(b, f.offset+int64(i)))
	}
	if f.signed && f.width < 64 && v>>(f.width-1) == 1 {
		v |= ^uint64(0) << f.width
	}
	return int64(v)
}

func (f field) write(b []byte, v int64) {
	for i := range f.width {
		at := f.offset + int64(i)
		mask := byte(1) << (7 - at&7)
		if uint64(v)>>(f.width-1-i)&1 == 1 {
			b[at>>3] |= mask
		} else {
			b[at>>3] &^= mask
		}
	}
}

// bounds are the least and the greatest integer that fit.
func (f field) bounds() (least, greatest int64) {
	if f.signed {
		return -1 << (f.width - 1), 1<<(f.width-1) - 1
	}
	return 0, 1<<f.width - 1
}

// fit makes base+by fit into the field; false where it does not and that means to fail.
func (op fieldOp) fit(base, by int64) (int64, bool) {
	least, greatest := op.bounds()
	// As in Redis, the room on both sides of a base that is far outside wraps around: SET of
	// the least integer is above an i8.
	up, down := greatest-base, least-base
	var above, below bool
	if op.signed {
		above = base > greatest || by > up && (op.width < 64 || base >= 0 && by > 0)
		below = base < least || by < down && (op.width < 64 || base < 0 && by < 0)
	} else {
		above = uint64(base) > uint64(greatest) || by > 0 && by > up
		below = by < 0 && by < down
	}
	switch {
	case !above && !below:
		return base + by, true
	case op.overflow == failOver:
		return 0, false
	case op.overflow == saturate && above:
		return greatest, true
	case op.overflow == saturate:
		return least, true
	}
	v := uint64(base) + uint64(by) // wraps around
	if op.width < 64 {
		v &= 1<<op.width - 1
		if op.signed && v>>(op.width-1) == 1 {
			v |= ^uint64(0) << op.width
		}
	}
	return int64(v), true
}

func bitfieldCommand(readOnly bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		ops, err := parseBitfield(args, readOnly)
		if err != nil {
			return nil, err
		}
		s, ok, err := get[*str](tx, args[1])
		if err != nil {
			return nil, err
		}
		length, writes := 0, false
		for _, op := range ops {
			if op.kind != getField {
				writes = true
				length = max(length, op.bytes())
			}
		}
		var b []byte
		if writes {
			s, _ = tx.openBytes(args[1], length)
			ok = true
		}
		if ok {
			b = s.b
		}
		var reply Builder
		reply.Array(len(ops))
		changes := false
		for _, op := range ops {
			old := op.read(b)
			if op.kind == getField {
				reply.Int(old)
				continue
			}
			base, by := op.value, int64(0)
			if op.kind == addField {
				base, by = old, op.value
			}
			v, fits := op.fit(base, by)
			if !fits {
				reply.Nil()
				continue
			}
			op.write(b, v)
			changes = true
			if op.kind == setField {
				v = old
			}
			reply.Int(v)
		}
		if changes {
			tx.changed(stringEvent, "setbit", args[1])
		}
		return reply.Reply(), nil
	}
}
