package lualib

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// msgpackFunctions is the library cmsgpack (lua-cmsgpack).
func msgpackFunctions(h Host) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"pack": func(l *lua.LState) int {
			if l.GetTop() == 0 {
				l.RaiseError("bad argument #0 to 'pack' (MessagePack pack needs input.)")
			}
			var buf []byte
			for i := 1; i <= l.GetTop(); i++ {
				buf = pack(l, h, buf, l.Get(i), 0)
			}
			h.Allocated(l, len(buf))
			l.Push(lua.LString(buf))
			return 1
		},
		"unpack": func(l *lua.LState) int {
			u := unpacker{l: l, h: h, in: l.CheckString(1)}
			n := 0
			for u.at < len(u.in) {
				l.Push(u.value(0))
				n++
			}
			return n
		},
		"unpack_one": func(l *lua.LState) int {
			u := unpacker{l: l, h: h, in: l.CheckString(1), at: l.OptInt(2, 0)}
			return u.limited(1)
		},
		"unpack_limit": func(l *lua.LState) int {
			u := unpacker{l: l, h: h, in: l.CheckString(1), at: l.OptInt(3, 0)}
			return u.limited(l.CheckInt(2))
		},
	}
}

const maxPackDepth = 16 // as lua-cmsgpack; deeper tables become nil

func pack(l *lua.LState, h Host, buf []byte, v lua.LValue, depth int) []byte {
	switch v := v.(type) {
	case lua.LString:
		return append(packLength(buf, len(v), 0xa0, 32, 0xd9, 0xda, 0xdb), v...)
	case lua.LNumber:
		return packNumber(buf, float64(v))
	case lua.LBool:
		if v {
			return append(buf, 0xc3)
		}
		return append(buf, 0xc2)
	case *lua.LTable:
		if depth == maxPackDepth {
			return append(buf, 0xc0)
		}
		h.Allocated(l, 0)
		return packTable(l, h, buf, v, depth+1)
	}
	return append(buf, 0xc0)
}

