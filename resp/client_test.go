package resp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testClient is the other end of a connection: it sends bytes and reads replies.
type testClient struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, address string) *testClient {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &testClient{t, nc, bufio.NewReader(nc)}
}

// do sends a command and returns the bytes of its reply.
func (c *testClient) do(args ...string) string {
	c.t.Helper()
	c.send(command(args...))
	return c.reply()
}

func (c *testClient) send(data string) {
	c.t.Helper()
	if _, err := io.WriteString(c, data); err != nil {
		c.t.Fatal(err)
	}
}

// reply reads one reply.
func (c *testClient) reply() string {
	c.t.Helper()
	reply, err := readReply(c.r)
	if err != nil {
		c.t.Fatalf("after %q: %v", reply, err)
	}
	return reply
}

// rest reads until the server closes the connection.
func (c *testClient) rest() string {
	c.t.Helper()
	data, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("after %q: %v", data, err)
	}
	return string(data)
}

func (c *testClient) want(want string, args ...string) {
	c.t.Helper()
	if got := c.do(args...); got != want {
		c.t.Errorf("%q: got %q, want %q", args, got, want)
	}
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return line, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line, nil
		}
		body := make([]byte, n+2)
		_, err = io.ReadFull(r, body)
		return line + string(body), err
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return line, nil
	}
	var all bytes.Buffer
	all.WriteString(line)
	for range max(n, 0) {
		element, err := readReply(r)
		all.WriteString(element)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}

func command(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

func dialError(address string) (net.Conn, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(time.Second))
	_, err = nc.Read(make([]byte, 1))
	nc.Close()
	return nil, err
}
