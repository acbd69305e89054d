package talk

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Value is one reply, with all that the protocol tells of it.
type Value struct {
	Kind  byte    // the first byte of the reply: '+', '-', ':', '$', '*', '%', ...; '_' for nulls
	Text  string  // of what has no items; in a null "$" or "*" where RESP2 tells the two apart
	Items []Value // of '*', '~', '>'; and of '%' and '^' (pairs, of a bare machine), flat
}

// maxReplyBytes is far more than a test asks for.
const maxReplyBytes = 1 << 30

// Read reads one reply.
func Read(r *bufio.Reader) (Value, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return Value{}, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return Value{}, fmt.Errorf("reply %q", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+', '-', ':', ',', '#', '(', '_':
		return Value{Kind: kind, Text: text}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > maxReplyBytes || n < -1 || strconv.Itoa(n) != text {
		return Value{}, fmt.Errorf("reply %q", line)
	}
	switch {
	case n == -1 && (kind == '$' || kind == '*'):
		return Value{Kind: '_', Text: string(kind)}, nil
	case n < 0:
	case kind == '$' || kind == '=':
		body := make([]byte, n+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return Value{}, err
		}
		if string(body[n:]) != "\r\n" {
			return Value{}, fmt.Errorf("%q follows %q of %d bytes", body[n:], kind, n)
		}
		return Value{Kind: kind, Text: string(body[:n])}, nil
	case strings.IndexByte("*~>%^", kind) >= 0:
		if kind == '^' && n == 0 {
			kind = '*' // what is empty has no form
		}
		if kind == '%' || kind == '^' {
			n *= 2
		}
		v := Value{Kind: kind}
		for range n {
			item, err := Read(r)
			if err != nil {
				return Value{}, err
			}
			v.Items = append(v.Items, item)
		}
		return v, nil
	}
	return Value{}, fmt.Errorf("reply %q", line)
}

// Parse reads a reply that is all of data.
func Parse(data []byte) (Value, error) {
	r := bufio.NewReader(strings.NewReader(string(data)))
	v, err := Read(r)
	if err == nil && r.Buffered() > 0 {
		err = fmt.Errorf("%d bytes follow the reply", r.Buffered())
	}
	if err != nil {
		return Value{}, fmt.Errorf("%q: %w", data, err)
	}
	return v, nil
}

var (
	plainStatus = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	plainError  = regexp.MustCompile(`^[A-Z]+ [ -~]*[!-~]$`)
)

// String writes the value as scripts do.
func (v Value) String() string {
	switch v.Kind {
	case '+':
		if plainStatus.MatchString(v.Text) && !keywords[v.Text] {
			return v.Text
		}
		return "+" + strconv.Quote(v.Text)
	case '-':
		return "-" + strconv.Quote(v.Text)
	case ':':
		return v.Text
	case '$':
		return strconv.Quote(v.Text)
	case '=':
		return "=" + strconv.Quote(v.Text)
	case '_':
		if v.Text == "*" {
			return "nil-array"
		}
		return "nil"
	case '#', ',', '(':
		return string(v.Kind) + v.Text
	}
	var items []string
	for _, item := range v.Items {
		items = append(items, item.String())
	}
	list := strings.Join(items, " ")
	switch v.Kind {
	case '*':
		return "[" + list + "]"
	case '%':
		return "{" + list + "}"
	case '^':
		return "pairs [" + list + "]"
	}
	return string(v.Kind) + "[" + list + "]"
}
