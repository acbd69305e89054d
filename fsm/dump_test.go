package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withFooter makes what DUMP returns of a type and a value.
func withFooter(body string, version uint16) []byte {
	dump := binary.LittleEndian.AppendUint16([]byte(body), version)
	return binary.LittleEndian.AppendUint64(dump, updateCRC(0, dump))
}

// A value that is dumped and restored is the same value, and dumps as the same bytes.
func TestDumpRestore(t *testing.T) {
	m := newTimedMachine()
	for _, line := range []string{"SET string " + strings.Repeat("ab\x00", 50), "SET int -5", "RPUSH list a b 3", "SADD ints 1 2 3", "SADD set a b c",
		"HSET hash f v", "HSET timed a 1 b 2", "HPEXPIREAT timed 9000 FIELDS 1 b", "ZADD zset 1.5 a -inf b"} {
		m.write(line)
	}
	for i := range 3000 {
		for _, line := range []string{"RPUSH large-list e%d", "SADD large-set m%d", "ZADD large-zset %d m", "HSET large-hash f%d v"} {
			m.write(fmt.Sprintf(line, i))
		}
	}
	tx := &Tx{m: m.Machine, now: m.now}
	for _, key := range []string{"string", "int", "list", "ints", "set", "hash", "timed", "zset", "large-list", "large-set", "large-zset", "large-hash"} {
		v := tx.lookup([]byte(key)).value
		dump := dumpOf(v)
		version := binary.LittleEndian.Uint16(dump[len(dump)-10:])
		if (version == 12) != (key == "timed") || version != 10 && version != 12 {
			t.Errorf("%s is dumped as of version %d", key, version)
		}
		back, err := readDump(dump)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if back.encoding() != v.encoding() || contentOf(back) != contentOf(v) || !bytes.Equal(dumpOf(back), dump) {
			t.Errorf("%s: another value came back: %.200s, %.200s", key, contentOf(back), contentOf(v))
		}
		for _, n := range []int{0, 1, len(dump) / 2, len(dump) - 1} {
			if _, err := readDump(dump[:n]); err != errPayload {
				t.Errorf("%s, the first %d bytes: %v", key, n, err)
			}
		}
		bad := slices.Clone(dump)
		bad[len(bad)/2] ^= 1
		if _, err := readDump(bad); err != errPayload {
			t.Errorf("%s with another bit: %v", key, err)
		}
	}
}

// What the checksum does not find, the value's reader does, and the keyspace stays as it is.
func TestRestoreRefuses(t *testing.T) {
	m := newTimedMachine()
	m.write("SET k before")
	for _, bad := range []string{"", "\x00", "\x00\x02v", "\x00\x01v and more", "\x0a" + rdbText(packZiplist("\x01a", "\x01b")[:15]), "\x02\x02\x01a\x01a", "\x06x", "\xff",
		"\x00\xc3\x01\x81\x00\x00\x00\x01\x00\x00\x00\x00a"} {
		got := m.apply(commandCall("RESTORE", "k", "0", string(withFooter(bad, 10)), "REPLACE"))
		if want := "-ERR Bad data format\r\n"; got != want {
			t.Errorf("%q: got %q", bad, got)
		}
	}
	if got := m.apply(commandCall("RESTORE", "k", "0", string(withFooter("\x00\x01v", 13)), "REPLACE")); !strings.HasPrefix(got, "-ERR DUMP payload version") {
		t.Errorf("of version 13: %q", got)
	}
	if got := m.apply(commandCall("GET", "k")); got != "$6\r\nbefore\r\n" {
		t.Errorf("the key holds %q", got)
	}
}

// A compressed string may be long unpacked, but not beyond measure: the command stands in
// the log of every node.
func TestRestoreBomb(t *testing.T) {
	in := &rdbReader{r: strings.NewReader("\xc3\x02\x44\x00\x00x\xc3\x02\x44\x00\x00x"), unpack: 1500}
	for _, want := range []string{"damaged LZF data", "compressed string of 1024 bytes: 476 are left to it"} {
		if _, err := in.string(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Fields whose time is over are neither dumped nor restored.
func TestDumpExpiredFields(t *testing.T) {
	m := newTimedMachine()
	dump := withFooter("\x18"+"\x05\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01a\x011\x00\x01b\x02xy", 12)
	if got := m.apply(commandCall("RESTORE", "h", "0", string(dump))); got != "+OK\r\n" {
		t.Fatalf("got %q", got)
	}
	if got := m.apply(commandCall("HGETALL", "h")); strings.Contains(got, "a") || !strings.Contains(got, "xy") {
		t.Errorf("restored: %q", got)
	}
	all := withFooter("\x18"+"\x05\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01a\x011", 12)
	if got := m.apply(commandCall("RESTORE", "h", "0", string(all), "REPLACE")); got != "+OK\r\n" {
		t.Fatalf("got %q", got)
	}
	if got := m.apply(commandCall("EXISTS", "h")); got != ":0\r\n" {
		t.Errorf("a hash whose fields have all expired is there: %q", got)
	}

	m.write("HSET t a 1 b 2")
	m.write(fmt.Sprintf("HPEXPIREAT t %d FIELDS 1 a", m.now+1000))
	tx := &Tx{m: m.Machine, now: m.now + 1000}
	reply, err := dumpCommand(tx, [][]byte{nil, []byte("t")})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(reply), "\x01a") || !strings.Contains(string(reply), "\x01b\x012\x0a\x00") {
		t.Errorf("dumped: %q", reply)
	}
}
