package lualib

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// jsonFunctions is the library cjson (lua-cjson) with its settings as they are at first.
func jsonFunctions(h Host) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"encode": func(l *lua.LState) int {
			if l.GetTop() != 1 {
				l.RaiseError("bad argument #1 to 'encode' (expected 1 argument)")
			}
			e := jsonEncoder{l: l, h: h}
			e.value(l.Get(1), 0)
			h.Allocated(l, len(e.buf))
			l.Push(lua.LString(e.buf))
			return 1
		},
		"decode": func(l *lua.LState) int {
			if l.GetTop() != 1 {
				l.RaiseError("bad argument #1 to 'decode' (expected 1 argument)")
			}
			d := jsonDecoder{l: l, h: h, in: l.CheckString(1)}
			v := d.value(0)
			d.space()
			if d.at < len(d.in) {
				d.fail("the end")
			}
			l.Push(v)
			return 1
		},
		"encode_keep_buffer": func(l *lua.LState) int { l.Push(lua.LTrue); return 1 },
	}
}

const maxJSONDepth = 1000

type jsonEncoder struct {
	l   *lua.LState
	h   Host
	buf []byte
}

func (e *jsonEncoder) value(v lua.LValue, depth int) {
	if depth > maxJSONDepth {
		e.l.RaiseError("Cannot serialise, excessive depth (%d)", depth)
	}
	if len(e.buf) > 1<<20 && len(e.buf)%(1<<20) < 64 {
		e.h.Allocated(e.l, 0) // a chance to end what grows too long
	}
	switch v := v.(type) {
	case lua.LString:
		e.string(string(v))
	case lua.LNumber:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			e.l.RaiseError("Cannot serialise number: must not be NaN or Inf")
		}
		e.buf = append(e.buf, FormatNumber(float64(v))...)
	case lua.LBool:
		e.buf = strconv.AppendBool(e.buf, bool(v))
	case *lua.LTable:
		e.table(v, depth+1)
	case *lua.LUserData:
		if v != Null {
			e.l.RaiseError("Cannot serialise userdata: type not supported")
		}
		e.buf = append(e.buf, "null"...)
	default:
		if v != lua.LNil {
			e.l.RaiseError("Cannot serialise %s: type not supported", v.Type())
		}
		e.buf = append(e.buf, "null"...)
	}
}

// table writes an array where all keys are integers from 1 on and not too many are
// missing, otherwise an object.
func (e *jsonEncoder) table(t *lua.LTable, depth int) {
	highest, n, list := 0, 0, true
	Each(t, func(key, _ lua.LValue) bool {
		n++
		number, ok := key.(lua.LNumber)
		if !ok || number < 1 || number != lua.LNumber(int(number)) {
			list = false
			return false
		}
		highest = max(highest, int(number))
		return true
	})
	if list && n > 0 {
		if highest > 10 && highest > 2*n {
			e.l.RaiseError("Cannot serialise table: excessively sparse array")
		}
		e.buf = append(e.buf, '[')
		for i := 1; i <= highest; i++ {
			if i > 1 {
				e.buf = append(e.buf, ',')
			}
			e.value(t.RawGetInt(i), depth)
		}
		e.buf = append(e.buf, ']')
		return
	}
	e.buf = append(e.buf, '{')
	first := true
	Each(t, func(key, value lua.LValue) bool {
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		switch key := key.(type) {
		case lua.LString:
			e.string(string(key))
		case lua.LNumber:
			e.string(FormatNumber(float64(key)))
		default:
			e.l.RaiseError("Cannot serialise table: table key must be a number or string")
		}
		e.buf = append(e.buf, ':')
		e.value(value, depth)
		return true
	})
	e.buf = append(e.buf, '}')
}

func (e *jsonEncoder) string(s string) {
	e.buf = append(e.buf, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '/':
			e.buf = append(e.buf, '\\', c)
		case c == '\b':
			e.buf = append(e.buf, `\b`...)
		case c == '\t':
			e.buf = append(e.buf, `\t`...)
		case c == '\n':
			e.buf = append(e.buf, `\n`...)
		case c == '\f':
			e.buf = append(e.buf, `\f`...)
		case c == '\r':
			e.buf = append(e.buf, `\r`...)
		case c < 0x20 || c == 0x7f:
			e.buf = fmt.Appendf(e.buf, `\u%04x`, c)
		default:
			e.buf = append(e.buf, c)
		}
	}
	e.buf = append(e.buf, '"')
}

type jsonDecoder struct {
	l  *lua.LState
	h  Host
	in string
	at int
}

