package test

import (
	"flag"
	"path/filepath"
	"testing"

	"holdfast/test/harness"
	"holdfast/test/talk"
)

var update = flag.Bool("update", false, "write what redis-server answers into the conversations of fsm/testdata")

func conversations(t *testing.T) (scripts []*talk.Script) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(harness.Root(), "fsm", "testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		script, err := talk.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, script)
	}
	return scripts
}

// dialTalk opens connections that end with the test, to servers without a key.
func dialTalk(t *testing.T, version int, addresses ...string) *talk.Sockets {
	t.Helper()
	sockets, err := talk.Dial(version, addresses...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sockets.Close)
	if _, err := sockets.Do([]string{"FLUSHALL"}); err != nil {
		t.Fatal(err)
	}
	return sockets
}

func startRedis(t *testing.T, flags ...string) *harness.Node {
	t.Helper()
	redis, err := harness.StartRedis(t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Kill() })
	return redis
}

// The conversations of the data types say what Redis says, in both versions of the
// protocol. Together with TestConversations, and that of package fsm, this makes the
// replies of a bare machine, of a cluster and of Redis equal byte for byte.
func TestConversationsWithRedis(t *testing.T) {
	t.Parallel()
	redis2, redis3 := startRedis(t), startRedis(t)
	for _, script := range conversations(t) {
		if script.Own {
			continue
		}
		t.Run(filepath.Base(script.Name), func(t *testing.T) {
			resp2, resp3 := dialTalk(t, 2, redis2.Addr), dialTalk(t, 3, redis3.Addr)
			if *update {
				replies2, err := script.Hold(resp2)
				if err != nil {
					t.Fatal(err)
				}
				replies3, err := script.Hold(resp3)
				if err != nil {
					t.Fatal(err)
				}
				if err := script.Rewrite(resp2, resp3, replies2, replies3); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Run("RESP2", func(t *testing.T) { script.Run(t, resp2) })
			t.Run("RESP3", func(t *testing.T) { script.Run(t, resp3) })
		})
	}
}

// Every command of a conversation goes to another node of the cluster.
func TestConversations(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, script := range conversations(t) {
		t.Run(filepath.Base(script.Name), func(t *testing.T) {
			for _, version := range []int{2, 3} {
				script.Run(t, dialTalk(t, version, c.Addrs()...))
			}
			agree(t, c)
		})
	}
}
