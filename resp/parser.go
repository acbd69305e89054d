package resp

import (
	"bytes"
	"fmt"
)

// parser finds the commands in what a client sends, as Redis 7 reads it:
//
//	*<arguments>\r\n { $<length>\r\n <bytes>\r\n } | an inline command \n
//
// It remembers how far into an incomplete command it has come, so that a command that
// arrives in many pieces is looked at once, and it checks every number before anything
// is allocated for it. (redcon.ReadNextCommand starts anew with each piece, and has no
// limits.)
type parser struct {
	maxBulk   int64
	maxArgs   int
	maxInline int
	anonymous bool // the client has yet to authenticate, and gets little room until then

	pos   int    // how far into the command we are
	left  int    // arguments to come; 0 means that no array has begun
	bulk  int    // length of the argument that comes next, -1 before its header
	spans []span // where in the command its arguments are
}

type span struct{ from, to int }

// errProtocol is sent to the client before its connection is closed: what it sends next
// could not be told apart from data.
type errProtocol string

func (e errProtocol) Code() string  { return "ERR" }
func (e errProtocol) Error() string { return "Protocol error: " + string(e) }

// What a client that has not authenticated may send, as in Redis: enough for HELLO with
// AUTH and SETNAME.
const (
	anonymousArgs = 10
	anonymousBulk = 16384
)

// next returns the length of the command that buf begins with, 0 while it is not
// complete, and appends its arguments, which alias buf, to args. An empty line and an
// empty array are commands without arguments. Until it has returned a length, each call
// must get the same buf, grown or moved.
func (p *parser) next(buf []byte, args [][]byte) (int, [][]byte, error) {
	if p.left == 0 {
		if len(buf) == 0 {
			return 0, args, nil
		}
		if buf[0] != '*' {
			return p.inline(buf, args)
		}
		n, ok, err := p.number(buf, '*')
		if !ok || err != nil {
			return 0, args, err
		}
		if n <= 0 {
			return p.finish(), args, nil
		}
		p.left, p.bulk = int(n), -1
	}
	for p.left > 0 {
		if p.bulk < 0 {
			n, ok, err := p.number(buf, '$')
			if !ok || err != nil {
				return 0, args, err
			}
			p.bulk = int(n)
		}
		if len(buf)-p.pos < p.bulk+2 {
			return 0, args, nil
		}
		p.spans = append(p.spans, span{p.pos, p.pos + p.bulk})
		p.pos += p.bulk + 2 // like Redis, without a look at the two bytes
		p.left, p.bulk = p.left-1, -1
	}
	for _, s := range p.spans {
		args = append(args, buf[s.from:s.to:s.to])
	}
	return p.finish(), args, nil
}

// finish makes the parser ready for the next command and returns the length of this.
func (p *parser) finish() int {
	n := p.pos
	p.pos, p.left = 0, 0
	if cap(p.spans) > 1024 {
		p.spans = nil // a command of a million arguments leaves nothing behind
	}
	p.spans = p.spans[:0]
	return n
}

// number reads the header "<kind><number>\r\n" at pos and goes past it; ok is false
// while it is not complete.
func (p *parser) number(buf []byte, kind byte) (n int64, ok bool, err error) {
	rest := buf[p.pos:]
	end := bytes.IndexByte(rest, '\r')
	switch {
	case end < 0 && len(rest) > p.maxInline && kind == '*':
		return 0, false, errProtocol("too big mbulk count string")
	case end < 0 && len(rest) > p.maxInline:
		return 0, false, errProtocol("too big bulk count string")
	case end < 0 || end+2 > len(rest):
		return 0, false, nil
	case rest[0] != kind:
		return 0, false, errProtocol(fmt.Sprintf("expected '$', got '%c'", printable(rest[0])))
	}
	n, valid := parseInt(rest[1:end])
	switch {
	case kind == '*' && (!valid || n > int64(p.maxArgs)):
		return 0, false, errProtocol("invalid multibulk length")
	case kind == '*' && p.anonymous && n > anonymousArgs:
		return 0, false, errProtocol("unauthenticated multibulk length")
	case kind == '$' && (!valid || n < 0 || n > p.maxBulk):
		return 0, false, errProtocol("invalid bulk length")
	case kind == '$' && p.anonymous && n > anonymousBulk:
		return 0, false, errProtocol("unauthenticated bulk length")
	}
	p.pos += end + 2
	return n, true, nil
}

// inline reads a command as a person types it: words on a line.
func (p *parser) inline(buf []byte, args [][]byte) (int, [][]byte, error) {
	end := bytes.IndexByte(buf, '\n')
	if end < 0 {
		if len(buf) > p.maxInline {
			return 0, args, errProtocol("too big inline request")
		}
		return 0, args, nil
	}
	args, ok := splitWords(buf[:end], args)
	if !ok {
		return 0, args, errProtocol("unbalanced quotes in request")
	}
	return end + 1, args, nil
}

// buffered is the memory held for the command beside its bytes.
func (p *parser) buffered() int { return cap(p.spans) * 40 } // a span now, a slice's header later

// printable keeps a byte that an error quotes from ending the error's line.
func printable(c byte) rune {
	if c == '\r' || c == '\n' {
		return ' '
	}
	return rune(c)
}

// parseInt reads a number as Redis writes it: no sign but '-', no leading zeros, no
// blanks, within 64 bits.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 1 && b[0] >= '0' && b[0] <= '9' {
		return int64(b[0] - '0'), true
	}
	negative := len(b) > 0 && b[0] == '-'
	digits := b
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), true
	case !negative && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}
