package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
)

// redisCLI runs redis-cli on a node and returns what it prints. It is ended after a while,
// as some modes go on for ever.
func redisCLI(t *testing.T, n *harness.Node, input string, limit time.Duration, args ...string) string {
	t.Helper()
	_, port, _ := strings.Cut(n.Addr, ":")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// stdbuf: what it has printed must not be lost when it is ended.
	cmd := exec.CommandContext(ctx, "stdbuf", append([]string{"-o0", "redis-cli", "-p", port}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil && cmd.ProcessState.ExitCode() != 1 { // 1 is for an error that it prints
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return string(out)
}

func dialNode(t *testing.T, n *harness.Node) *harness.Conn {
	t.Helper()
	conn, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const cliLimit = 30 * time.Second

// cliData is what the modes of redis-cli look at: the largest of each type is one alone.
func cliData() (lines []string) {
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("SET string:%d %s EX 10000", i, strings.Repeat("x", i+1)))
	}
	for i := range 20 {
		for k := range i + 1 {
			lines = append(lines, fmt.Sprintf("RPUSH list:%d %d", i, k), fmt.Sprintf("SADD set:%d m%d", i, k),
				fmt.Sprintf("HSET hash:%d f%d %d", i, k, k), fmt.Sprintf("ZADD zset:%d %d m%d", i, k, k))
		}
	}
	return lines
}

// The modes of redis-cli print on every node of a cluster what they print on Redis.
func TestRedisCLI(t *testing.T) {
	t.Parallel()
	c, redis := start(t), startRedis(t)
	script := filepath.Join(t.TempDir(), "script.lua")
	if err := os.WriteFile(script, []byte("return {KEYS[1], ARGV[1], redis.call('LLEN', KEYS[1])}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var pipe bytes.Buffer
	lines := cliData()
	for _, line := range lines {
		words := strings.Fields(line)
		fmt.Fprintf(&pipe, "*%d\r\n", len(words))
		for _, word := range words {
			fmt.Fprintf(&pipe, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	for _, n := range []*harness.Node{c.Nodes[1], redis} {
		if out := redisCLI(t, n, pipe.String(), cliLimit, "--pipe"); !strings.Contains(out, fmt.Sprintf("errors: 0, replies: %d", len(lines))) {
			t.Fatalf("%s: --pipe: %s", n.Name, out)
		}
	}

	sorted := func(out string) string {
		lines := strings.Split(out, "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	summary := func(out string) string {
		_, after, _ := strings.Cut(out, "-------- summary -------")
		return sorted(after)
	}
	sizes := regexp.MustCompile(`(?m)^Biggest.*$|[\d.]+ bytes|[\d.]+%|avg size [\d.]+`)
	withoutSizes := func(out string) string { // which are each server's own, and with them which key is the largest
		return sizes.ReplaceAllString(summary(out), "")
	}
	for _, mode := range []struct {
		args  []string
		input string
		alike func(string) string
	}{
		{[]string{"--bigkeys"}, "", summary},
		{[]string{"--memkeys"}, "", withoutSizes},
		{[]string{"--memkeys-samples", "0"}, "", withoutSizes},
		{[]string{"--hotkeys"}, "", nil},
		{[]string{"--scan"}, "", sorted},
		{[]string{"--scan", "--pattern", "list:1*"}, "", sorted},
		{[]string{"--scan", "--pattern", "*", "--count", "7"}, "", sorted},
		{[]string{"--eval", script, "list:7", ",", "argument"}, "", nil},
		{[]string{"--csv", "LRANGE", "list:3", "0", "-1"}, "", nil},
		{[]string{"--csv", "ZRANGE", "zset:3", "0", "-1", "WITHSCORES"}, "", nil},
		{[]string{"--json", "HGETALL", "hash:2"}, "", nil},
		{[]string{"--json", "ZRANGE", "zset:2", "0", "-1", "WITHSCORES"}, "", nil},
		{[]string{"-3", "HGETALL", "hash:2"}, "", nil},
		{[]string{"-x", "SET", "piped"}, "a value\nof two lines\x00", nil},
		{[]string{"GET", "piped"}, "", nil},
		{[]string{"-n", "3", "DBSIZE"}, "", nil},
		{[]string{"-r", "3", "PING"}, "", nil},
		{nil, "SORT list:3 DESC LIMIT 0 2\nOBJECT HELP x\nSLOWLOG GET 0\n", nil},
		{[]string{"MEMORY", "USAGE", "nosuch"}, "", nil},
		{[]string{"LATENCY", "LATEST"}, "", nil},
	} {
		t.Run(strings.Join(mode.args, " "), func(t *testing.T) {
			if mode.alike == nil {
				mode.alike = func(out string) string { return out }
			}
			want := mode.alike(redisCLI(t, redis, mode.input, cliLimit, mode.args...))
			for _, n := range c.Nodes {
				if got := mode.alike(redisCLI(t, n, mode.input, cliLimit, mode.args...)); got != want || want == "" {
					t.Errorf("on %s:\n%s\non Redis:\n%s", n.Name, got, want)
				}
			}
		})
	}
}

// These measure, so that what they print is no other server's; --stat and
// --latency-history go on until they are ended.
func TestRedisCLIMeasures(t *testing.T) {
	c := start(t)
	do(t, dialNode(t, c.Nodes[0]), "MSET", "a", "1", "b", "2", "c", "3")
	n := c.Nodes[1]
	for _, mode := range []struct {
		args  []string
		limit time.Duration
		want  string
	}{
		{[]string{"--stat", "-i", "0.1"}, time.Second, `(?m)^3 +[\d.]+M +\d+ +\d+ +\d+ \(\+\d+\) +\d+`},
		{[]string{"--raw", "--latency", "-i", "0.3"}, cliLimit, `^\d+ \d+ \d+\.\d\d \d+\n$`},
		{[]string{"--latency-history", "-i", "0.2"}, time.Second, `(?m)^\d+ \d+ \d+\.\d\d \d+\n -- \d+\.\d\d seconds range$`},
	} {
		if out := redisCLI(t, n, "", mode.limit, mode.args...); !regexp.MustCompile(mode.want).MatchString(out) {
			t.Errorf("redis-cli %v: %q, want %s", mode.args, out, mode.want)
		}
	}
	for _, command := range []string{"sort", "hgetex", "memory usage"} { // HGETEX is known from COMMAND alone
		if out := redisCLI(t, n, "help "+command+"\n", cliLimit); !strings.Contains(strings.ToLower(out), command+"\x1b") {
			t.Errorf("redis-cli, help %s: %q", command, out)
		}
	}
}

// SHUTDOWN ends a node as SIGTERM does, and nobody else notices.
func TestShutdownCommand(t *testing.T) {
	t.Parallel()
	c := start(t)
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	other := dialNode(t, c.Others(leader)[0])
	do(t, other, "SET", "k", "v")
	if out := redisCLI(t, leader, "", cliLimit, "SHUTDOWN", "SAVE"); out != "" {
		t.Errorf("SHUTDOWN SAVE was answered: %s", out)
	}
	if status, err := leader.Wait(15 * time.Second); err != nil || status != 0 {
		t.Fatalf("the node ended with status %d (%v)", status, err)
	}
	if len(leader.Snapshots()) == 0 {
		t.Error("SAVE has left no snapshot")
	}
	do(t, other, "APPEND", "k", "w")
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := do(t, dialNode(t, leader), "GET", "k"); got != "vw" {
		t.Errorf("after the restart k is %v", got)
	}
	agree(t, c)
}
