package fsm

import (
	"fmt"
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"holdfast/fsm/lualib"
)

// What of Lua's own libraries a script sees: nothing that looks at the machine, writes
// beside the keyspace, or runs where instructions are not counted (coroutines).
var (
	baseNames = []string{"assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget",
		"select", "tonumber", "type", "unpack", "xpcall", "_VERSION"}
	mathNames = []string{"abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp",
		"huge", "ldexp", "log", "log10", "max", "min", "mod", "modf", "pi", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh"}
	stringNames = []string{"byte", "char", "find", "gfind", "gmatch", "gsub", "len", "lower", "match", "reverse", "sub", "upper"}
	tableNames  = []string{"getn", "insert", "maxn", "remove", "sort"}
)

const errReadOnlyTable = "Attempt to modify a readonly table"

func newVM() *vm {
	l := lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: 8192, MinimizeStackMemory: true,
		RegistrySize: 1024, RegistryMaxSize: 256 << 10, RegistryGrowStep: 4096})
	v := &vm{state: l, globals: l.NewTable(), protected: map[*lua.LTable]bool{}}
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		l.Push(l.NewFunction(open))
		l.Call(0, 0)
	}
	given := l.Get(lua.GlobalsIndex).(*lua.LTable)
	pick := func(from *lua.LTable, names []string) *lua.LTable {
		t := l.NewTable()
		for _, name := range names {
			t.RawSetString(name, from.RawGetString(name))
		}
		return t
	}
	for _, name := range baseNames {
		v.globals.RawSetString(name, given.RawGetString(name))
	}
	library := func(name string, names []string, own map[string]lua.LGFunction) *lua.LTable {
		t := l.NewTable()
		if from, ok := given.RawGetString(name).(*lua.LTable); ok {
			t = pick(from, names)
		}
		l.SetFuncs(t, own)
		proxy := v.protect(t, lua.LNil)
		v.globals.RawSetString(name, proxy)
		return t
	}
	strings := library("string", stringNames, map[string]lua.LGFunction{"rep": v.luaRep, "format": v.luaFormat})
	for _, name := range []string{"find", "gmatch", "gsub", "match", "gfind"} {
		strings.RawSetString(name, v.bounded(strings.RawGetString(name).(*lua.LFunction)))
	}
	for _, name := range []string{"lower", "upper", "reverse", "sub", "char"} {
		strings.RawSetString(name, v.counted(strings.RawGetString(name).(*lua.LFunction)))
	}
	// "x":rep(3) finds the functions through the metatable of strings, which is nobody's.
	meta := l.NewTable()
	meta.RawSetString("__index", strings)
	meta.RawSetString("__metatable", lua.LNil)
	l.SetMetatable(lua.LString(""), meta)

	library("table", tableNames, map[string]lua.LGFunction{"concat": v.luaConcat})
	tables := v.protectedTable("table")
	for _, name := range []string{"insert", "remove"} {
		tables.RawSetString(name, v.shifting(tables.RawGetString(name).(*lua.LFunction)))
	}
	library("math", mathNames, map[string]lua.LGFunction{"random": v.luaRandom, "randomseed": v.luaRandomSeed})
	library("os", nil, map[string]lua.LGFunction{"clock": v.luaClock})
	v.globals.RawSetString("os", lua.LNil) // 7.0 has none; see Redis's list of what is allowed
	library("redis", nil, v.redisFunctions())
	v.redisConstants(v.protectedTable("redis"))
	for name, functions := range lualib.Libraries(v) {
		library(name, nil, functions)
	}
	v.protectedTable("cjson").RawSetString("null", lualib.Null)

	l.SetFuncs(v.globals, map[string]lua.LGFunction{
		"pcall":    v.luaPCall,
		concatName: v.concat, "tostring": v.luaToString, "setmetatable": v.luaSetMetatable, "rawset": v.luaRawSet,
		"getmetatable": v.luaGetMetatable, "loadstring": v.luaLoadString, "load": v.luaLoadString,
		"collectgarbage": func(l *lua.LState) int { l.Push(lua.LNumber(0)); return 1 },
		"setfenv":        v.luaSetFenv, "getfenv": v.luaGetFenv,
	})
	missing := l.NewTable()
	missing.RawSetString("__index", l.NewFunction(func(l *lua.LState) int {
		l.RaiseError("Script attempted to access nonexistent global variable '%s'", lua.LVAsString(l.Get(2)))
		return 0
	}))
	l.SetMetatable(v.globals, missing)
	env := v.protect(v.globals, lua.LFalse)
	v.globals.RawSetString("_G", env)
	l.G.Global = env
	l.Env = env
	return v
}

