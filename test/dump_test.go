package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/fsm"
	"holdfast/test/harness"
	"holdfast/test/random"
	"holdfast/test/talk"
)

// fillWithEverything gives a server keys of all types in all databases, with deadlines and
// without, as the random commands of all rows leave them.
func fillWithEverything(t *testing.T, seed uint64, commands int, addresses ...string) *talk.Sockets {
	t.Helper()
	sockets := dialTalk(t, 3, addresses...)
	do := func(db uint8, args ...string) {
		if _, err := sockets.Do([]string{"SELECT", strconv.Itoa(int(db))}); err != nil {
			t.Fatal(err)
		}
		if reply, err := sockets.Do(args); err != nil || reply.Kind == '-' {
			t.Fatalf("%.100q: %v, %v", args, reply, err)
		}
	}
	setAllSizes(t, do)
	source := random.New(seed, append(withoutPeer(), "flushall", "flushdb", "swapdb")...)
	for range commands {
		if source.IntN(50) == 0 {
			if _, err := sockets.Do([]string{"SELECT", strconv.Itoa(source.IntN(fsm.Databases))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := sockets.Do(source.Command()); err != nil {
			t.Fatal(err)
		}
	}
	// Collections too large for the compact forms.
	var large [][]string
	for i := range 1000 {
		n := strconv.Itoa(i)
		large = append(large, []string{"RPUSH", "large:list", n, strings.Repeat("x", i)}, []string{"SADD", "large:set", "m" + n},
			[]string{"HSET", "large:hash", "f" + n, n}, []string{"ZADD", "large:zset", n + ".5", "m" + n})
	}
	if _, err := sockets.Pipeline(large); err != nil {
		t.Fatal(err)
	}
	return sockets
}

// redis-cli --rdb gets from any node what redis-server loads, and it is what the cluster
// held at one moment while clients went on writing.
func TestRedisCLIDump(t *testing.T) {
	t.Parallel()
	c := start(t)
	fillWithEverything(t, 1, 3000, c.Addrs()...)
	var done atomic.Bool
	var written atomic.Int64
	ended := make(chan error, 1)
	go func() {
		conn, err := c.Nodes[0].Dial()
		for i := int64(1); err == nil && !done.Load(); i++ {
			if _, err = conn.Do("SET", "counter", strconv.FormatInt(i, 10)); err == nil {
				written.Store(i)
			}
		}
		ended <- err
	}()
	defer func() { done.Store(true) }()

	files := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		files[i] = filepath.Join(t.TempDir(), "dump.rdb")
		_, port, _ := strings.Cut(node.Addr, ":")
		least := written.Load()
		out, err := exec.Command("redis-cli", "-p", port, "--rdb", files[i]).CombinedOutput()
		most := written.Load() + 1
		if err != nil || !strings.Contains(string(out), "Transfer finished with success") {
			t.Fatalf("redis-cli --rdb: %v: %s", err, out)
		}
		redis := loadIntoRedis(t, files[i])
		reply, err := redis.Do("GET", "counter")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := reply.(string)
		if n, err := strconv.ParseInt(text, 10, 64); text != "" && err != nil || n < least || n > most {
			t.Errorf("from node %d: the counter stands at %q, and %d to %d were acknowledged meanwhile", i, text, least, most)
		}
	}
	done.Store(true)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := c.Nodes[0].Do("DEL", "counter"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	last := loadIntoRedis(t, files[2])
	if _, err := last.Do("DEL", "counter"); err != nil {
		t.Fatal(err)
	}
	compareServers(t, c.Nodes[0].Addr, last.Addr)
	if info, err := os.Stat(files[2]); err == nil {
		t.Logf("%d bytes", info.Size())
	}
}

// compareServers compares all keys of all databases of a cluster and of a redis-server.
func compareServers(t *testing.T, ours, redis string) {
	t.Helper()
	var sides [2]*talk.Sockets
	for i, address := range []string{ours, redis} {
		side, err := talk.Dial(3, address)
		if err != nil {
			t.Fatal(err)
		}
		defer side.Close()
		sides[i] = side
	}
	d := differential{t: t, seed: 1} // RESP3
	for db := range fsm.Databases {
		d.compareKeys(sides[0], sides[1], db)
		if size, err := sides[1].Do([]string{"DBSIZE"}); err != nil || size.Text == "0" {
			t.Errorf("database %d is empty: nothing was compared, %v", db, err)
		}
	}
}

// A value of each type and form that DUMP returns there is restored here, and the other way,
// deadlines included.
func TestDumpBetweenServers(t *testing.T) {
	t.Parallel()
	c, err := harness.New(harness.Config{Binary: binary, Dir: t.TempDir(), Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for _, flags := range redisForms {
		full, empty := startRedis(t, flags...), startRedis(t, "--sanitize-dump-payload", "yes")
		fillWithEverything(t, 2, 2000, full.Addr)
		moveAll(t, full, c.Nodes[0])
		compareServers(t, c.Nodes[0].Addr, full.Addr)
		moveAll(t, c.Nodes[0], empty)
		compareServers(t, c.Nodes[0].Addr, empty.Addr)
		if _, err := c.Nodes[0].Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
}

// redisForms are settings of redis-server under which it writes other forms.
var redisForms = [][]string{
	{},
	{"--rdbcompression", "no", "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "0",
		"--list-max-listpack-size", "1", "--list-compress-depth", "1", "--maxmemory-policy", "allkeys-lfu", "--maxmemory", "1gb"},
	{"--hash-max-listpack-entries", "100000", "--hash-max-listpack-value", "100000", "--zset-max-listpack-entries", "100000",
		"--zset-max-listpack-value", "100000", "--set-max-intset-entries", "100000", "--list-max-listpack-size", "-5", "--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb"},
}

// moveAll restores all keys of a server at another.
func moveAll(t *testing.T, from, to *harness.Node) {
	t.Helper()
	a, err := from.Dial()
	if err != nil {
		t.Fatal(err)
	}
	b, err := to.Dial()
	if err != nil {
		t.Fatal(err)
	}
	do := func(conn *harness.Conn, args ...string) any {
		reply, err := conn.Do(args...)
		if err != nil {
			t.Fatalf("%.200q: %v", args, err)
		}
		return reply
	}
	for db := range fsm.Databases {
		do(a, "SELECT", strconv.Itoa(db))
		do(b, "SELECT", strconv.Itoa(db))
		for _, key := range do(a, "KEYS", "*").([]any) {
			key := key.(string)
			deadline := do(a, "PEXPIRETIME", key).(int64)
			do(b, "RESTORE", key, strconv.FormatInt(max(0, deadline), 10), do(a, "DUMP", key).(string), "ABSTTL")
		}
	}
}