// packLength writes the head of a string, an array or a map: the length in the first byte
// where it is below small, else behind it. No one-byte form (0) means there is none.
func packLength(buf []byte, n int, first byte, small int, one, two, four byte) []byte {
	switch {
	case n < small:
		return append(buf, first|byte(n))
	case n <= math.MaxUint8 && one != 0:
		return append(buf, one, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(buf, two), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(buf, four), uint32(n))
}

func packNumber(buf []byte, f float64) []byte {
	n := int64(f)
	switch {
	case f != math.Trunc(f) || math.Abs(f) >= 1<<63:
		if float64(float32(f)) == f {
			return binary.BigEndian.AppendUint32(append(buf, 0xca), math.Float32bits(float32(f)))
		}
		return binary.BigEndian.AppendUint64(append(buf, 0xcb), math.Float64bits(f))
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		return append(buf, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		return append(buf, 0xcc, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(buf, 0xcd), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(buf, 0xce), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(buf, 0xcf), uint64(n))
	case n >= math.MinInt8:
		return append(buf, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(buf, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(buf, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(buf, 0xd3), uint64(n))
}

// packTable writes an array where the keys are the integers from 1 on, otherwise a map.
func packTable(l *lua.LState, h Host, buf []byte, t *lua.LTable, depth int) []byte {
	n, highest, list := 0, 0, true
	Each(t, func(key, _ lua.LValue) bool {
		n++
		number, ok := key.(lua.LNumber)
		list = list && ok && number >= 1 && number == lua.LNumber(int(number))
		if list {
			highest = max(highest, int(number))
		}
		return true
	})
	if list && highest == n {
		buf = packLength(buf, n, 0x90, 16, 0, 0xdc, 0xdd)
		for i := 1; i <= n; i++ {
			buf = pack(l, h, buf, t.RawGetInt(i), depth)
		}
		return buf
	}
	buf = packLength(buf, n, 0x80, 16, 0, 0xde, 0xdf)
	Each(t, func(key, value lua.LValue) bool {
		buf = pack(l, h, pack(l, h, buf, key, depth), value, depth)
		return true
	})
	return buf
}

type unpacker struct {
	l  *lua.LState
	h  Host
	in string
	at int
}

// limited unpacks up to n values; first of all it returns where to go on, -1 at the end.
func (u *unpacker) limited(n int) int {
	if u.at < 0 || n < 0 {
		u.l.RaiseError("Invalid request to unpack with offset of %d and limit of %d.", u.at, len(u.in))
	}
	if u.at > len(u.in) {
		u.l.RaiseError("Start offset %d greater than input length %d.", u.at, len(u.in))
	}
	var values []lua.LValue
	for ; n > 0 && u.at < len(u.in); n-- {
		values = append(values, u.value(0))
	}
	next := u.at
	if u.at == len(u.in) {
		next = -1
	}
	u.l.Push(lua.LNumber(next))
	for _, v := range values {
		u.l.Push(v)
	}
	return 1 + len(values)
}

func (u *unpacker) take(n int) string {
	if n < 0 || n > len(u.in)-u.at {
		u.l.RaiseError("Missing bytes in input.")
	}
	s := u.in[u.at : u.at+n]
	u.at += n
	return s
}

func (u *unpacker) uint(bytes int) uint64 {
	var v uint64
	for _, b := range []byte(u.take(bytes)) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (u *unpacker) value(depth int) lua.LValue {
	if depth > maxJSONDepth {
		u.l.RaiseError("Bad data format in input.")
	}
	c := byte(u.uint(1))
	switch {
	case c < 0x80:
		return lua.LNumber(c)
	case c >= 0xe0:
		return lua.LNumber(int8(c))
	case c < 0x90:
		return u.table(int(c&0x0f), true, depth)
	case c < 0xa0:
		return u.table(int(c&0x0f), false, depth)
	case c < 0xc0:
		return u.string(int(c & 0x1f))
	}
	switch c {
	case 0xc0:
		return lua.LNil
	case 0xc2:
		return lua.LFalse
	case 0xc3:
		return lua.LTrue
	case 0xc4, 0xd9:
		return u.string(int(u.uint(1)))
	case 0xc5, 0xda:
		return u.string(int(u.uint(2)))
	case 0xc6, 0xdb:
		return u.string(int(u.uint(4)))
	case 0xca:
		return lua.LNumber(math.Float32frombits(uint32(u.uint(4))))
	case 0xcb:
		return lua.LNumber(math.Float64frombits(u.uint(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return lua.LNumber(u.uint(1 << (c - 0xcc)))
	case 0xd0:
		return lua.LNumber(int8(u.uint(1)))
	case 0xd1:
		return lua.LNumber(int16(u.uint(2)))
	case 0xd2:
		return lua.LNumber(int32(u.uint(4)))
	case 0xd3:
		return lua.LNumber(int64(u.uint(8)))
	case 0xdc, 0xdd:
		return u.table(int(u.uint(2<<(c-0xdc))), false, depth)
	case 0xde, 0xdf:
		return u.table(int(u.uint(2<<(c-0xde))), true, depth)
	}
	u.l.RaiseError("Bad data format in input.")
	return nil
}

func (u *unpacker) string(n int) lua.LValue {
	u.h.Allocated(u.l, min(n, len(u.in)))
	return lua.LString(u.take(n))
}

func (u *unpacker) table(n int, isMap bool, depth int) lua.LValue {
	t := u.l.NewTable()
	for i := 1; i <= n; i++ {
		key := lua.LValue(lua.LNumber(i))
		if isMap {
			if key = u.value(depth + 1); key == lua.LNil {
				u.l.RaiseError("Bad data format in input.")
			}
		}
		t.RawSet(key, u.value(depth+1))
		u.h.Allocated(u.l, 16)
	}
	return t
}
