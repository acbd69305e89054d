package fsm

import (
	"math/bits"
	"slices"
)

var bitmapCommands = []Command{
	{Name: "BITCOUNT", Arity: -2, Flags: ReadOnly, Keys: firstKey, Group: "bitmap", Since: "2.6.0",
		Summary: "Counts the bits that are set in a string.", Syntax: "key [start end [BYTE | BIT]]", Cost: "O(N)", Run: bitcountCommand},
	{Name: "BITFIELD", Arity: -2, Flags: Write | DenyOOM, Keys: firstKey, Group: "bitmap", Since: "3.2.0",
		Summary: "Reads and writes integers of any width at any bit of a string.",
		Syntax:  "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>]",
		Cost:    "O(1) for each subcommand specified", Run: bitfieldCommand(false)},
	{Name: "BITFIELD_RO", Arity: -2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "bitmap", Since: "6.0.0",
		Summary: "Reads integers of any width at any bit of a string.", Syntax: "key [GET encoding offset [GET encoding offset ...]]",
		Cost: "O(1) for each subcommand specified", Run: bitfieldCommand(true)},
	{Name: "BITOP", Arity: -4, Flags: Write | DenyOOM, Keys: KeySpec{First: 2, Last: -1, Step: 1}, Group: "bitmap", Since: "2.6.0",
		Summary: "Combines strings bit by bit and stores the result.", Syntax: "<AND | OR | XOR | NOT> destkey key [key ...]", Cost: "O(N)", Run: bitopCommand},
	{Name: "BITPOS", Arity: -3, Flags: ReadOnly, Keys: firstKey, Group: "bitmap", Since: "2.8.7",
		Summary: "Finds the first bit of a string that is set, or that is not.", Syntax: "key bit [start [end [BYTE | BIT]]]", Cost: "O(N)", Run: bitposCommand},
	{Name: "GETBIT", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "bitmap", Since: "2.2.0",
		Summary: "Returns a bit of a string.", Syntax: "key offset", Cost: "O(1)", Run: getbitCommand},
	{Name: "SETBIT", Arity: 4, Flags: Write | DenyOOM, Keys: firstKey, Group: "bitmap", Since: "2.2.0",
		Summary: "Changes a bit of a string, and returns what it was.", Syntax: "key offset value", Cost: "O(1)", Run: setbitCommand},
}

var (
	errBitOffset = NewError("ERR", "bit offset is not an integer or out of range")
	errBit       = NewError("ERR", "bit is not an integer or out of range")
)

// bitOffsetArg reads the number of a bit: 0 is the highest of the first byte.
func bitOffsetArg(arg []byte) (int64, error) {
	n, ok := parseInt(arg)
	if !ok || n < 0 || n>>3 >= maxStringBytes {
		return 0, errBitOffset
	}
	return n, nil
}

func getbitCommand(tx *Tx, args [][]byte) (Reply, error) {
	offset, err := bitOffsetArg(args[2])
	if err != nil {
		return nil, err
	}
	s, ok, err := get[*str](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(bitAt(s.b, offset)), nil
}

func bitAt(b []byte, offset int64) int64 {
	if offset>>3 >= int64(len(b)) {
		return 0
	}
	return int64(b[offset>>3] >> (7 - offset&7) & 1)
}

func setbitCommand(tx *Tx, args [][]byte) (Reply, error) {
	offset, err := bitOffsetArg(args[2])
	if err != nil {
		return nil, err
	}
	bit, ok := parseInt(args[3])
	if !ok || bit&^1 != 0 {
		return nil, errBit
	}
	s, err := tx.openBytes(args[1], int(offset>>3)+1)
	if err != nil {
		return nil, err
	}
	old := bitAt(s.b, offset)
	mask := byte(1) << (7 - offset&7)
	s.b[offset>>3] &^= mask
	if bit == 1 {
		s.b[offset>>3] |= mask
	}
	tx.changed(stringEvent, "setbit", args[1])
	return Int(old), nil
}

// openBytes returns the string at a key, which it creates, in a form to be changed in
// place and at least so long; what is added is zero.
func (tx *Tx) openBytes(key []byte, length int) (*str, error) {
	s, err := open(tx, key, func() *str { return &str{} })
	if err != nil {
		return nil, err
	}
	if length > len(s.b) {
		s.append(make([]byte, length-len(s.b)))
	}
	s.own()
	return s, nil
}

// bitRange is the part of a string that BITCOUNT and BITPOS look at, in bits.
type bitRange struct{ first, last int64 } // none if first > last

// bitUnitArg reads BYTE or BIT.
func bitUnitArg(arg []byte) (inBits bool, err error) {
	switch {
	case is(arg, "BIT"):
		return true, nil
	case is(arg, "BYTE"):
		return false, nil
	}
	return false, ErrSyntax
}

// newBitRange is the range from start to end, which count from the end of a string of so
// many bytes if they are negative.
func newBitRange(start, end int64, inBits bool, length int) bitRange {
	total := int64(length)
	if inBits {
		total *= 8
	}
	if start < 0 {
		start = max(start+total, 0)
	}
	if end < 0 {
		end = max(end+total, 0)
	}
	end = min(end, total-1)
	switch {
	case start > end:
		return bitRange{1, 0}
	case inBits:
		return bitRange{start, end}
	}
	return bitRange{start * 8, end*8 + 7}
}

func bitcountCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*str](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	if len(args) == 3 || len(args) > 5 {
		return nil, ErrSyntax
	}
	start, end, inBits := int64(0), int64(-1), false
	if len(args) > 3 {
		if start, err = intArg(args[2]); err != nil {
			return nil, err
		}
		if end, err = intArg(args[3]); err != nil {
			return nil, err
		}
		if start < 0 && end < 0 && start > end { // a rule that BITPOS does not have
			return Int(0), nil
		}
	}
	if len(args) > 4 {
		if inBits, err = bitUnitArg(args[4]); err != nil {
			return nil, err
		}
	}
	return Int(newBitRange(start, end, inBits, len(s.b)).count(s.b)), nil
}

