package resp

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
)

// startRedis starts a real redis-server and returns its address.
func startRedis(t *testing.T, flags ...string) string {
	t.Helper()
	redis, err := harness.StartRedis(t.TempDir(), append([]string{"--enable-debug-command", "yes"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Kill() })
	return redis.Addr
}

// TestConversation holds the same conversations with a real Redis and with this server.
func TestConversation(t *testing.T) {
	for _, test := range []struct{ file, password string }{
		{"conversation.txt", ""},
		{"password.txt", "secret"},
		{"pubsub.txt", ""},
		{"acl.txt", ""},
		{"operator.txt", ""},
	} {
		t.Run(test.file, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxBulkBytes, cfg.QueryBufferBytes, cfg.InflightBytes = 512<<20, 512<<20, 512<<20
			cfg.RequirePass = test.password
			_, ours := serve(t, cfg, newMemoryStore())
			redis := startRedis(t, "--requirepass", test.password)
			converseAll(t, filepath.Join("testdata", test.file), redis, ours)
		})
	}
}

func converseAll(t *testing.T, file, redis, ours string) {
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, b := dial(t, redis), dial(t, ours)
	for i, line := range strings.Split(string(script), "\n") {
		switch {
		case line == "" || line[0] == '#':
			continue
		case line == "new":
			a, b = dial(t, redis), dial(t, ours)
			continue
		case line[0] == '"':
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		default:
			line += "\r\n"
		}
		want, got := alike(converse(a, line)), alike(converse(b, line))
		if got != want {
			t.Errorf("line %d: %q\n got %q\nwant %q", i+1, line, got, want)
		}
	}
}

// alike makes equal what is not to be equal in HELLO, COMMAND INFO, the slow log and what MONITOR
// shows.
func alike(reply string) string {
	reply = regexp.MustCompile(`\*6\r\n:\d+\r\n:\d+\r\n:\d+\r\n`).ReplaceAllString(reply, "<slow>")
	reply = regexp.MustCompile(`\$\d+\r\n127.0.0.1:\d+\r\n`).ReplaceAllString(reply, "<client>")
	reply = regexp.MustCompile(`\+\d+\.\d{6} \[(\d+) [^\]]*\]`).ReplaceAllString(reply, "+<time> [$1 <client>]")
	reply = regexp.MustCompile(`\$5\r\nnotes\r\n\$\d+\r\n.*\r\n`).ReplaceAllString(reply, "<notes>")
	reply = regexp.MustCompile(`\$\d\r\n7\.\d\.\d+\r\n`).ReplaceAllString(reply, "<version>")
	return regexp.MustCompile(`\$2\r\nid\r\n:\d+\r\n`).ReplaceAllString(reply, "<id>")
}

// converse sends data and returns all that comes back for it: what comes before the
// reply to an unknown command that is sent after it, which every client gets that has a
// connection, and whether the connection was closed.
func converse(c *testClient, data string) string {
	const mark = "end-of-reply"
	c.send(data)
	time.Sleep(time.Millisecond) // let an error close the connection before more is sent
	c.Write([]byte(command(mark)))
	var all, messages strings.Builder // Redis sends some messages before a reply and some after it
	for {
		c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		reply, err := readReply(c.r)
		switch {
		case err != nil && os.IsTimeout(err):
			return messages.String() + all.String() + reply + "<silent>"
		case err != nil:
			return messages.String() + all.String() + reply + "<closed>"
		case strings.Contains(reply, mark):
			return messages.String() + all.String()
		case strings.HasPrefix(reply, ">"):
			messages.WriteString(reply)
		default:
			all.WriteString(reply)
		}
	}
}
