package fsm_test

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/fsm"
	"holdfast/test/talk"
)

// A script that goes too far is stopped at the same place on every node, and what it has
// done is undone.
func TestScriptLimits(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"an endless loop", "redis.call('set','k','changed') redis.call('del','gone') redis.call('rpush','l','x') redis.call('flushdb') redis.call('set','new',1) while true do end", "instructions"},
		{"an endless loop that catches errors", "redis.call('append','k','x') while true do pcall(function() while true do end end) end", "instructions"},
		{"a string that doubles", "redis.call('expire','k',100) local s = 'x' while true do s = s .. s end", "memory"},
		{"string.rep", "redis.call('del','l') return string.rep('x', 1e9)", "memory"},
		{"tables of strings", "redis.call('lset','l',0,'y') local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000) .. i end", "memory"},
		{"table.concat", "local t = {} for i = 1, 100 do t[i] = string.rep('x', 1e5) end for i = 1, 100 do table.concat(t) end", "memory"},
		{"string.format", "for i = 1, 1e9 do string.format('%99999d', i) end", "memory"},
		{"gsub", "return string.gsub(string.rep('a', 1e5), 'a', string.rep('b', 1e5))", "too large"},
		{"a pattern", "return string.find(string.rep('a', 1e5), '.-.-.-b')", "too complex"},
		{"recursion", "local function f() return 1 + f() end return f()", "stack overflow"},
		{"redis.call", "while true do redis.call('set', 'k', 'v') redis.call('incr', 'n') end", "instructions"},
		{"json", "local s = string.rep('[', 1e6) return cjson.decode(s)", "nested"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var snapshots [2]string
			for i := range snapshots {
				m := talk.NewMachine()
				for _, line := range []string{"SET k v PX 5000", "SET gone x", "RPUSH l a b", "HSET h f v", "SADD s 1 2"} {
					m.Run(0, strings.Fields(line))
				}
				before := written(t, m.Snapshot())
				reply := string(m.Run(0, []string{"EVAL", test.script, "0"}))
				if !strings.HasPrefix(reply, "-ERR") || !strings.Contains(reply, test.want) {
					t.Errorf("got %.300q, want %q", reply, test.want)
				}
				if strings.Contains(reply, "undone") {
					if !sameKeys(t, before, written(t, m.Snapshot())) {
						t.Error("it was not undone")
					}
				}
				for _, line := range []string{"GET k", "LRANGE l 0 -1", "GET gone", "DBSIZE"} {
					m.Run(0, strings.Fields(line))
				}
				if reply := string(m.Run(0, []string{"EVAL", "return 'goes on'", "0"})); reply != "$7\r\ngoes on\r\n" {
					t.Errorf("after that: %q", reply)
				}
				snapshots[i] = string(written(t, m.Snapshot()))
			}
			if snapshots[0] != snapshots[1] {
				t.Error("two machines differ")
			}
		})
	}
}

// sameKeys compares the keyspaces of two snapshots.
func sameKeys(t *testing.T, a, b []byte) bool {
	t.Helper()
	var digests [2]string
	for i, snapshot := range [][]byte{a, b} {
		m := fsm.New()
		if err := m.Restore(bytes.NewReader(snapshot)); err != nil {
			t.Fatal(err)
		}
		digests[i] = digest(m)
	}
	return digests[0] == digests[1]
}
