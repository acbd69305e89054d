package fsm

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"holdfast/fsm/lualib"
)

// reply turns what a script returns into a reply (Redis, "Lua API", conversions).
func (v *vm) reply(value lua.LValue) Reply {
	var b Builder
	v.appendReply(&b, value, 0)
	return b.Reply()
}

const maxReplyDepth = 24 // less than what a connection accepts

func (v *vm) appendReply(b *Builder, value lua.LValue, depth int) {
	switch value := value.(type) {
	case lua.LString:
		b.Bulk([]byte(value))
	case lua.LNumber:
		b.Int(truncate(value))
	case lua.LBool:
		switch {
		case v.run.resp3:
			b.Bool(bool(value))
		case bool(value):
			b.Int(1)
		default:
			b.Nil()
		}
	case *lua.LTable:
		if depth > maxReplyDepth {
			b.Append(ErrorReply(NewError("ERR", "reached lua stack limit")))
			return
		}
		v.appendTable(b, value, depth)
	default:
		b.Nil()
	}
}

// truncate is what C's conversion to long long does on x86, which it leaves open beyond
// the range.
func truncate(n lua.LNumber) int64 {
	if n != n || n >= 1<<63 || n < -(1<<63) {
		return -1 << 63
	}
	return int64(n)
}

func (v *vm) appendTable(b *Builder, t *lua.LTable, depth int) {
	if text, ok := t.RawGetString("err").(lua.LString); ok {
		b.Append(Reply("-" + oneLine(string(text)) + "\r\n"))
		return
	}
	if text, ok := t.RawGetString("ok").(lua.LString); ok {
		b.Status(oneLine(string(text)))
		return
	}
	if n, ok := t.RawGetString("double").(lua.LNumber); ok {
		b.Double(float64(n))
		return
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		b.Map(lualib.Count(m))
		lualib.Each(m, func(key, value lua.LValue) bool {
			v.appendReply(b, key, depth+1)
			v.appendReply(b, value, depth+1)
			return true
		})
		return
	}
	if m, ok := t.RawGetString("set").(*lua.LTable); ok {
		b.Set(lualib.Count(m))
		lualib.Each(m, func(key, _ lua.LValue) bool {
			v.appendReply(b, key, depth+1)
			return true
		})
		return
	}
	if text, ok := t.RawGetString("big_number").(lua.LString); ok {
		b.BigNumber(oneLine(string(text)))
		return
	}
	if verbatim, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		text, _ := verbatim.RawGetString("string").(lua.LString)
		b.Verbatim(string(text))
		return
	}
	n := 0
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	b.Array(n)
	for i := 1; i <= n; i++ {
		v.appendReply(b, t.RawGetInt(i), depth+1)
	}
}

// value turns the first of some replies into what a script sees, and returns the rest.
func (v *vm) value(reply Reply) (lua.LValue, Reply) {
	l := v.state
	end := 0
	for reply[end] != '\n' {
		end++
	}
	kind, line, rest := reply[0], string(reply[1:end-1]), reply[end+1:]
	n, _ := strconv.Atoi(line)
	switch kind {
	case '+':
		return tableOf(l, "ok", lua.LString(line)), rest
	case '-':
		return tableOf(l, "err", lua.LString(line)), rest
	case ':':
		number, _ := strconv.ParseInt(line, 10, 64)
		return lua.LNumber(number), rest
	case ',':
		number, _ := strconv.ParseFloat(line, 64)
		if !v.run.resp3 {
			return lua.LString(line), rest
		}
		return tableOf(l, "double", lua.LNumber(number)), rest
	case '#':
		switch {
		case v.run.resp3:
			return lua.LBool(line == "t"), rest
		case line == "t":
			return lua.LNumber(1), rest
		}
		return lua.LNumber(0), rest
	case '$', '=':
		if n < 0 {
			return v.null(), rest
		}
		text := rest[:n]
		if kind == '=' {
			text = text[4:]
		}
		return lua.LString(text), rest[n+2:]
	case '_':
		return v.null(), rest
	}
	if n < 0 {
		return v.null(), rest
	}
	t := l.NewTable()
	var key, element lua.LValue
	switch {
	case kind == '%' && v.run.resp3:
		for range n {
			key, rest = v.value(rest)
			element, rest = v.value(rest)
			t.RawSet(key, element)
		}
		return tableOf(l, "map", t), rest
	case kind == '~' && v.run.resp3:
		for range n {
			key, rest = v.value(rest)
			t.RawSet(key, lua.LTrue)
		}
		return tableOf(l, "set", t), rest
	case kind == '%':
		n *= 2
	}
	for i := range n {
		element, rest = v.value(rest)
		t.RawSetInt(i+1, element)
	}
	return t, rest
}

func (v *vm) null() lua.LValue {
	if v.run.resp3 {
		return lua.LNil
	}
	return lua.LFalse
}

func tableOf(l *lua.LState, name string, value lua.LValue) *lua.LTable {
	t := l.NewTable()
	t.RawSetString(name, value)
	return t
}
