package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/fsm"
	"holdfast/test/random"
	"holdfast/test/talk"
)

// textsOfAllSizes are strings on both sides of every border of an RDB file: lengths of 1, 2
// and 5 bytes, integers of 1, 2 and 4, what LZF makes shorter and what it does not.
func textsOfAllSizes() (texts []string) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2147483647, 2147483648, -2147483648,
		-2147483649, 9223372036854775807, -9223372036854775808} {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	texts = append(texts, "", "-0", "+1", "007", " 1", "9223372036854775808", "\x00", "\xff\r\n")
	noise := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{4, 5, 19, 20, 21, 44, 45, 63, 64, 255, 264, 265, 8192, 16383, 16384, 65536, 1 << 20} {
		random := make([]byte, size)
		noise.Read(random)
		texts = append(texts, string(random), strings.Repeat("x", size), strings.Repeat("session", size/7+1)[:size],
			string(random[:size/2])+string(random[:size/3]))
	}
	return texts
}

// setAllSizes sets a key to each of them, in every database, with a deadline or without.
func setAllSizes(t *testing.T, do func(db uint8, args ...string)) {
	t.Helper()
	for i, text := range textsOfAllSizes() {
		db := uint8(i % fsm.Databases)
		do(db, "SET", fmt.Sprint("text", i), text)
		switch i % 3 {
		case 0:
			do(db, "PEXPIREAT", fmt.Sprint("text", i), "9223372036854775807")
		case 1:
			do(db, "PEXPIREAT", fmt.Sprint("text", i), fmt.Sprint(4_000_000_000_001+i))
		}
		do(db, "SET", text[:min(len(text), 20_000)], "the key") // keys, too
	}
}

// What a machine of all data types has written is loaded by redis-server, and is the same
// there.
func TestRedisLoadsSnapshot(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		machine := talk.NewMachine()
		machine.Clock = fsm.Millis(time.Now().UnixMilli())
		setAllSizes(t, func(db uint8, args ...string) {
			if reply := machine.Run(db, args); reply.IsError() {
				t.Fatalf("%.100q: %s", args, reply)
			}
		})
		source := random.New(seed, append(withoutPeer(), "flushall", "flushdb")...)
		for range 10_000 {
			machine.Run(uint8(source.IntN(fsm.Databases)), source.Command())
		}
		machine.Clock = fsm.Millis(time.Now().UnixMilli())
		machine.Reap() // Redis leaves out what has expired; so does the log

		file := filepath.Join(t.TempDir(), "snapshot.rdb")
		var data bytes.Buffer
		snapshot := machine.Snapshot()
		if _, err := snapshot.WriteTo(&data); err != nil {
			t.Fatal(err)
		}
		snapshot.Release()
		if err := os.WriteFile(file, data.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		compareAll(t, machine, loadIntoRedis(t, file).Addr)
	}
}

// What redis-server has dumped is restored by a machine, and is the same there.
func TestRestoreRedisDump(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{}, {"--rdbcompression", "no", "--rdbchecksum", "no"}} {
		redis := startRedis(t, flags...)
		sockets := dialTalk(t, 3, redis.Addr)
		do := func(args ...string) {
			if reply, err := sockets.Do(args); err != nil || reply.Kind == '-' {
				t.Fatalf("%.100q: %v, %v", args, reply, err)
			}
		}
		setAllSizes(t, func(db uint8, args ...string) {
			do("SELECT", strconv.Itoa(int(db)))
			do(args...)
		})
		do("SAVE")
		file, err := os.Open(filepath.Join(redis.Dir, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		machine := &talk.Machine{Machine: fsm.New(), Clock: fsm.Millis(time.Now().UnixMilli())}
		if err := machine.Restore(file); err != nil {
			t.Fatal(err)
		}
		compareAll(t, machine, redis.Addr)
	}
}

// compareAll compares all keys of all databases of a machine with those of a redis-server.
func compareAll(t *testing.T, machine *talk.Machine, address string) {
	t.Helper()
	redis, err := talk.Dial(3, address)
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	d := differential{t: t, seed: 1} // RESP3
	for db := range fsm.Databases {
		if keys, _ := machine.Keys(db); keys == 0 {
			t.Errorf("database %d is empty", db)
		}
		d.compareKeys(machine, redis, db)
	}
}
