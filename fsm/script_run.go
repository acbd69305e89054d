package fsm

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The limits of a script. They are counted in what the script does and not in time, so
// that every node stops it at the same instruction.
const (
	maxInstructions = 5_000_000
	maxScriptMemory = 64 << 20 // bytes of all strings that it makes
)

// vm runs scripts, one at a time.
type vm struct {
	state *lua.LState
	// globals is what a script sees; it gets at it through an empty table that it cannot
	// write to, so that nothing is left behind for the next script.
	globals   *lua.LTable
	protected map[*lua.LTable]bool
	run       *scriptRun
}

// scriptRun is one run of a script.
type scriptRun struct {
	tx       *Tx
	db       int
	hash     string
	readOnly bool
	resp3    bool // redis.setresp(3)
	rand     scriptRand
	meter
}

// meter counts what a script does. It is the context of its Lua state, which asks Done
// before every instruction.
type meter struct {
	context.Context
	steps, memory int64
	exceeded      error
}

// limitError is which limit a script has exceeded.
type limitError string

func (e limitError) Error() string {
	return "Script exceeded the limit of " + string(e) + " and was undone"
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (m *meter) Done() <-chan struct{} {
	if m.steps++; m.steps > maxInstructions && m.exceeded == nil {
		m.exceeded = limitError(fmt.Sprintf("%d instructions", maxInstructions))
	}
	if m.exceeded != nil {
		return closed
	}
	return nil
}

func (m *meter) Err() error { return m.exceeded }

// charge counts work that is done within one instruction.
func (m *meter) charge(steps int) { m.steps += int64(steps) }

// allocate counts a string, and ends the script if that is too much.
func (m *meter) allocate(l *lua.LState, bytes int) {
	m.memory += int64(bytes)
	m.charge(bytes / 64)
	if m.memory > maxScriptMemory {
		if m.exceeded == nil {
			m.exceeded = limitError(fmt.Sprintf("%d bytes of memory", maxScriptMemory))
		}
		l.RaiseError("%s", m.exceeded.Error())
	}
}

// runScript runs a script in the transaction's database.
func (tx *Tx) runScript(hash, source string, keys, args [][]byte, readOnly bool) (Reply, error) {
	p, err := tx.m.programs.compile(hash, source)
	if err != nil {
		return nil, err
	}
	v := tx.m.vms.Get().(*vm)
	run := &scriptRun{tx: tx, db: tx.db, hash: hash, readOnly: readOnly || !p.writes}
	run.meter.Context = context.Background()
	run.rand.seed(0)
	v.run = run
	v.state.SetContext(&run.meter)
	var j *journal
	events := len(tx.m.events)
	if !tx.asking {
		j = tx.m.beginJournal()
	}
	tx.script = true
	reply, err := v.call(p, keys, args)
	tx.script = false
	if !tx.asking {
		tx.m.endJournal()
	}
	tx.db = run.db
	if run.exceeded != nil {
		if j != nil {
			j.rollback()
			tx.m.events = tx.m.events[:events]
		}
		return nil, NewError("ERR", run.exceeded.Error()+" script: "+hash)
	}
	v.run = nil
	tx.m.vms.Put(v) // one that went beyond a limit may be in any state
	return reply, err
}

func (v *vm) call(p *program, keys, args [][]byte) (reply Reply, err error) {
	l := v.state
	defer l.SetTop(0)
	v.globals.RawSetString("KEYS", stringTable(l, keys))
	v.globals.RawSetString("ARGV", stringTable(l, args))
	line := 0
	handler := l.NewFunction(func(l *lua.LState) int {
		line = lineOf(l)
		return 1
	})
	l.Push(l.NewFunctionFromProto(p.proto))
	if err := l.PCall(0, 1, handler); err != nil {
		return nil, v.scriptError(err, line)
	}
	return v.reply(l.Get(-1)), nil
}

func stringTable(l *lua.LState, values [][]byte) *lua.LTable {
	t := l.CreateTable(len(values), 0)
	for i, value := range values {
		t.RawSetInt(i+1, lua.LString(value))
	}
	return t
}

var (
	position  = regexp.MustCompile(`^` + chunkName + `:(\d+):`)
	whereLine = regexp.MustCompile(`^[^:]*:(\d+):`)
)

// lineOf is the line of the script that is running, 0 if that is not known.
func lineOf(l *lua.LState) int {
	for level := 0; level < 4; level++ {
		if found := whereLine.FindStringSubmatch(l.Where(level)); found != nil {
			n, _ := strconv.Atoi(found[1])
			return n
		}
	}
	return 0
}

// scriptError is the answer to a script that raised an error: as Redis has it, with the
// hash of the script and the line.
func (v *vm) scriptError(err error, line int) error {
	code, text := "ERR", err.Error()
	if raised, ok := err.(*lua.ApiError); ok {
		switch object := raised.Object.(type) {
		case *lua.LTable:
			text = lua.LVAsString(object.RawGetString("err"))
			code, text, _ = strings.Cut(text, " ")
			if n, ok := object.RawGetString("line").(lua.LNumber); ok {
				line = int(n)
			}
		case lua.LString:
			text = string(object)
		default:
			if raised.Object != nil {
				text = lua.LVAsString(raised.Object)
			}
		}
	}
	if found := position.FindStringSubmatch(text); found != nil {
		line, _ = strconv.Atoi(found[1])
	}
	return NewError(code, fmt.Sprintf("%s script: %s, on @%s:%d.", text, v.run.hash, chunkName, max(line, 1)))
}

// scriptRand is the generator of math.random in Redis, which begins anew with each
// script: that of drand48.
type scriptRand uint64

func (r *scriptRand) seed(n uint32) { *r = scriptRand(uint64(n)<<16 | 0x330e) }

func (r *scriptRand) next() int32 {
	*r = (*r*0x5deece66d + 0xb) & (1<<48 - 1)
	return int32(*r >> 17)
}
