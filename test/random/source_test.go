package random

import (
	"slices"
	"testing"

	"holdfast/fsm"
	"holdfast/test/talk"
)

// Every name of a value in the table has its generator.
func TestGenerators(t *testing.T) {
	for _, row := range New(0).rows {
		for _, name := range values(row.syntax) {
			if generators[name] == nil && name != "numkeys" && name != "numfields" {
				t.Errorf("%s: no generator for %q: %s", row.FullName(), name, row.Syntax)
			}
		}
	}
}

// refusals say that a command was understood.
var refusals = map[string]bool{"-WRONGTYP": true, "-BUSYKEY ": true, "-ERR An L": true, "-NOSCRIPT": true, "-NOTBUSY ": true}

// Every command comes, and is not refused most of the time.
func TestCommands(t *testing.T) {
	s, m := New(1), talk.NewMachine()
	tried, done := map[string]int{}, map[string]int{}
	for range 30_000 {
		args := s.Command()
		var words [][]byte
		for _, arg := range args {
			words = append(words, []byte(arg))
		}
		cmd, err := fsm.Lookup(words)
		if err != nil {
			continue
		}
		tried[cmd.FullName()]++
		if reply := m.Run(0, args); !reply.IsError() || refusals[string(reply[:9])] {
			done[cmd.FullName()]++
		}
	}
	for _, row := range s.rows {
		name := row.FullName()
		if tried[name] < row.weight/10 || done[name]*4 < tried[name] {
			t.Errorf("%s: %d of %d done", name, done[name], tried[name])
		}
	}
}

func TestEqualSeeds(t *testing.T) {
	a, b := New(7), New(7)
	for range 1000 {
		if x, y := a.Command(), b.Command(); !slices.Equal(x, y) {
			t.Fatalf("%q and %q", x, y)
		}
	}
}
