package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/fsm"
	"holdfast/test/harness"
)

// try runs a subcommand and returns what it has printed, and whether it succeeded.
func try(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	out, errs, status := holdfast(t, args...)
	t.Logf("holdfast %s\n%s%s", strings.Join(args, " "), out, errs)
	return out + errs, status == 0
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, ok := try(t, args...)
	if !ok {
		t.Fatal("it has failed")
	}
	return out
}

func mustDo(t *testing.T, n *harness.Node, args ...string) any {
	t.Helper()
	reply, err := n.Do(args...)
	if err != nil {
		t.Fatalf("%.200q: %v", args, err)
	}
	return reply
}

// A backup of a cluster is loaded by redis-server, and is imported into an empty cluster: both
// times every key, value and deadline is the same.
func TestBackup(t *testing.T) {
	t.Parallel()
	c := start(t)
	fillWithEverything(t, 3, 3000, c.Addrs()...)
	lead := c.Nodes[0]
	mustDo(t, lead, "ACL", "SETUSER", "keeper", "on", ">s3cret", "+sync", "+psync", "+replconf")
	mustDo(t, lead, "ACL", "SETUSER", "locked", "on", ">s3cret", "+@all", "-@dangerous")
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.rdb")
	out := mustRun(t, "backup", file, "--from", "redis://keeper:s3cret@"+c.Nodes[1].Addr)
	if !strings.Contains(out, " keys\n") || !strings.Contains(out, " bytes, in ") {
		t.Errorf("it says %q", out)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(before), "holdfast-") || strings.Contains(string(before), "keeper") {
		t.Error("the backup tells more than the keys")
	}

	// What fails leaves the last backup as it is, and nothing beside it.
	damaged := fakeMaster(t, append([]byte(fmt.Sprintf("$%d\r\n", len(before))), before[:len(before)-9]...), "\x00"+string(before[len(before)-8:]))
	for _, from := range []string{"redis://keeper:wrong@" + lead.Addr, "redis://locked:s3cret@" + lead.Addr, "redis://127.0.0.1:1", "redis://" + damaged,
		"redis://" + fakeMaster(t, []byte("$1000\r\nREDIS0010"), ""), "redis://" + fakeMaster(t, []byte("-ERR no\r\n"), ""), "nonsense"} {
		if _, ok := try(t, "backup", file, "--from", from, "--patience", "2s"); ok {
			t.Errorf("a backup from %s", from)
		}
		if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
			t.Errorf("from %s: the last backup is another now: %v", from, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}

	redis := loadIntoRedis(t, file)
	compareServers(t, lead.Addr, redis.Addr)

	mustDo(t, lead, "FLUSHALL")
	mustRun(t, "import", "rdb", file, "--to", "redis://"+c.Nodes[2].Addr)
	compareServers(t, lead.Addr, redis.Addr)
	// A backup of the same keys is the same file, but for the time at its beginning.
	mustRun(t, "backup", file+"2", "--from", "redis://"+lead.Addr)
	after, err := os.ReadFile(file + "2")
	if err != nil || len(after) != len(before) {
		t.Errorf("%d bytes, %d in the first, %v", len(after), len(before), err)
	}
}

// fakeMaster answers SYNC with some bytes, and more after a moment, and everything before it
// with OK.
func fakeMaster(t *testing.T, answer []byte, more string) string {
	t.Helper()
	l, err := harness.Listen(func(conn net.Conn) {
		buf := make([]byte, 1000)
		for n := 1; n > 0; {
			n, _ = conn.Read(buf)
			if strings.Contains(string(buf[:n]), "SYNC") {
				conn.Write(answer)
				time.Sleep(10 * time.Millisecond)
				conn.Write([]byte(more))
				return
			}
			conn.Write([]byte("+OK\r\n"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// What redis-server has dumped, in whatever form, is imported at a cluster and reads back the
// same. To import it again does no harm.
func TestImportRDB(t *testing.T) {
	t.Parallel()
	c := start(t)
	to := "redis://" + c.Nodes[1].Addr
	for _, flags := range redisForms {
		redis := startRedis(t, append(flags, "--enable-debug-command", "yes")...)
		mustDo(t, redis, "DEBUG", "QUICKLIST-PACKED-THRESHOLD", "300b") // longer elements stand alone
		fillWithEverything(t, 4, 3000, redis.Addr)
		mustDo(t, redis, "SAVE")
		file := filepath.Join(redis.Dir, "dump.rdb")

		dry := mustRun(t, "import", "rdb", file, "--to", to, "--dry-run")
		for db := range fsm.Databases {
			conn, err := c.Nodes[0].Dial()
			if err != nil {
				t.Fatal(err)
			}
			conn.Do("SELECT", strconv.Itoa(db))
			if size, err := conn.Do("DBSIZE"); err != nil || size != int64(0) {
				t.Errorf("the dry run leaves %v keys in database %d, %v", size, db, err)
			}
		}
		wet := mustRun(t, "import", "rdb", file, "--to", to)
		if n := numberBefore(t, wet, "taken"); n == 0 || n != numberBefore(t, dry, "would be taken") {
			t.Errorf("%d keys were taken", n)
		}
		compareServers(t, c.Nodes[2].Addr, redis.Addr)
		again := mustRun(t, "import", "rdb", file, "--to", to)
		if numberBefore(t, again, "taken") != 0 || numberBefore(t, again, "left out: there already") != numberBefore(t, wet, "taken") {
			t.Error("the second time it is otherwise")
		}
		compareServers(t, c.Nodes[2].Addr, redis.Addr)
		mustDo(t, c.Nodes[0], "FLUSHALL")
	}
	if err := c.Agree(); err != nil {
		t.Fatal(err)
	}
}

// numberBefore is the number in the line that ends with some words.
func numberBefore(t *testing.T, output, words string) int {
	t.Helper()
	for _, line := range strings.Split(output, "\n") {
		if fields := strings.Fields(line); strings.HasSuffix(line, " "+words) && strings.Join(fields[1:], " ") == words {
			n, err := strconv.Atoi(fields[0])
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return n
		}
	}
	return 0
}

// The prefix and the database can be chosen; what has expired is left out; streams are refused
// with the whole file, or left out as asked; so is nothing of a damaged file taken.
func TestImportRDBChoices(t *testing.T) {
	t.Parallel()
	c := start(t)
	to := "redis://" + c.Nodes[0].Addr
	redis := startRedis(t)
	mustDo(t, redis, "SET", "k", "v")
	mustDo(t, redis, "RPUSH", "l", "a", "b")
	mustDo(t, redis, "SET", "short", "v", "PX", "1500")
	mustDo(t, redis, "SET", "long", "v", "PXAT", "4000000000123")
	saveTo := func(name string) string {
		mustDo(t, redis, "SAVE")
		path := filepath.Join(t.TempDir(), name)
		if err := os.Rename(filepath.Join(redis.Dir, "dump.rdb"), path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := saveTo("plain.rdb")
	mustDo(t, redis, "XADD", "x", "*", "f", "v")
	mustDo(t, redis, "XGROUP", "CREATE", "x", "g", "0")
	mustDo(t, redis, "XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
	streams := saveTo("streams.rdb")
	time.Sleep(1600 * time.Millisecond)

	out := mustRun(t, "import", "rdb", file, "--to", to, "--prefix", "old:", "--db", "5")
	if numberBefore(t, out, "taken") != 3 || numberBefore(t, out, "left out: expired") != 1 {
		t.Errorf("it says %q", out)
	}
	conn, err := c.Nodes[1].Dial()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		command string
		want    any
	}{
		{"SELECT 5", "OK"}, {"GET old:k", "v"}, {"LLEN old:l", int64(2)}, {"PEXPIRETIME old:long", int64(4000000000123)},
		{"EXISTS old:short", int64(0)}, {"DBSIZE", int64(3)}, {"SET old:k mine", "OK"},
	} {
		if got, err := conn.Do(strings.Fields(step.command)...); err != nil || got != step.want {
			t.Errorf("%s: %v, %v, want %v", step.command, got, err, step.want)
		}
	}
	mustRun(t, "import", "rdb", file, "--to", to, "--prefix", "old:", "--db", "5")
	if got, err := conn.Do("GET", "old:k"); err != nil || got != "mine" {
		t.Errorf("what was there is %v now, %v", got, err)
	}
	mustRun(t, "import", "rdb", file, "--to", to, "--prefix", "old:", "--db", "5", "--replace")
	if got, err := conn.Do("GET", "old:k"); err != nil || got != "v" {
		t.Errorf("what was to be replaced is %v, %v", got, err)
	}

	mustDo(t, redis, "DEL", "x")
	mustDo(t, redis, "SETRANGE", "huge", strconv.Itoa(33<<20), "x")
	huge := saveTo("huge.rdb")
	if out, ok := try(t, "import", "rdb", huge, "--to", to, "--prefix", "old:", "--db", "5"); ok ||
		numberBefore(t, out, "left out: too long for a command") != 1 || !strings.Contains(out, `"old:huge": too long for a command`) {
		t.Error("a value that is too long is not told")
	}

	if out, ok := try(t, "import", "rdb", streams, "--to", to); ok || !strings.Contains(out, `key "x" in database 0 is a stream`) {
		t.Error("a file with a stream is not refused")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	damaged := filepath.Join(t.TempDir(), "damaged.rdb")
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := try(t, "import", "rdb", damaged, "--to", to); ok || !strings.Contains(out, "offset") {
		t.Error("a damaged file is not refused")
	}
	if size := mustDo(t, c.Nodes[0], "DBSIZE"); size != int64(0) {
		t.Errorf("%v keys of refused files were taken", size)
	}
	out = mustRun(t, "import", "rdb", streams, "--to", to, "--skip-unknown")
	if numberBefore(t, out, "taken") != 3 || numberBefore(t, out, "left out: of a type that has no place here") != 1 {
		t.Errorf("it says %q", out)
	}
}