func (r bitRange) count(b []byte) (n int64) {
	for at := r.first; at <= r.last; {
		if at&7 == 0 && at+7 <= r.last {
			n += int64(bits.OnesCount8(b[at>>3]))
			at += 8
			continue
		}
		n += bitAt(b, at)
		at++
	}
	return n
}

func bitposCommand(tx *Tx, args [][]byte) (Reply, error) {
	bit, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if bit&^1 != 0 {
		return nil, NewError("ERR", "The bit argument must be 1 or 0.")
	}
	s, ok, err := get[*str](tx, args[1])
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return Int(-bit), nil
	case len(args) > 6:
		return nil, ErrSyntax
	}
	start, end, inBits := int64(0), int64(-1), false
	if len(args) > 3 {
		if start, err = intArg(args[3]); err != nil {
			return nil, err
		}
	}
	if len(args) > 5 {
		if inBits, err = bitUnitArg(args[5]); err != nil {
			return nil, err
		}
	}
	if len(args) > 4 {
		if end, err = intArg(args[4]); err != nil {
			return nil, err
		}
	}
	r := newBitRange(start, end, inBits, len(s.b))
	if r.first > r.last {
		return Int(-1), nil
	}
	if at := r.find(s.b, bit); at >= 0 {
		return Int(at), nil
	}
	if bit == 0 && len(args) < 5 { // behind the end, where no end was given, all bits are 0
		return Int(int64(len(s.b)) * 8), nil
	}
	return Int(-1), nil
}

func (r bitRange) find(b []byte, bit int64) int64 {
	full := byte(0) // a byte in which the bit is not
	if bit == 0 {
		full = 0xff
	}
	for at := r.first; at <= r.last; at++ {
		if at&7 == 0 && at+7 <= r.last && b[at>>3] == full {
			at += 7
			continue
		}
		if bitAt(b, at) == bit {
			return at
		}
	}
	return -1
}

func bitopCommand(tx *Tx, args [][]byte) (Reply, error) {
	op := slices.IndexFunc([]string{"AND", "OR", "XOR", "NOT"}, func(name string) bool { return is(args[1], name) })
	switch {
	case op < 0:
		return nil, ErrSyntax
	case op == 3 && len(args) != 4:
		return nil, NewError("ERR", "BITOP NOT must be called with a single source key.")
	}
	var sources [][]byte
	longest := 0
	for _, key := range args[3:] {
		s, ok, err := get[*str](tx, key)
		if err != nil {
			return nil, err
		}
		var b []byte
		if ok {
			b = s.b
		}
		sources = append(sources, b)
		longest = max(longest, len(b))
	}
	if longest == 0 {
		if tx.del(args[2]) {
			tx.changed(genericEvent, "del", args[2])
		}
		return Int(0), nil
	}
	result := make([]byte, longest)
	copy(result, sources[0])
	for _, source := range sources[1:] {
		for i := range result {
			var b byte
			if i < len(source) {
				b = source[i]
			}
			switch op {
			case 0:
				result[i] &= b
			case 1:
				result[i] |= b
			case 2:
				result[i] ^= b
			}
		}
	}
	if op == 3 {
		for i := range result {
			result[i] = ^result[i]
		}
	}
	tx.put(args[2], &str{b: result}, 0)
	tx.changed(stringEvent, "set", args[2])
	return Int(int64(longest)), nil
}
