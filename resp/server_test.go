package resp

import (
	"strings"
	"testing"
)

func TestConnectionCommands(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	c := dial(t, address)
	c.want("+PONG\r\n", "ping")
	c.want("$2\r\nhi\r\n", "PING", "hi")
	c.want("-ERR wrong number of arguments for 'ping' command\r\n", "PING", "a", "b")
	c.want("$1\r\nx\r\n", "ECHO", "x")
	c.want("+OK\r\n", "SELECT", "15")
	c.want("-ERR DB index is out of range\r\n", "SELECT", "16")
	c.want("-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n", "nosuch", "a", "b")
	c.want("-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.\r\n", "client", "nosuch")
	if got := c.do("HELLO", "3"); !strings.HasPrefix(got, "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n") {
		t.Errorf("HELLO 3: %q", got)
	}
	c.want("_\r\n", "CLIENT", "GETNAME")
	c.want("+RESET\r\n", "RESET")
	c.want("$-1\r\n", "CLIENT", "GETNAME")
	c.want("+OK\r\n", "QUIT")
	if rest := c.rest(); rest != "" {
		t.Errorf("after QUIT: %q", rest)
	}
}
