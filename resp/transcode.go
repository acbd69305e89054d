package resp

import (
	"bytes"

	"github.com/tidwall/redcon"

	"holdfast/fsm"
)

// appendReply appends a reply in the version of the protocol that the client speaks. The
// keyspace answers in RESP3; a client that speaks RESP2 gets maps, sets and pairs as flat
// arrays, doubles, big numbers and verbatim texts as bulk strings, booleans as 0 and 1. ok
// is false, and out unchanged, where reply is not one well-formed reply.
func appendReply(out []byte, reply fsm.Reply, version int) (_ []byte, ok bool) {
	if len(reply) == 0 {
		return out, false
	}
	switch reply[0] {
	case '+', '-', ':': // the same in both versions, and most of what is sent
		return append(out, reply...), true
	case '$':
		if version == 2 || len(reply) > 1 && reply[1] != '-' {
			return append(out, reply...), true
		}
	}
	t := transcoder{in: reply, out: out, version: version}
	if !t.element(0) || len(t.in) != 0 {
		return out, false
	}
	return t.out, true
}

// nextHeader returns the first line of a reply that is well-formed, without its end, and
// what follows; n is the number in it, 0 where it has none.
func nextHeader(reply fsm.Reply) (line, rest fsm.Reply, n int) {
	end := bytes.IndexByte(reply, '\n')
	line, rest = reply[:end-1], reply[end+1:]
	if number, ok := parseInt(line[1:]); ok {
		n = int(number)
	}
	return line, rest, n
}

// nextReply divides what is one reply, well-formed, from those behind it.
func nextReply(replies fsm.Reply) (one, rest fsm.Reply) {
	line, rest, n := nextHeader(replies)
	switch line[0] {
	case '$', '=', '!':
		if n >= 0 {
			rest = rest[n+2:]
		}
	case '%', '^':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for range n {
			_, rest = nextReply(rest)
		}
	}
	return replies[:len(replies)-len(rest)], rest
}

// maxDepth is how deep replies nest. COMMAND DOCS, the deepest, has about a dozen levels.
const maxDepth = 32

type transcoder struct {
	in, out []byte
	version int
}

// element takes one reply, with all that it contains, from in to out.
func (t *transcoder) element(depth int) bool {
	end := bytes.IndexByte(t.in, '\n')
	if end < 2 || t.in[end-1] != '\r' || depth > maxDepth {
		return false
	}
	kind, line, whole := t.in[0], t.in[1:end-1], t.in[:end+1]
	t.in = t.in[end+1:]
	switch kind {
	case '+', '-', ':':
		t.out = append(t.out, whole...)
		return true
	case '_':
		t.null('$')
		return true
	case '#':
		return t.bool(line, whole)
	case ',', '(':
		if t.version == 2 {
			t.out = redcon.AppendBulk(t.out, line)
		} else {
			t.out = append(t.out, whole...)
		}
		return true
	case '$', '=', '*', '%', '^', '~', '>':
	default:
		return false
	}
	n, ok := parseInt(line)
	switch {
	case ok && n == -1 && (kind == '$' || kind == '*'):
		t.null(kind)
		return true
	case !ok || n < 0 || n > int64(len(t.in)): // an element is longer than a byte
		return false
	case kind == '$' || kind == '=':
		return t.bulk(kind, int(n), whole)
	}
	return t.aggregate(kind, int(n), whole, depth)
}

func (t *transcoder) null(kind byte) {
	if t.version == 2 {
		t.out = append(t.out, kind, '-', '1', '\r', '\n')
	} else {
		t.out = append(t.out, "_\r\n"...)
	}
}

func (t *transcoder) bool(line, whole []byte) bool {
	if len(line) != 1 || line[0] != 't' && line[0] != 'f' {
		return false
	}
	switch {
	case t.version != 2:
		t.out = append(t.out, whole...)
	case line[0] == 't':
		t.out = append(t.out, ":1\r\n"...)
	default:
		t.out = append(t.out, ":0\r\n"...)
	}
	return true
}

func (t *transcoder) bulk(kind byte, n int, header []byte) bool {
	if len(t.in) < n+2 || t.in[n] != '\r' || t.in[n+1] != '\n' || kind == '=' && n < 4 {
		return false
	}
	if kind == '=' && t.version == 2 {
		t.out = redcon.AppendBulk(t.out, t.in[4:n]) // without the format, "txt:"
	} else {
		t.out = append(append(t.out, header...), t.in[:n+2]...)
	}
	t.in = t.in[n+2:]
	return true
}

func (t *transcoder) aggregate(kind byte, n int, header []byte, depth int) bool {
	elements := n
	if kind == '%' || kind == '^' {
		elements = 2 * n
	}
	switch {
	case t.version == 2:
		t.out = redcon.AppendArray(t.out, elements)
	case kind == '^':
		t.out = redcon.AppendArray(t.out, n)
	default:
		t.out = append(t.out, header...)
	}
	for i := range elements {
		if kind == '^' && t.version != 2 && i%2 == 0 {
			t.out = redcon.AppendArray(t.out, 2)
		}
		if !t.element(depth + 1) {
			return false
		}
	}
	return true
}
