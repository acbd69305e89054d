package resp

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/fsm"
)

// The file comes behind its length, or between two marks for a client that can do with
// them, and the connection ends.
func TestDump(t *testing.T) {
	store := newMemoryStore()
	_, address := serve(t, DefaultConfig(), store)
	dial(t, address).want("+OK\r\n", "SET", "k", "v")
	for _, before := range [][]string{nil, {"REPLCONF", "capa", "eof"}, {"REPLCONF", "listening-port", "1", "rdb-only", "1"}} {
		for _, command := range [][]string{{"SYNC"}, {"PSYNC", "?", "-1"}} {
			c := dial(t, address)
			if before != nil {
				c.want("+OK\r\n", before...)
			}
			c.send(strings.Join(command, " ") + "\r\n")
			all := c.rest()
			if command[0] == "PSYNC" {
				first, rest, _ := strings.Cut(all, "\r\n")
				var id string
				var index uint64
				if n, _ := fmt.Sscanf(first, "+FULLRESYNC %40x %d", &id, &index); n != 2 || len(id) != 20 || index == 0 {
					t.Errorf("PSYNC is answered %q", first)
				}
				all = rest
			}
			header, file, _ := strings.Cut(all, "\r\n")
			if mark, marked := strings.CutPrefix(header, "$EOF:"); marked {
				if len(mark) != 40 || !strings.HasSuffix(file, mark) || before[1] != "capa" {
					t.Errorf("%q: mark %q of %q", before, mark, all)
				}
				file = strings.TrimSuffix(file, mark)
			} else if header != fmt.Sprintf("$%d", len(file)) {
				t.Errorf("%q: %d bytes behind %q", before, len(file), header)
			}
			m := fsm.New()
			if err := m.Restore(strings.NewReader(file)); err != nil {
				t.Fatalf("%q: %v", file, err)
			}
			if keys, _ := m.Keys(0); keys != 1 || m.Index() != 0 || strings.Contains(file, "holdfast") {
				t.Errorf("%d keys, index %d of %q", keys, m.Index(), file)
			}
		}
	}
}

func TestDumpRefused(t *testing.T) {
	store := newMemoryStore()
	s, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	c.want("+OK\r\n", "REPLCONF", "listening-port", "6380")
	c.want("+OK\r\n", "REPLCONF", "capa", "eof", "capa", "psync2")
	c.want("-"+errReplica.Error()+"\r\n", "PSYNC", "?", "-1")
	c.want("-"+errReplica.Error()+"\r\n", "SYNC")
	c.want("-ERR syntax error\r\n", "REPLCONF", "capa")
	c.want("-ERR value is not an integer or out of range\r\n", "REPLCONF", "rdb-only", "x")
	c.want("-ERR Unrecognized REPLCONF option: getack\r\n", "REPLCONF", "getack", "*")
	c.want("+OK\r\n", "MULTI")
	c.want("-ERR Command not allowed inside a transaction\r\n", "SYNC")
	c.want("+OK\r\n", "DISCARD")
	c.want("+RESET\r\n", "RESET")
	s.dumps.Store(maxDumps)
	c.want("-"+errDumps.Error()+"\r\n", "SYNC")
	if s.dumps.Load() != maxDumps {
		t.Errorf("%d dumps", s.dumps.Load())
	}
	s.dumps.Store(0)
	c.want("+OK\r\n", "ACL", "SETUSER", "u", "on", "nopass", "+@all", "-@dangerous", "~*")
	c.want("+OK\r\n", "AUTH", "u", "x")
	c.want("-NOPERM this user has no permissions to run the 'sync' command\r\n", "SYNC")
}
