// Package talk holds conversations with a server: scripts of commands and of the replies
// that are expected, which run alike on a bare machine, on a cluster and on Redis.
//
//	# A comment. Words are quoted as in redis-cli: "a\x00b", 'b c'.
//	SET k "a b" EX 100
//	> OK
//	GET k
//	> "a b"
//	TTL k
//	> about 100s
//	at 1500
//
// "at 1500" goes on 1500 ms after the beginning: at once where time is virtual, later
// rather than earlier with a real server. So a script does not ask whether a key is still
// there shortly before its deadline.
//
// The commands are those of the keyspace, and SELECT; what a connection answers itself is
// in the conversations of package resp.
//
// Within a word, {s} and {ms} are the Unix time at the beginning, in seconds or
// milliseconds, {s+100} is 100 s later, and {3*ab} is "ababab".
//
// Replies. A reply may go on in further lines that begin with ">".
//
//	OK  "bulk"  12  -ERR text  nil  nil-array  ["a" 1]  +"any status"  -"ERR any text"
//	{"key" 1}  ~["a" "b"]  ,1.5  #t  ="txt:..."     maps and so on of RESP3: in RESP2, what becomes of them
//	pairs ["a" ,1 "b" ,2]                           [["a" ,1] ["b" ,2]], flat in RESP2
//	any                                             whatever is no error
//	any-of ["a" "b"]                                "a" or "b"
//	unordered ["a" "b"]  unordered {"k" 1 "l" 2}    all, in any order; pairs stay together
//	2-of ["a" "b" "c"]  5-from pairs ["a" 1]        so many of them; from: the same again maybe
//	about 100s  about 100000ms                      exact where time is virtual
//
// The line "not in redis 7.0" says that the script is not for that.
package talk

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// ownMark is a line of a script for Holdfast alone.
const ownMark = "not in redis 7.0"

// Script is a conversation.
type Script struct {
	Name  string
	Steps []Step
	Own   bool // Redis 7.0 does not know the commands
	lines []string
}

// Step is a command with the reply that is expected.
type Step struct {
	At   int64    // milliseconds since the beginning
	Args []string // see expand
	Line int      // of the command, from 1
	want string
	end  int // the lines of the reply end before this one, from 0
}

// Load reads a script from a file.
func Load(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Script{Name: path, lines: strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")}
	var at int64
	var last *Step
	for i, line := range s.lines {
		switch text := strings.TrimSpace(line); {
		case text == "" || text[0] == '#':
			last = nil
		case text[0] == '>':
			if last == nil {
				return nil, fmt.Errorf("%s:%d: a reply to nothing", path, i+1)
			}
			last.want = strings.TrimSpace(last.want + " " + strings.TrimSpace(text[1:]))
			last.end = i + 1
		case text == ownMark:
			s.Own, last = true, nil
		case strings.HasPrefix(text, "at "):
			next, err := strconv.ParseInt(text[3:], 10, 64)
			if err != nil || next < at {
				return nil, fmt.Errorf("%s:%d: %q after %d", path, i+1, text, at)
			}
			at, last = next, nil
		default:
			args, err := words(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
			}
			s.Steps = append(s.Steps, Step{At: at, Args: args, Line: i + 1, end: i + 1})
			last = &s.Steps[len(s.Steps)-1]
		}
	}
	for _, step := range s.Steps {
		if step.racesClock() {
			return nil, fmt.Errorf("%s:%d: a busy machine takes its time: about %s", path, step.Line, step.want)
		}
	}
	return s, nil
}

// racesClock reports whether the reply is right on a fast machine alone: what is left of a
// key's time, to the second.
func (s *Step) racesClock() bool {
	if name := strings.ToUpper(s.Args[0]); name != "TTL" && name != "PTTL" {
		return false
	}
	left, err := strconv.ParseInt(s.want, 10, 64)
	return err == nil && left > 0
}

// words splits a line as redis-cli does.
func words(line string) (words []string, err error) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		switch line[0] {
		case '"':
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("%s: %w", quoted, err)
			}
			line = line[len(quoted):]
		case '\'':
			var ok bool
			if word, line, ok = strings.Cut(line[1:], "'"); !ok {
				return nil, fmt.Errorf("' without an end: %s", word)
			}
		default:
			word, line, _ = strings.Cut(line, " ")
			line = " " + line
		}
		if line != "" && line[0] != ' ' {
			return nil, fmt.Errorf("no space before %s", line)
		}
		words = append(words, word)
	}
	return words, nil
}

var template = regexp.MustCompile(`\{(?:(s|ms)([+-]\d+)?|(\d+)\*([^{}]*))\}`)

// expand fills in the templates of a word; begin is in milliseconds.
func expand(word string, begin int64) string {
	return template.ReplaceAllStringFunc(word, func(found string) string {
		parts := template.FindStringSubmatch(found)
		if parts[1] == "" {
			n, _ := strconv.Atoi(parts[3])
			return strings.Repeat(parts[4], n)
		}
		offset, _ := strconv.ParseInt(parts[2], 10, 64)
		if parts[1] == "s" {
			return strconv.FormatInt(begin/1000+offset, 10)
		}
		return strconv.FormatInt(begin+offset, 10)
	})
}
