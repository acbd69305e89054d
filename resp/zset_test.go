package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/fsm"
)

// Random commands on sorted sets have the replies of a real Redis, byte for byte in both
// versions of the protocol, also when the machine is restored from its own snapshot now
// and then. Redis reads that file, too.
func TestSortedSetsLikeRedis(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := zsetCommands{rand.New(rand.NewPCG(seed, 1))}
	store := newMemoryStore()
	_, ours := serve(t, DefaultConfig(), store)
	a, b := dial(t, startRedis(t)), dial(t, ours)
	const batches, batch = 100, 100
	for i := range batches {
		lines := []string{command("HELLO", strconv.Itoa(2+i%2)), command("PING")} // HELLO tells the version
		for range batch {
			lines = append(lines, command(g.next()...))
		}
		for _, key := range zsetKeys {
			lines = append(lines, command("ZRANGE", key, "0", "-1", "WITHSCORES"))
		}
		all := strings.Join(lines, "")
		a.send(all)
		b.send(all)
		a.reply()
		b.reply()
		for _, line := range lines[1:] {
			if want, got := a.reply(), b.reply(); got != want {
				t.Fatalf("batch %d: %q\n got %q\nwant %q", i, line, got, want)
			}
		}
		if i%5 == 0 {
			restore(t, store)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), restore(t, store), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, startRedis(t, "--dir", dir))
	b.want("+RESET\r\n", "RESET")
	for _, key := range zsetKeys {
		line := []string{"ZRANGE", key, "0", "-1", "WITHSCORES"}
		c.want(b.do(line...), line...)
	}
}

