package lualib

import (
	"fmt"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// bitFunctions is the library bit (LuaBitOp): operations on 32 bits.
func bitFunctions() map[string]lua.LGFunction {
	fold := func(op func(a, b int32) int32) lua.LGFunction {
		return func(l *lua.LState) int {
			v := toBit(l.CheckNumber(1))
			for i := 2; i <= l.GetTop(); i++ {
				v = op(v, toBit(l.CheckNumber(i)))
			}
			l.Push(lua.LNumber(v))
			return 1
		}
	}
	shift := func(op func(v int32, n uint) int32) lua.LGFunction {
		return func(l *lua.LState) int {
			l.Push(lua.LNumber(op(toBit(l.CheckNumber(1)), uint(toBit(l.CheckNumber(2))&31))))
			return 1
		}
	}
	return map[string]lua.LGFunction{
		"tobit": fold(func(a, _ int32) int32 { return a }),
		"band":  fold(func(a, b int32) int32 { return a & b }),
		"bor":   fold(func(a, b int32) int32 { return a | b }),
		"bxor":  fold(func(a, b int32) int32 { return a ^ b }),
		"bnot":  func(l *lua.LState) int { l.Push(lua.LNumber(^toBit(l.CheckNumber(1)))); return 1 },
		"bswap": func(l *lua.LState) int {
			l.Push(lua.LNumber(int32(bits.ReverseBytes32(uint32(toBit(l.CheckNumber(1)))))))
			return 1
		},
		"lshift":  shift(func(v int32, n uint) int32 { return v << n }),
		"rshift":  shift(func(v int32, n uint) int32 { return int32(uint32(v) >> n) }),
		"arshift": shift(func(v int32, n uint) int32 { return v >> n }),
		"rol":     shift(func(v int32, n uint) int32 { return int32(bits.RotateLeft32(uint32(v), int(n))) }),
		"ror":     shift(func(v int32, n uint) int32 { return int32(bits.RotateLeft32(uint32(v), -int(n))) }),
		"tohex":   toHex,
	}
}

// toBit brings a number into 32 bits, as adding 2^52+2^51 and taking the low word does.
func toBit(n lua.LNumber) int32 {
	const magic = 1<<52 + 1<<51
	sum := float64(n) + magic
	return int32(uint32(int64(sum) - magic))
}

func toHex(l *lua.LState) int {
	v, digits := uint32(toBit(l.CheckNumber(1))), 8
	if l.GetTop() > 1 {
		digits = int(toBit(l.CheckNumber(2)))
	}
	format := "%08x"
	if digits < 0 {
		format, digits = "%08X", -digits
	}
	text := fmt.Sprintf(format, v)
	l.Push(lua.LString(text[8-min(digits, 8):]))
	return 1
}
