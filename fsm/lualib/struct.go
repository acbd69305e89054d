package lualib

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// structFunctions is the library struct (Roberto Ierusalimschy's, of Lua 5.1).
func structFunctions(h Host) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"pack": func(l *lua.LState) int {
			f, next := newFormat(l), 2
			var buf []byte
			for f.next() {
				buf = append(buf, make([]byte, f.padding(len(buf)))...)
				h.Allocated(l, f.size)
				buf = f.pack(buf, &next)
			}
			l.Push(lua.LString(buf))
			return 1
		},
		"unpack": func(l *lua.LState) int {
			f, data := newFormat(l), l.CheckString(2)
			at := l.OptInt(3, 1) - 1
			if at < 0 || at > len(data) {
				l.RaiseError("bad argument #3 to 'unpack' (offset must be 1 or greater)")
			}
			n := 0
			for f.next() {
				at += f.padding(at)
				n += f.unpack(data, &at)
			}
			l.Push(lua.LNumber(at + 1))
			return n + 1
		},
		"size": func(l *lua.LState) int {
			f, size := newFormat(l), 0
			for f.next() {
				if f.option == 's' || f.option == 'c' && f.size == 0 {
					l.RaiseError("bad argument #1 to 'size' (variable-size format in 'size')")
				}
				size += f.padding(size) + f.size
			}
			l.Push(lua.LNumber(size))
			return 1
		},
	}
}

// format reads the options of a format one by one.
type format struct {
	l     *lua.LState
	text  string
	at    int
	big   bool
	align int // at most; 1: none

	option byte
	size   int // bytes that the option takes; 0 for what tells itself
	last   lua.LValue
}

func newFormat(l *lua.LState) *format {
	return &format{l: l, text: l.CheckString(1), align: 1}
}

const maxIntegral = 32

// number reads digits, or returns otherwise.
func (f *format) number(otherwise int) int {
	n, found := 0, false
	for f.at < len(f.text) && f.text[f.at] >= '0' && f.text[f.at] <= '9' {
		if n, found = n*10+int(f.text[f.at]-'0'), true; n > math.MaxInt32 {
			f.l.RaiseError("integral size overflow")
		}
		f.at++
	}
	if !found {
		return otherwise
	}
	return n
}

func (f *format) next() bool {
	for f.at < len(f.text) {
		c := f.text[f.at]
		f.at++
		f.option, f.size = c, 0
		switch c {
		case ' ':
			continue
		case '>':
			f.big = true
			continue
		case '<':
			f.big = false
			continue
		case '!':
			if f.align = f.number(8); f.align == 0 || f.align&(f.align-1) != 0 {
				f.l.RaiseError("alignment is not a power of 2")
			}
			continue
		case 'b', 'B', 'x':
			f.size = 1
		case 'h', 'H':
			f.size = 2
		case 'l', 'L', 'T', 'd', 'n':
			f.size = 8
		case 'f':
			f.size = 4
		case 'i', 'I':
			if f.size = f.number(4); f.size < 1 || f.size > maxIntegral {
				f.l.RaiseError("integral size %d is larger than limit of %d", f.size, maxIntegral)
			}
		case 'c':
			f.size = f.number(1)
		case 's':
		default:
			f.l.RaiseError("invalid format option '%c'", c)
		}
		return true
	}
	return false
}

func (f *format) padding(at int) int {
	align := min(f.size, f.align)
	if align <= 1 || strings.IndexByte("csx", f.option) >= 0 || align&(align-1) != 0 {
		return 0
	}
	return -at & (align - 1)
}

func (f *format) pack(buf []byte, next *int) []byte {
	arg := *next
	if f.option != 'x' {
		*next++
	}
	switch f.option {
	case 'x':
		return append(buf, 0)
	case 'd', 'n':
		return f.putUint(buf, math.Float64bits(float64(f.l.CheckNumber(arg))))
	case 'f':
		return f.putUint(buf, uint64(math.Float32bits(float32(f.l.CheckNumber(arg)))))
	case 's':
		return append(append(buf, f.l.CheckString(arg)...), 0)
	case 'c':
		s := f.l.CheckString(arg)
		if f.size == 0 {
			f.size = len(s)
		}
		if len(s) < f.size {
			f.l.RaiseError("bad argument #%d to 'pack' (string too short)", arg)
		}
		return append(buf, s[:f.size]...)
	}
	n := float64(f.l.CheckNumber(arg))
	if n < 0 {
		return f.putInt(buf, uint64(int64(n)), 0xff)
	}
	return f.putInt(buf, uint64(n), 0)
}

func (f *format) putUint(buf []byte, v uint64) []byte { return f.putInt(buf, v, 0) }

// putInt writes size bytes of v; what is beyond 8 is filled up.
func (f *format) putInt(buf []byte, v uint64, fill byte) []byte {
	bytes := make([]byte, f.size)
	for i := range bytes {
		b := fill
		if i < 8 {
			b = byte(v >> (8 * i))
		}
		if f.big {
			bytes[f.size-1-i] = b
		} else {
			bytes[i] = b
		}
	}
	return append(buf, bytes...)
}

// unpack pushes the value and returns how many that is: none for padding.
func (f *format) unpack(data string, at *int) int {
	size := f.size
	if f.option == 'c' && size == 0 {
		n, ok := f.last.(lua.LNumber)
		if !ok {
			f.l.RaiseError("format 'c0' needs a previous size")
		}
		f.l.Pop(1) // the size stands for itself no more
		size = int(n)
		defer func() { f.last = nil }()
		if size < 0 || size > len(data)-*at {
			f.l.RaiseError("data string too short")
		}
		f.l.Push(lua.LString(data[*at : *at+size]))
		*at += size
		return 0
	}
	if size > len(data)-*at {
		f.l.RaiseError("data string too short")
	}
	if f.option == 's' {
		end := strings.IndexByte(data[*at:], 0)
		if end < 0 {
			f.l.RaiseError("unfinished string in data")
		}
		f.push(lua.LString(data[*at : *at+end]))
		*at += end + 1
		return 1
	}
	field := data[*at : *at+size]
	*at += size
	switch f.option {
	case 'x':
		return 0
	case 'c':
		f.push(lua.LString(field))
	case 'd', 'n':
		f.push(lua.LNumber(math.Float64frombits(f.getUint(field))))
	case 'f':
		f.push(lua.LNumber(math.Float32frombits(uint32(f.getUint(field)))))
	default:
		v := f.getUint(field)
		if signed := f.option >= 'a'; signed {
			shift := 64 - 8*min(size, 8)
			f.push(lua.LNumber(int64(v<<shift) >> shift))
		} else {
			f.push(lua.LNumber(v))
		}
	}
	return 1
}

func (f *format) push(v lua.LValue) {
	f.last = v
	f.l.Push(v)
}

func (f *format) getUint(field string) (v uint64) {
	for i := range min(len(field), 8) {
		if f.big {
			v |= uint64(field[len(field)-1-i]) << (8 * i)
		} else {
			v |= uint64(field[i]) << (8 * i)
		}
	}
	return v
}
