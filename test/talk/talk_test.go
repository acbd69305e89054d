package talk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a pattern accepts and what it does not, in a version of the protocol.
func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern string
		version int
		yes, no string // replies, divided by spaces; | is the end of a line, \x00 a space
	}{
		{"OK", 0, "+OK", "+ok -OK $2|OK"},
		{`"a"`, 2, "$1|a", "+a $1|b $-1"},
		{`"a b"`, 2, "$3|a\x00b", "$3|a_b"},
		{"7", 3, ":7", ":8 $1|7 +7"},
		{"-ERR bad", 2, "-ERR\x00bad", "-ERR $7|ERR\x00bad"},
		{"nil", 0, "$-1", "*-1 $0|"},
		{"nil", 2, "$-1", "*-1 _"},
		{"nil", 3, "_", "$-1"},
		{"nil-array", 2, "*-1", "$-1"},
		{"nil-array", 3, "_", "*-1"},
		{"any", 2, "+OK :1 $-1 *0", "-ERR"},
		{",1.5", 2, "$3|1.5", ",1.5 $1|1"},
		{",1.5", 3, ",1.5", "$3|1.5"},
		{"#t", 2, ":1", ":0 #t"},
		{"#t", 3, "#t", "#f"},
		{`="txt:a"`, 2, "$1|a", "=5|txt:a"},
		{`="txt:a"`, 3, "=5|txt:a", "$1|a"},
		{"[1 2]", 2, "*2|:1|:2", "*2|:2|:1 *1|:1 *3|:1|:2|:3 ~2|:1|:2 :1"},
		{"[1 [2 nil]]", 3, "*2|:1|*2|:2|_", "*2|:1|*2|:2|:3"},
		{`{"k" 1}`, 2, "*2|$1|k|:1", "%1|$1|k|:1"},
		{`{"k" 1}`, 3, "%1|$1|k|:1", "*2|$1|k|:1"},
		{"~[1]", 2, "*1|:1", "~1|:1"},
		{"~[1]", 3, "~1|:1", "*1|:1"},
		{"unordered [1 2 2]", 2, "*3|:2|:1|:2 *3|:1|:2|:2", "*3|:1|:1|:2 *2|:1|:2"},
		{`unordered {1 2 3 4}`, 3, "%2|:3|:4|:1|:2", "%2|:1|:4|:3|:2"},
		{`unordered {1 2 3 4}`, 2, "*4|:3|:4|:1|:2", "*4|:1|:4|:3|:2"},
		{"pairs [1 2 3 4]", 2, "*4|:1|:2|:3|:4", "*2|*2|:1|:2|*2|:3|:4 *4|:3|:4|:1|:2"},
		{"pairs [1 2 3 4]", 3, "*2|*2|:1|:2|*2|:3|:4", "*4|:1|:2|:3|:4 *2|*2|:3|:4|*2|:1|:2"},
		{"pairs [1 2 3 4]", 0, "^2|:1|:2|:3|:4", "*4|:1|:2|:3|:4 *2|*2|:1|:2|*2|:3|:4"},
		{"pairs []", 3, "*0", "%0"},
		{"[]", 0, "*0 ^0", "%0"},
		{"unordered pairs [1 2 3 4]", 3, "*2|*2|:3|:4|*2|:1|:2", "*2|*2|:3|:2|*2|:1|:4"},
		{"any-of [1 2]", 2, ":1 :2", ":3 *1|:1"},
		{"2-of [1 2 3]", 2, "*2|:3|:1", "*2|:1|:1 *1|:1 *3|:1|:2|:3"},
		{"2-of ~[1 2 3]", 3, "~2|:3|:1", "*2|:3|:1"},
		{"3-from [1 2]", 2, "*3|:1|:1|:1", "*3|:1|:1|:3 *2|:1|:2"},
		{"about 100s", 0, ":100", ":99"},
		{"about 100s", 2, ":99 :109", ":89 :111 $3|100"},
		{"about 5000ms", 2, ":4000", ":20000"},
	} {
		p, err := parsePattern(test.pattern)
		if err != nil {
			t.Fatalf("%s: %v", test.pattern, err)
		}
		for _, list := range []struct {
			replies string
			want    bool
		}{{test.yes, true}, {test.no, false}} {
			for _, reply := range strings.Fields(list.replies) {
				reply = strings.NewReplacer("|", "\r\n", "\x00", " ").Replace(reply) + "\r\n"
				v, err := Parse([]byte(reply))
				if err != nil {
					t.Fatal(err)
				}
				if got := p.match(v, test.version); got != list.want {
					t.Errorf("RESP%d: %s matches %q: %v", test.version, test.pattern, reply, got)
				}
			}
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, pattern := range []string{"", "[", "[1", "1 2", "{1}", `"a`, "about", "about 5", "about xs", "pairs [1]", "unordered 1", "x-of [1]", "?", "[1}"} {
		if p, err := parsePattern(pattern); err == nil {
			t.Errorf("%q is read as %+v", pattern, p)
		}
	}
}

// Rewrite keeps what is right, and writes what was wrong or not there.
func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script.txt")
	script := "# A comment.\nSET k {3*ab} EX 100\nTTL k\n> about 100s\nGET k\n> \"wrong\"\n> still wrong\n\nGET nosuch\nat 200\nSET k 'it' PXAT {ms+200}\n> nil\nEXISTS k\n"
	want := "# A comment.\nSET k {3*ab} EX 100\n> OK\nTTL k\n> about 100s\nGET k\n> \"ababab\"\n\nGET nosuch\n> nil\nat 200\nSET k 'it' PXAT {ms+200}\n> OK\nEXISTS k\n> 0\n"
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := NewMachine(), NewMachine()
		replies, err := s.Hold(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Hold(b); err != nil {
			t.Fatal(err)
		}
		if err := s.Rewrite(a, b, replies, replies); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("got %s (%v)\nwant %s", got, err, want)
		}
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, NewMachine())
}

// A reply that is right only if the machine is fast makes a test that fails now and then.
func TestLoadRacesClock(t *testing.T) {
	for reply, fails := range map[string]bool{"100": true, "about 100s": false, "-1": false, "any": false} {
		for _, command := range []string{"ttl k", "PTTL k"} {
			path := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(path, []byte("SET k v EX 100\n> OK\n"+command+"\n> "+reply+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); (err != nil) != fails {
				t.Errorf("%s > %s: %v", command, reply, err)
			}
		}
	}
}
