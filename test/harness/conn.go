package harness

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
)

// Conn is a client's connection, one command or one pipeline at a time. It never
// reconnects and never sends anything again: what a connection sees is what a test of
// promises is about.
type Conn struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

// Error is an error reply.
type Error string

func (e Error) Error() string { return string(e) }

// Dial opens a connection.
func Dial(addr string) (*Conn, error) {
	return dial(Host{}, addr)
}

func dial(from Host, addr string) (*Conn, error) {
	c, err := from.dial(addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// Do sends a command and returns its reply: nil, string (simple or bulk), int64,
// float64, bool or []any; maps and sets are []any too. An error reply is an Error.
func (c *Conn) Do(args ...string) (any, error) {
	if err := c.Send(args...); err != nil {
		return nil, err
	}
	return c.Receive()
}

// Pipeline sends commands in one write and returns their replies; an error reply
// stands among them, as an Error.
func (c *Conn) Pipeline(commands ...[]string) ([]any, error) {
	var out []byte
	for _, args := range commands {
		out = AppendCommand(out, args...)
	}
	if _, err := c.Write(out); err != nil {
		return nil, err
	}
	replies := make([]any, len(commands))
	for i := range replies {
		reply, err := c.Receive()
		if e, ok := err.(Error); ok {
			reply = e
		} else if err != nil {
			return replies[:i], err
		}
		replies[i] = reply
	}
	return replies, nil
}

// Send sends a command.
func (c *Conn) Send(args ...string) error {
	c.out = AppendCommand(c.out[:0], args...)
	_, err := c.Write(c.out)
	return err
}

// AppendCommand appends a command as clients send it.
func AppendCommand(b []byte, args ...string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	for _, arg := range args {
		b = append(b, "\r\n$"...)
		b = strconv.AppendInt(b, int64(len(arg)), 10)
		b = append(b, "\r\n"...)
		b = append(b, arg...)
	}
	return append(b, "\r\n"...)
}

// Receive reads one reply.
func (c *Conn) Receive() (any, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("reply %q", line)
	}
	kind, text := line[0], string(line[1:len(line)-2])
	switch kind {
	case '+', '(':
		return text, nil
	case '-':
		return nil, Error(text)
	case ':':
		return strconv.ParseInt(text, 10, 64)
	case ',':
		return strconv.ParseFloat(text, 64)
	case '#':
		return text == "t", nil
	case '_':
		return nil, nil
	case '$', '=', '!':
		return c.bulk(kind, text)
	case '*', '~', '>', '%', '|':
		return c.aggregate(kind, text)
	}
	return nil, fmt.Errorf("reply %q", line)
}

func (c *Conn) bulk(kind byte, text string) (any, error) {
	size, err := strconv.Atoi(text)
	if err != nil || size > math.MaxInt32 {
		return nil, fmt.Errorf("bulk of %q bytes", text)
	}
	if size < 0 {
		return nil, nil
	}
	body := make([]byte, size+2)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	body = body[:size]
	switch {
	case kind == '!':
		return nil, Error(body)
	case kind == '=' && size >= 4:
		body = body[4:] // "txt:"
	}
	return string(body), nil
}

func (c *Conn) aggregate(kind byte, text string) (any, error) {
	size, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("aggregate of %q", text)
	}
	if size < 0 {
		return nil, nil
	}
	if kind == '%' || kind == '|' {
		size *= 2
	}
	var list []any
	for range size {
		element, err := c.Receive()
		if e, ok := err.(Error); ok {
			element = e
		} else if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	if kind == '|' { // an attribute stands before the reply proper
		return c.Receive()
	}
	return list, nil
}