// protect returns an empty table through which another one can be read.
func (v *vm) protect(t *lua.LTable, metatable lua.LValue) *lua.LTable {
	l := v.state
	proxy, meta := l.NewTable(), l.NewTable()
	meta.RawSetString("__index", t)
	meta.RawSetString("__newindex", l.NewFunction(func(l *lua.LState) int {
		l.RaiseError(errReadOnlyTable)
		return 0
	}))
	if metatable != lua.LNil {
		meta.RawSetString("__metatable", metatable)
	}
	proxy.Metatable = meta
	v.protected[proxy], v.protected[t], v.protected[meta] = true, true, true
	return proxy
}

// protectedTable is the library behind the proxy of its name.
func (v *vm) protectedTable(name string) *lua.LTable {
	proxy := v.globals.RawGetString(name).(*lua.LTable)
	return proxy.Metatable.(*lua.LTable).RawGetString("__index").(*lua.LTable)
}

// Allocated counts memory for package lualib.
func (v *vm) Allocated(l *lua.LState, bytes int) { v.run.allocate(l, bytes) }

// counted counts the string that a function returns.
func (v *vm) counted(f *lua.LFunction) lua.LValue {
	return v.state.NewFunction(func(l *lua.LState) int {
		n := f.GFunction(l)
		if s, ok := l.Get(-n).(lua.LString); n > 0 && ok {
			v.run.allocate(l, len(s))
		}
		return n
	})
}

const (
	maxMatchWork  = 1e10 // of a pattern, at worst
	maxGsubResult = 256 << 20
)

// bounded refuses patterns that might take too long, and replacements that might become
// too large: both happen within one instruction.
func (v *vm) bounded(f *lua.LFunction) lua.LValue {
	return v.state.NewFunction(func(l *lua.LState) int {
		subject, pattern := l.CheckString(1), l.CheckString(2)
		work := 1.0
		for _, c := range pattern {
			if c == '*' || c == '+' || c == '-' || c == '?' {
				work *= float64(len(subject) + 1)
			}
		}
		if work > maxMatchWork {
			l.RaiseError("pattern too complex for a string of %d bytes", len(subject))
		}
		if replacement, ok := l.Get(3).(lua.LString); ok && (len(subject)+1)*len(replacement) > maxGsubResult {
			l.RaiseError("resulting string too large")
		}
		v.run.charge(len(subject))
		l.Insert(f, 1)
		l.Call(l.GetTop()-1, lua.MultRet)
		for i := 1; i <= l.GetTop(); i++ {
			if s, ok := l.Get(i).(lua.LString); ok {
				v.run.allocate(l, len(s))
			}
		}
		return l.GetTop()
	})
}

// shifting counts the elements that table.insert and table.remove move.
func (v *vm) shifting(f *lua.LFunction) lua.LValue {
	return v.state.NewFunction(func(l *lua.LState) int {
		v.run.charge(l.CheckTable(1).Len() / 64)
		return f.GFunction(l)
	})
}

// concat is a .. b.
func (v *vm) concat(l *lua.LState) int {
	a, aok := text(l.Get(1))
	b, bok := text(l.Get(2))
	if aok && bok {
		v.run.allocate(l, len(a)+len(b))
		l.Push(lua.LString(a + b))
		return 1
	}
	for i := 1; i <= 2; i++ {
		if meta := l.GetMetaField(l.Get(i), "__concat"); meta != lua.LNil {
			left, right := l.Get(1), l.Get(2)
			l.Push(meta)
			l.Push(left)
			l.Push(right)
			l.Call(2, 1)
			return 1
		}
	}
	bad := l.Get(1)
	if aok {
		bad = l.Get(2)
	}
	l.RaiseError("attempt to concatenate a %s value", bad.Type())
	return 0
}

// text is a string, or a number as Lua writes it: with 14 digits.
func text(value lua.LValue) (string, bool) {
	switch value := value.(type) {
	case lua.LString:
		return string(value), true
	case lua.LNumber:
		return lualib.FormatNumber(float64(value)), true
	}
	return "", false
}

