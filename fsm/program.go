package fsm

import (
	"fmt"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// program is a script in the form in which it is run: a fact about this node alone.
type program struct {
	proto  *lua.FunctionProto
	writes bool // it may write: it has not said that it does not ("#!lua flags=no-writes")
}

// programs remembers what was compiled. It is safe for concurrent use, as scripts that
// only read run side by side.
type programs struct {
	mu     sync.Mutex
	byHash map[string]*program
}

const maxPrograms = 4096

func (p *programs) forget() {
	p.mu.Lock()
	p.byHash = nil
	p.mu.Unlock()
}

func (p *programs) compile(hash, source string) (*program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.byHash[hash]; known != nil {
		return known, nil
	}
	compiled, err := compileScript(source)
	if err != nil {
		return nil, err
	}
	if p.byHash == nil || len(p.byHash) >= maxPrograms {
		p.byHash = map[string]*program{}
	}
	p.byHash[hash] = compiled
	return compiled, nil
}

const chunkName = "user_script"

func compileScript(source string) (*program, error) {
	p := &program{writes: true}
	if rest, ok := strings.CutPrefix(source, "#!"); ok {
		shebang, _, _ := strings.Cut(rest, "\n")
		if err := p.shebang(strings.TrimSpace(shebang)); err != nil {
			return nil, err
		}
		source = source[2+len(shebang):] // the line stays, empty, so that the others keep their numbers
	}
	proto, err := compileChunk(source, chunkName)
	if err != nil {
		return nil, NewError("ERR", "Error compiling script (new function): "+err.Error())
	}
	p.proto = proto
	return p, nil
}

func (p *program) shebang(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "lua" {
		return NewError("ERR", "Unexpected engine in script shebang: #!"+line)
	}
	for _, word := range words[1:] {
		flags, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			return NewError("ERR", "Unknown lua shebang option: "+word)
		}
		for _, flag := range strings.Split(flags, ",") {
			switch flag {
			case "no-writes":
				p.writes = false
			case "", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys":
			default:
				return NewError("ERR", "Unexpected flag in script shebang: "+flag)
			}
		}
	}
	return nil
}

// concatName is the global that "a .. b" is compiled to a call of, so that the memory it
// takes can be counted; a script cannot spell it.
const concatName = " concat"

func compileChunk(source, name string) (proto *lua.FunctionProto, err error) {
	defer func() { // the parser panics on some inputs that are no Lua
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", name, p)
		}
	}()
	chunk, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		if e, ok := err.(*parse.Error); ok {
			near := fmt.Sprintf("near '%s'", e.Token)
			if e.Pos.Line == parse.EOF {
				near = "near '<eof>'"
			}
			return nil, fmt.Errorf("%s:%d: %s %s", name, max(e.Pos.Line, 1), e.Message, near)
		}
		return nil, err
	}
	countConcats(chunk)
	return lua.Compile(chunk, name)
}

// countConcats turns every "a .. b" below some statements into a call of concatName.
func countConcats(statements []ast.Stmt) {
	for _, s := range statements {
		switch s := s.(type) {
		case *ast.AssignStmt:
			rewriteAll(s.Lhs)
			rewriteAll(s.Rhs)
		case *ast.LocalAssignStmt:
			rewriteAll(s.Exprs)
		case *ast.FuncCallStmt:
			s.Expr = rewrite(s.Expr)
		case *ast.DoBlockStmt:
			countConcats(s.Stmts)
		case *ast.WhileStmt:
			s.Condition = rewrite(s.Condition)
			countConcats(s.Stmts)
		case *ast.RepeatStmt:
			s.Condition = rewrite(s.Condition)
			countConcats(s.Stmts)
		case *ast.IfStmt:
			s.Condition = rewrite(s.Condition)
			countConcats(s.Then)
			countConcats(s.Else)
		case *ast.NumberForStmt:
			s.Init, s.Limit = rewrite(s.Init), rewrite(s.Limit)
			if s.Step != nil {
				s.Step = rewrite(s.Step)
			}
			countConcats(s.Stmts)
		case *ast.GenericForStmt:
			rewriteAll(s.Exprs)
			countConcats(s.Stmts)
		case *ast.FuncDefStmt:
			countConcats(s.Func.Stmts)
		case *ast.ReturnStmt:
			rewriteAll(s.Exprs)
		}
	}
}

func rewriteAll(list []ast.Expr) {
	for i := range list {
		list[i] = rewrite(list[i])
	}
}

func rewrite(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.StringConcatOpExpr:
		name := &ast.IdentExpr{Value: concatName}
		call := &ast.FuncCallExpr{Func: name, Args: []ast.Expr{rewrite(e.Lhs), rewrite(e.Rhs)}, AdjustRet: true}
		for _, at := range []ast.PositionHolder{name, call} {
			at.SetLine(e.Line())
			at.SetLastLine(e.LastLine())
		}
		return call
	case *ast.AttrGetExpr:
		e.Object, e.Key = rewrite(e.Object), rewrite(e.Key)
	case *ast.TableExpr:
		for _, field := range e.Fields {
			if field.Key != nil {
				field.Key = rewrite(field.Key)
			}
			field.Value = rewrite(field.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = rewrite(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = rewrite(e.Receiver)
		}
		rewriteAll(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = rewrite(e.Lhs), rewrite(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = rewrite(e.Lhs), rewrite(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = rewrite(e.Lhs), rewrite(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = rewrite(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = rewrite(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = rewrite(e.Expr)
	case *ast.FunctionExpr:
		countConcats(e.Stmts)
	}
	return e
}