// restore replaces the machine with one that has read its snapshot, and returns the file.
func restore(t *testing.T, store *memoryStore) []byte {
	t.Helper()
	store.mu.Lock()
	defer store.mu.Unlock()
	snapshot := store.machine.Snapshot()
	defer snapshot.Release()
	var file bytes.Buffer
	if _, err := snapshot.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	restored := fsm.New()
	if err := restored.Restore(bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	again := restored.Snapshot()
	defer again.Release()
	if got, want := again.Digest(), snapshot.Digest(); got != want {
		t.Fatalf("restored: digest %s, was %s", got, want)
	}
	if err := store.machine.Restore(bytes.NewReader(file.Bytes())); err != nil { // and go on from there
		t.Fatal(err)
	}
	return file.Bytes()
}

// zsetKeys are: small sorted sets, one that is often large, one whose scores are all 0,
// and a set, a string and nothing.
var zsetKeys = []string{"z0", "z1", "z2", "big", "lex"}

// zsetCommands makes up command lines. They leave out what is up to chance, and scores
// that Redis shows otherwise once a sorted set was large, though it is small again (-0).
type zsetCommands struct{ *rand.Rand }

func (g zsetCommands) of(words ...string) string { return words[g.IntN(len(words))] }

func (g zsetCommands) key() string {
	return g.of("z0", "z0", "z1", "z1", "z2", "big", "big", "big", "set", "nosuch", "string")
}

func (g zsetCommands) member(key string) string {
	switch {
	case key == "big" && g.IntN(300) == 0:
		return strings.Repeat("long", 20)
	case key == "big":
		return fmt.Sprint("m", g.IntN(300))
	}
	return fmt.Sprint("m", g.IntN(12))
}

func (g zsetCommands) score() string {
	switch g.IntN(12) {
	case 0:
		return g.of("inf", "-inf", "+inf", "1e20", "-1e300", "0.1", "1e-7", "9007199254740993", "x", "0x1p3")
	case 1, 2:
		return strconv.FormatFloat(g.NormFloat64()*100, 'g', -1, 64)
	}
	return strconv.Itoa(g.IntN(20) - 5)
}

func (g zsetCommands) bound() string {
	bound := g.of("", "", "(") + g.score()
	return g.of(bound, bound, bound, bound, "-inf", "+inf", "(inf", "", "nan")
}

func (g zsetCommands) lexBound() string {
	return g.of("-", "+", "[", "("+g.member("lex"), "["+g.member("lex"), "["+g.member("big"), "x")
}

func (g zsetCommands) rank() string { return strconv.Itoa(g.IntN(30) - 15) }

func (g zsetCommands) limit() []string {
	if g.IntN(3) > 0 {
		return nil
	}
	return []string{"LIMIT", strconv.Itoa(g.IntN(8) - 1), strconv.Itoa(g.IntN(12) - 1)}
}

func (g zsetCommands) maybe(words ...string) []string {
	if g.IntN(2) == 0 {
		return nil
	}
	return words
}

func (g zsetCommands) combination(name string) []string {
	line := []string{name}
	if strings.HasSuffix(name, "STORE") {
		line = append(line, g.of("z0", "z1", "z2", "string"))
	}
	n := 1 + g.IntN(3)
	line = append(line, strconv.Itoa(n))
	for range n {
		line = append(line, g.of(g.key(), "z0", "z1", "set", "big"))
	}
	if name == "ZINTERCARD" {
		return append(line, g.maybe("LIMIT", strconv.Itoa(g.IntN(5)))...)
	}
	if !strings.HasPrefix(name, "ZDIFF") {
		if g.IntN(2) == 0 {
			line = append(line, "WEIGHTS")
			for range n {
				line = append(line, g.of("1", "2", "0.3", "1e10", "inf"))
			}
		}
		line = append(line, g.maybe("AGGREGATE", g.of("SUM", "MIN", "MAX"))...)
	}
	if !strings.HasSuffix(name, "STORE") {
		line = append(line, g.maybe("WITHSCORES")...)
	}
	return line
}

func (g zsetCommands) selection(by string) []string {
	switch by {
	case "BYSCORE":
		return []string{g.bound(), g.bound()}
	case "BYLEX":
		return []string{g.lexBound(), g.lexBound()}
	}
	return []string{g.rank(), g.rank()}
}

func (g zsetCommands) next() []string {
	key := g.key()
	switch g.IntN(20) {
	default:
		line := []string{"ZADD", key}
		line = slices.Concat(line, g.options())
		for range 1 + g.IntN(6) {
			line = append(line, g.score(), g.member(key))
		}
		return line
	case 0:
		return []string{"ZINCRBY", key, g.score(), g.member(key)}
	case 1, 2:
		return []string{"ZREM", key, g.member(key), g.member(key), g.member(key)}
	case 3:
		return []string{g.of("ZRANK", "ZREVRANK", "ZSCORE", "ZMSCORE"), key, g.member(key)}
	case 4:
		return slices.Concat([]string{g.of("ZPOPMIN", "ZPOPMAX"), key}, g.maybe(strconv.Itoa(g.IntN(6)-1)))
	case 5:
		return slices.Concat([]string{"ZMPOP", "2", g.key(), key, g.of("MIN", "MAX")}, g.maybe("COUNT", strconv.Itoa(g.IntN(40))))
	case 6:
		by := g.of("", "BYSCORE")
		return slices.Concat([]string{"ZRANGE", key}, g.selection(by), strings.Fields(by), g.maybe("REV"), g.limit(), g.maybe("WITHSCORES"))
	case 7:
		return slices.Concat([]string{"ZRANGE", "lex"}, g.selection("BYLEX"), []string{"BYLEX"}, g.maybe("REV"), g.limit())
	case 8:
		by := g.of("", "BYSCORE")
		return slices.Concat([]string{"ZRANGESTORE", g.of("z0", "z2"), key}, g.selection(by), strings.Fields(by), g.maybe("REV"), g.limit())
	case 9:
		return slices.Concat([]string{g.of("ZRANGEBYSCORE", "ZREVRANGEBYSCORE"), key}, g.selection("BYSCORE"), g.limit(), g.maybe("WITHSCORES"))
	case 10:
		return slices.Concat([]string{g.of("ZRANGEBYLEX", "ZREVRANGEBYLEX"), "lex"}, g.selection("BYLEX"), g.limit())
	case 11:
		return g.of2([]string{"ZCOUNT", key, g.bound(), g.bound()}, []string{"ZLEXCOUNT", "lex", g.lexBound(), g.lexBound()})
	case 12:
		return g.of2([]string{"ZREMRANGEBYSCORE", key, g.bound(), g.bound()}, []string{"ZREMRANGEBYRANK", key, g.rank(), g.rank()})
	case 13:
		return g.of2([]string{"ZADD", "lex", "0", g.member("lex"), "0", g.member("big")}, []string{"ZREMRANGEBYLEX", "lex", g.lexBound(), g.lexBound()})
	case 14:
		return g.of2([]string{"SADD", "set", g.member(""), g.member("big")}, []string{"SREM", "set", g.member(""), g.member("big")})
	case 15:
		return g.of2([]string{"SET", "string", "x"}, []string{"ZCARD", key})
	case 16, 17:
		return g.combination(g.of("ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"))
	case 18: // so that the large one is large
		line := []string{"ZADD", "big"}
		for range 60 {
			line = append(line, strconv.Itoa(g.IntN(50)), g.member("big"))
		}
		return line
	}
}

func (g zsetCommands) of2(a, b []string) []string {
	if g.IntN(2) == 0 {
		return a
	}
	return b
}

// options of ZADD, sometimes ones that exclude each other.
func (g zsetCommands) options() []string {
	var options []string
	for _, option := range []string{"NX", "XX", "GT", "LT", "CH", "INCR"} {
		if g.IntN(8) == 0 {
			options = append(options, option)
		}
	}
	return options
}