// luaToString tells nothing of addresses, which differ from node to node.
func (v *vm) luaToString(l *lua.LState) int {
	value := l.CheckAny(1)
	if meta := l.GetMetaField(value, "__tostring"); meta != lua.LNil {
		l.Push(meta)
		l.Push(value)
		l.Call(1, 1)
		return 1
	}
	l.Push(lua.LString(plain(value)))
	return 1
}

func plain(value lua.LValue) string {
	if s, ok := text(value); ok {
		return s
	}
	switch value.Type() {
	case lua.LTNil, lua.LTBool:
		return value.String()
	}
	return value.Type().String() + ": 0x0"
}

func (v *vm) luaRep(l *lua.LState) int {
	s, n := l.CheckString(1), max(l.CheckInt(2), 0)
	if len(s) > 0 && n > maxScriptMemory/len(s) {
		n = maxScriptMemory/len(s) + 1
	}
	v.run.allocate(l, len(s)*n)
	l.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

func (v *vm) luaFormat(l *lua.LState) int {
	s, err := lualib.Format(l, plain)
	if err != nil {
		l.RaiseError("%s", err.Error())
	}
	v.run.allocate(l, len(s))
	l.Push(lua.LString(s))
	return 1
}

func (v *vm) luaConcat(l *lua.LState) int {
	t, separator := l.CheckTable(1), l.OptString(2, "")
	first, last := l.OptInt(3, 1), l.OptInt(4, t.Len())
	if last-first > maxInstructions {
		last = first + maxInstructions
	}
	var parts []string
	bytes := 0
	for i := first; i <= last; i++ {
		s, ok := text(t.RawGetInt(i))
		if !ok {
			l.RaiseError("invalid value (%s) at index %d in table for 'concat'", t.RawGetInt(i).Type(), i)
		}
		v.run.charge(1)
		if bytes += len(s) + len(separator); bytes > maxScriptMemory {
			v.run.allocate(l, bytes)
		}
		parts = append(parts, s)
	}
	v.run.allocate(l, bytes)
	l.Push(lua.LString(strings.Join(parts, separator)))
	return 1
}

func (v *vm) luaSetMetatable(l *lua.LState) int {
	t := l.CheckTable(1)
	if v.protected[t] {
		l.Error(lua.LString(errReadOnlyTable), 0)
	}
	l.CheckTypes(2, lua.LTNil, lua.LTTable)
	if l.GetMetaField(t, "__metatable") != lua.LNil {
		l.RaiseError("cannot change a protected metatable")
	}
	l.SetMetatable(t, l.Get(2))
	l.SetTop(1)
	return 1
}

// luaGetMetatable hides the metatables that protect.
func (v *vm) luaGetMetatable(l *lua.LState) int {
	value := l.CheckAny(1)
	t, ok := value.(*lua.LTable)
	switch {
	case value.Type() == lua.LTString:
		l.Push(l.NewTable())
		return 1
	case !ok || v.protected[t]:
		l.Push(lua.LNil)
		return 1
	}
	if hidden := l.GetMetaField(value, "__metatable"); hidden != lua.LNil {
		l.Push(hidden)
	} else {
		l.Push(l.GetMetatable(value))
	}
	return 1
}

// luaPCall gives the text of an error of redis.call, and not the table that is raised.
func (v *vm) luaPCall(l *lua.LState) int {
	l.CheckAny(1)
	err := l.PCall(l.GetTop()-1, lua.MultRet, nil)
	if err == nil {
		l.Insert(lua.LTrue, 1)
		return l.GetTop()
	}
	object := lua.LValue(lua.LString(err.Error()))
	if raised, ok := err.(*lua.ApiError); ok && raised.Object != nil {
		object = raised.Object
	}
	if t, ok := object.(*lua.LTable); ok {
		if text, ok := t.RawGetString("err").(lua.LString); ok {
			object = text
		}
	}
	l.Push(lua.LFalse)
	l.Push(object)
	return 2
}

func (v *vm) luaRawSet(l *lua.LState) int {
	t := l.CheckTable(1)
	if v.protected[t] {
		l.Error(lua.LString(errReadOnlyTable), 0)
	}
	t.RawSet(l.CheckAny(2), l.CheckAny(3))
	l.SetTop(1)
	return 1
}

func (v *vm) luaLoadString(l *lua.LState) int {
	name := "@" + chunkName
	proto, err := compileChunk(l.CheckString(1), l.OptString(2, name))
	v.run.charge(len(l.CheckString(1)))
	if err != nil {
		l.Push(lua.LNil)
		l.Push(lua.LString(err.Error()))
		return 2
	}
	l.Push(l.NewFunctionFromProto(proto))
	return 1
}

func (v *vm) luaSetFenv(l *lua.LState) int {
	f, ok := l.Get(1).(*lua.LFunction)
	if !ok || f.IsG {
		l.RaiseError("'setfenv' cannot change environment of given object")
	}
	f.Env = l.CheckTable(2)
	l.SetTop(1)
	return 1
}

func (v *vm) luaGetFenv(l *lua.LState) int {
	if f, ok := l.Get(1).(*lua.LFunction); ok && !f.IsG {
		l.Push(f.Env)
	} else {
		l.Push(v.globals.RawGetString("_G"))
	}
	return 1
}

func (v *vm) luaClock(l *lua.LState) int {
	l.Push(lua.LNumber(float64(v.run.tx.now) / 1000))
	return 1
}

func (v *vm) luaRandom(l *lua.LState) int {
	r := float64(v.run.rand.next()%math.MaxInt32) / math.MaxInt32
	low, high := 1, 0
	switch l.GetTop() {
	case 0:
		l.Push(lua.LNumber(r))
		return 1
	case 1:
		high = l.CheckInt(1)
	default:
		low, high = l.CheckInt(1), l.CheckInt(2)
	}
	if low > high {
		l.RaiseError("bad argument #%d to 'random' (interval is empty)", l.GetTop())
	}
	l.Push(lua.LNumber(math.Floor(r*float64(high-low+1)) + float64(low)))
	return 1
}

func (v *vm) luaRandomSeed(l *lua.LState) int {
	v.run.rand.seed(uint32(l.CheckInt(1)))
	return 0
}

// redisCall serves redis.call and redis.pcall.
func (v *vm) redisCall(protected bool) lua.LGFunction {
	return func(l *lua.LState) int {
		reply, err := v.command(l)
		if err != nil {
			reply = ErrorReply(err)
		}
		v.run.charge(50 + len(reply)/16)
		value, _ := v.value(reply)
		if reply.IsError() {
			table := value.(*lua.LTable)
			if !protected {
				table.RawSetString("line", lua.LNumber(lineOf(l)))
				l.Error(table, 1)
			}
		}
		l.Push(value)
		return 1
	}
}

// command runs the command whose words are the arguments of a call.
func (v *vm) command(l *lua.LState) (Reply, error) {
	if l.GetTop() == 0 {
		return nil, NewError("ERR", "Please specify at least one argument for this redis lib call")
	}
	args := make([][]byte, l.GetTop())
	for i := range args {
		switch arg := l.Get(i + 1).(type) {
		case lua.LString:
			args[i] = []byte(arg)
		case lua.LNumber:
			args[i] = []byte(lualib.FormatArgument(float64(arg)))
		default:
			return nil, NewError("ERR", "Lua redis lib command arguments must be strings or integers")
		}
	}
	return v.run.do(args)
}

func (r *scriptRun) do(args [][]byte) (Reply, error) {
	tx := r.tx
	cmd, err := tx.m.lookup(args)
	switch {
	case err != nil && connectionOnly[strings.ToLower(string(args[0]))]:
		return nil, NewError("ERR", "This Redis command is not allowed from script")
	case err != nil:
		return nil, NewError("ERR", "Unknown Redis command called from script")
	case !cmd.Accepts(len(args)):
		return nil, NewError("ERR", "Wrong number of args calling Redis command from script")
	case cmd.Flags&NoScript != 0 || cmd.Flags&Internal != 0 && cmd.Flags&ScriptOnly == 0:
		return nil, NewError("ERR", "This Redis command is not allowed from script")
	case cmd.Flags&(Write|MayReplicate) != 0 && (r.readOnly || tx.asking):
		return nil, NewError("ERR", "Write commands are not allowed from read-only scripts.")
	}
	if tx.user != nil {
		if denial := tx.user.Check(cmd, args); denial != nil {
			return nil, NewError("ERR", scriptDenials[denial.Reason])
		}
	}
	tx.db = r.db
	reply, err := cmd.Run(tx, args)
	r.db = tx.db
	if err != nil {
		return nil, err
	}
	return slices.Clone(reply), nil
}

var scriptDenials = map[string]string{
	"command": "The user executing the script can't run this command or subcommand",
	"key":     "The user executing the script can't access at least one of the keys mentioned in the command arguments",
	"channel": "The user executing the script can't publish to the channel mentioned in the command",
}

func (v *vm) redisFunctions() map[string]lua.LGFunction {
	single := func(name string) lua.LGFunction { // redis.error_reply and redis.status_reply
		return func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if !ok || l.GetTop() != 1 {
				l.Push(tableOf(l, "err", lua.LString("ERR wrong number or type of arguments")))
				return 1
			}
			if name == "err" && !strings.HasPrefix(string(s), "-") && !strings.Contains(string(s), " ") {
				s = "ERR " + s
			}
			l.Push(tableOf(l, name, lua.LString(strings.TrimPrefix(string(s), "-"))))
			return 1
		}
	}
	raise := func(l *lua.LState, text string) int {
		table := tableOf(l, "err", lua.LString("ERR "+text))
		table.RawSetString("line", lua.LNumber(lineOf(l)))
		l.Error(table, 1)
		return 0
	}
	return map[string]lua.LGFunction{
		"call": v.redisCall(false), "pcall": v.redisCall(true),
		"error_reply": single("err"), "status_reply": single("ok"),
		"sha1hex": func(l *lua.LState) int {
			if l.GetTop() != 1 {
				return raise(l, "wrong number of arguments")
			}
			s, _ := text(l.Get(1))
			v.run.charge(len(s) / 16)
			l.Push(lua.LString(scriptHash([]byte(s))))
			return 1
		},
		"log": func(l *lua.LState) int { // a keyspace has no log: the level is checked, and that is all
			if l.GetTop() < 2 {
				return raise(l, "redis.log() requires two arguments or more.")
			}
			level, ok := l.Get(1).(lua.LNumber)
			if !ok {
				return raise(l, "First argument must be a number (log level).")
			}
			if level < 0 || level > 3 {
				return raise(l, "Invalid debug level.")
			}
			return 0
		},
		"setresp": func(l *lua.LState) int {
			n, ok := l.Get(1).(lua.LNumber)
			switch {
			case l.GetTop() != 1:
				return raise(l, "redis.setresp() requires one argument.")
			case !ok || n != 2 && n != 3:
				return raise(l, "RESP version must be 2 or 3.")
			}
			v.run.resp3 = n == 3
			return 0
		},
		"replicate_commands": func(l *lua.LState) int { l.Push(lua.LTrue); return 1 },
		"set_repl":           func(l *lua.LState) int { return 0 },
		"breakpoint":         func(l *lua.LState) int { l.Push(lua.LFalse); return 1 },
		"debug":              func(l *lua.LState) int { return 0 },
		"acl_check_cmd": func(l *lua.LState) int {
			var args [][]byte
			for i := 1; i <= l.GetTop(); i++ {
				s, ok := text(l.Get(i))
				if !ok {
					return raise(l, "redis.acl_check_cmd() requires all arguments to be strings or integers")
				}
				args = append(args, []byte(s))
			}
			if len(args) == 0 {
				return raise(l, "Please specify at least one argument for this redis.acl_check_cmd() call")
			}
			cmd, err := v.run.tx.m.lookup(args)
			if err != nil {
				return raise(l, "Invalid command passed to redis.acl_check_cmd()")
			}
			user := v.run.tx.user
			l.Push(lua.LBool(user == nil || user.Check(cmd, args) == nil))
			return 1
		},
	}
}

func (v *vm) redisConstants(t *lua.LTable) {
	for name, value := range map[string]int{"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3} {
		t.RawSetString(name, lua.LNumber(value))
	}
	t.RawSetString("REDIS_VERSION", lua.LString(RedisVersion))
	var n int
	for _, part := range strings.Split(RedisVersion, ".") {
		var p int
		fmt.Sscan(part, &p)
		n = n<<8 | p
	}
	t.RawSetString("REDIS_VERSION_NUM", lua.LNumber(n))
}