func (d *jsonDecoder) fail(expected string) {
	found := "T_END"
	if d.at < len(d.in) {
		found = "invalid token"
		switch c := d.in[d.at]; c {
		case '"':
			found = "T_STRING"
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			found = "T_NUMBER"
		case '{':
			found = "T_OBJ_BEGIN"
		case '}':
			found = "T_OBJ_END"
		case '[':
			found = "T_ARR_BEGIN"
		case ']':
			found = "T_ARR_END"
		case ',':
			found = "T_COMMA"
		case ':':
			found = "T_COLON"
		}
	}
	d.l.RaiseError("Expected %s but found %s at character %d", expected, found, d.at+1)
}

func (d *jsonDecoder) space() {
	for d.at < len(d.in) && (d.in[d.at] == ' ' || d.in[d.at] == '\t' || d.in[d.at] == '\n' || d.in[d.at] == '\r') {
		d.at++
	}
}

func (d *jsonDecoder) take(c byte) bool {
	d.space()
	if d.at < len(d.in) && d.in[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *jsonDecoder) value(depth int) lua.LValue {
	d.space()
	if depth > maxJSONDepth {
		d.l.RaiseError("Found too many nested data structures (%d)", depth)
	}
	rest := d.in[d.at:]
	switch {
	case rest == "":
	case rest[0] == '"':
		return lua.LString(d.string())
	case rest[0] == '{':
		return d.object(depth)
	case rest[0] == '[':
		return d.array(depth)
	case len(rest) >= 4 && rest[:4] == "null":
		d.at += 4
		return Null
	case len(rest) >= 4 && rest[:4] == "true":
		d.at += 4
		return lua.LTrue
	case len(rest) >= 5 && rest[:5] == "false":
		d.at += 5
		return lua.LFalse
	case rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9':
		n := 1
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.' || rest[n] == 'e' || rest[n] == 'E' || rest[n] == '+' || rest[n] == '-') {
			n++
		}
		if f, err := strconv.ParseFloat(rest[:n], 64); err == nil || math.IsInf(f, 0) {
			d.at += n
			return lua.LNumber(f)
		}
	}
	d.fail("value")
	return nil
}

func (d *jsonDecoder) object(depth int) lua.LValue {
	d.at++
	t := d.l.NewTable()
	if d.take('}') {
		return t
	}
	for {
		d.space()
		if d.at >= len(d.in) || d.in[d.at] != '"' {
			d.fail("object key string")
		}
		key := d.string()
		if !d.take(':') {
			d.fail("colon")
		}
		t.RawSet(lua.LString(key), d.value(depth+1))
		d.h.Allocated(d.l, 64)
		if d.take('}') {
			return t
		}
		if !d.take(',') {
			d.fail("comma or object end")
		}
	}
}

func (d *jsonDecoder) array(depth int) lua.LValue {
	d.at++
	t := d.l.NewTable()
	if d.take(']') {
		return t
	}
	for i := 1; ; i++ {
		t.RawSetInt(i, d.value(depth+1))
		d.h.Allocated(d.l, 16)
		if d.take(']') {
			return t
		}
		if !d.take(',') {
			d.fail("comma or array end")
		}
	}
}

func (d *jsonDecoder) string() string {
	start := d.at
	d.at++
	var out []byte
	for d.at < len(d.in) {
		c := d.in[d.at]
		switch {
		case c == '"':
			d.at++
			d.h.Allocated(d.l, len(out))
			return string(out)
		case c != '\\':
			out = append(out, c)
			d.at++
			continue
		case d.at+1 == len(d.in):
			d.at++
			continue
		}
		d.at += 2
		switch c := d.in[d.at-1]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			out = utf8.AppendRune(out, d.codePoint())
		default:
			d.l.RaiseError("Expected value but found invalid escape code at character %d", d.at-1)
		}
	}
	d.l.RaiseError("Expected value but found unexpected end of string at character %d", start+1)
	return ""
}

func (d *jsonDecoder) codePoint() rune {
	unit := func() rune {
		if d.at+4 <= len(d.in) {
			if n, err := strconv.ParseUint(d.in[d.at:d.at+4], 16, 32); err == nil {
				d.at += 4
				return rune(n)
			}
		}
		d.l.RaiseError("Expected value but found invalid unicode escape code at character %d", d.at-1)
		return 0
	}
	r := unit()
	if utf16.IsSurrogate(r) {
		if d.at+2 > len(d.in) || d.in[d.at:d.at+2] != `\u` {
			d.l.RaiseError("Expected value but found invalid unicode escape code at character %d", d.at-1)
		}
		d.at += 2
		r = utf16.DecodeRune(r, unit())
	}
	return r
}
