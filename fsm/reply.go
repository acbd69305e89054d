package fsm

import (
	"fmt"
	"math"
	"strconv"
)

// Reply is the answer to one command, encoded: RESP3 as the protocol's
// specification has it, except for what a connection needs to turn it into either
// version: the two nulls of RESP2 stay distinct ("$-1" and "*-1"), and pairs, which are
// arrays of two in RESP3 and not nested in RESP2, are marked ("^n", then 2n elements).
// The same bytes travel over the links between nodes and rest in the once-table.
type Reply []byte

// The replies that need no data.
var (
	OK         = Status("OK")
	Nil        = Reply("$-1\r\n") // a null where RESP2 has a null bulk string
	NilArray   = Reply("*-1\r\n") // a null where RESP2 has a null array
	EmptyArray = Reply("*0\r\n")
)

// Status is a simple string: +text.
func Status(text string) Reply { return Reply("+" + text + "\r\n") }

// Int is an integer: :n.
func Int(n int64) Reply {
	if n >= 0 && n < int64(len(smallInts)) {
		return smallInts[n]
	}
	return appendHeader(make(Reply, 0, 24), ':', n)
}

// Bool is an integer 1 or 0, as most Redis commands say yes and no.
func Bool(b bool) Reply {
	if b {
		return smallInts[1]
	}
	return smallInts[0]
}

// Bulk is a binary-safe string; b is copied.
func Bulk(b []byte) Reply {
	r := appendHeader(make(Reply, 0, len(b)+16), '$', int64(len(b)))
	return append(append(r, b...), '\r', '\n')
}

// BulkString is Bulk of a string.
func BulkString(s string) Reply {
	r := appendHeader(make(Reply, 0, len(s)+16), '$', int64(len(s)))
	return append(append(r, s...), '\r', '\n')
}

// Double is a RESP3 double, which RESP2 clients get as a bulk string.
func Double(f float64) Reply { var b Builder; b.Double(f); return b.Reply() }

// ErrorReply is the reply that tells a client of err. An err with a Code method is
// sent under that code, any other as ERR.
func ErrorReply(err error) Reply {
	if e, ok := err.(*Error); ok {
		return Reply("-" + e.Code() + " " + oneLine(e.text) + "\r\n")
	}
	if e, ok := err.(interface{ Code() string }); ok {
		return Reply("-" + e.Code() + " " + oneLine(err.Error()) + "\r\n")
	}
	return Reply("-ERR " + oneLine(err.Error()) + "\r\n")
}

// IsError reports whether the reply is an error.
func (r Reply) IsError() bool { return len(r) > 0 && r[0] == '-' }

// Builder puts aggregate replies together: a header with the number of elements,
// then the elements.
type Builder struct{ buf []byte }

func (b *Builder) Array(n int)     { b.buf = appendHeader(b.buf, '*', int64(n)) }
func (b *Builder) Map(n int)       { b.buf = appendHeader(b.buf, '%', int64(n)) } // n pairs
func (b *Builder) Pairs(n int)     { b.buf = appendHeader(b.buf, '^', int64(n)) } // n pairs
func (b *Builder) Set(n int)       { b.buf = appendHeader(b.buf, '~', int64(n)) }
func (b *Builder) Push(n int)      { b.buf = appendHeader(b.buf, '>', int64(n)) }
func (b *Builder) Int(n int64)     { b.buf = appendHeader(b.buf, ':', n) }
func (b *Builder) Nil()            { b.buf = append(b.buf, Nil...) }
func (b *Builder) NilArray()       { b.buf = append(b.buf, NilArray...) }
func (b *Builder) Status(s string) { b.buf = append(append(append(b.buf, '+'), s...), '\r', '\n') }
func (b *Builder) Append(r Reply)  { b.buf = append(b.buf, r...) }
func (b *Builder) Reply() Reply    { return b.buf }
func (b *Builder) Bulk(s []byte) {
	b.bulkHeader(len(s))
	b.buf = append(append(b.buf, s...), '\r', '\n')
}
func (b *Builder) BulkString(s string) {
	b.bulkHeader(len(s))
	b.buf = append(append(b.buf, s...), '\r', '\n')
}
func (b *Builder) bulkHeader(n int) { b.buf = appendHeader(b.buf, '$', int64(n)) }

// Verbatim is text in the format "txt", which RESP2 clients get as a bulk string.
func (b *Builder) Verbatim(text string) {
	b.buf = appendHeader(b.buf, '=', int64(len(text)+4))
	b.buf = append(append(append(b.buf, "txt:"...), text...), '\r', '\n')
}

// Bool is a RESP3 boolean, which RESP2 clients get as 1 or 0.
func (b *Builder) Bool(v bool) {
	if v {
		b.buf = append(b.buf, "#t\r\n"...)
	} else {
		b.buf = append(b.buf, "#f\r\n"...)
	}
}

// BigNumber is an integer of any length, which RESP2 clients get as a bulk string.
func (b *Builder) BigNumber(digits string) {
	b.buf = append(append(append(b.buf, '('), digits...), '\r', '\n')
}

// Double writes f as FormatDouble does.
func (b *Builder) Double(f float64) {
	b.buf = append(append(append(b.buf, ','), FormatDouble(f)...), '\r', '\n')
}

// FormatDouble writes f as Redis 7.0 does: "%.17g", so 0.1 is 0.10000000000000001.
func FormatDouble(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}

var smallInts = func() (replies [64]Reply) {
	for i := range replies {
		replies[i] = Reply(fmt.Sprintf(":%d\r\n", i))
	}
	return replies
}()

func appendHeader(buf []byte, kind byte, n int64) []byte {
	return append(strconv.AppendInt(append(buf, kind), n, 10), '\r', '\n')
}

// oneLine keeps a reply on its line: an error's text may quote what a client sent.
func oneLine(s string) string {
	clean := []byte(s)
	for i, c := range clean {
		if c == '\r' || c == '\n' {
			clean[i] = ' '
		}
	}
	return string(clean)
}
