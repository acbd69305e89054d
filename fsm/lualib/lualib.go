// Package lualib has the libraries that scripts of Redis find beside Lua's own: cjson,
// cmsgpack, bit and struct. They do the same on every node: no address, no clock, and no
// order but that of the values.
package lualib

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Host counts the memory that the libraries take; it may end the script.
type Host interface {
	Allocated(l *lua.LState, bytes int)
}

// Libraries are the functions of each library.
func Libraries(h Host) map[string]map[string]lua.LGFunction {
	return map[string]map[string]lua.LGFunction{
		"cjson": jsonFunctions(h), "cmsgpack": msgpackFunctions(h), "bit": bitFunctions(), "struct": structFunctions(h),
	}
}

// Null is cjson.null.
var Null = &lua.LUserData{}

// Each visits what a table has, in the order of Lua's next: the array part, then keys in
// the order in which they were first set.
func Each(t *lua.LTable, visit func(key, value lua.LValue) bool) {
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if !visit(key, value) {
			return
		}
	}
}

// Count is how many keys a table has.
func Count(t *lua.LTable) (n int) {
	Each(t, func(lua.LValue, lua.LValue) bool { n++; return true })
	return n
}

// FormatNumber writes a number as Lua does: "%.14g" of C.
func FormatNumber(f float64) string { return formatG(f, 14) }

func formatG(f float64, precision int) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', precision, 64)
}

// FormatArgument writes a number as redis.call hands it to a command.
func FormatArgument(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return strconv.FormatInt(int64(f), 10)
	}
	return formatG(f, 17)
}

// Format is string.format; plain writes a value for %s.
func Format(l *lua.LState, plain func(lua.LValue) string) (string, error) {
	format := l.CheckString(1)
	var b strings.Builder
	next := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		start := i
		i++
		for i < len(format) && strings.IndexByte("-+ #0123456789.", format[i]) >= 0 {
			i++
		}
		if i == len(format) {
			return "", fmt.Errorf("invalid option '%%' to 'format'")
		}
		spec, verb := format[start:i], format[i]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if digits := strings.TrimLeft(spec, "%-+ #0"); len(digits) > 5 {
			return "", fmt.Errorf("invalid format (width or precision too long)")
		}
		next++
		switch verb {
		case 'd', 'i':
			fmt.Fprintf(&b, spec+"d", int64(l.CheckNumber(next)))
		case 'u':
			fmt.Fprintf(&b, spec+"d", uint64(int64(l.CheckNumber(next))))
		case 'c':
			b.WriteByte(byte(int64(l.CheckNumber(next))))
		case 'x', 'X', 'o':
			fmt.Fprintf(&b, spec+string(verb), uint64(int64(l.CheckNumber(next))))
		case 'e', 'E', 'f':
			fmt.Fprintf(&b, spec+string(verb), float64(l.CheckNumber(next)))
		case 'g', 'G':
			if !strings.Contains(spec, ".") {
				spec += ".6"
			}
			fmt.Fprintf(&b, spec+string(verb), float64(l.CheckNumber(next)))
		case 's':
			fmt.Fprintf(&b, spec+"s", plain(l.CheckAny(next)))
		case 'q':
			b.WriteString(quote(l.CheckString(next)))
		default:
			return "", fmt.Errorf("invalid option '%%%c' to 'format'", verb)
		}
	}
	return b.String(), nil
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString("\\r")
		case 0:
			b.WriteString("\\000")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
