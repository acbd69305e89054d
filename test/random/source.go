// Package random makes random commands: of every row of the table, after its syntax, with
// values that make sense most of the time, and mistakes in some. A new data type needs no
// more than the names of its values in generators.
package random

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"holdfast/fsm"
)

// Source makes commands. Equal seeds make equal commands.
type Source struct {
	// Near lets keys expire after some milliseconds from Now, which is in Unix
	// milliseconds. Otherwise deadlines have passed or are far away, and no two are so
	// close that it could be a matter of milliseconds which is the later one.
	Near bool
	Now  int64

	*rand.Rand
	rows    []row
	command string // in lower case, the one that is being made
	group   string
	lex     bool // of sorted sets whose scores are equal: in others, Redis says, ranges by member are "unspecified"
}

type row struct {
	*fsm.Command
	syntax []node
	weight int // of 100
}

// weights of commands that would leave nothing to look at if they came as often as others.
var weights = map[string]int{"flushall": 1, "flushdb": 2, "swapdb": 10, "del": 40, "unlink": 40, "move": 40}

// New returns a source of all commands in the table but those left out, by full name.
func New(seed uint64, without ...string) *Source {
	s := &Source{Rand: rand.New(rand.NewPCG(seed, 0))}
	add := func(cmd *fsm.Command) {
		if slices.Contains(without, cmd.FullName()) || cmd.Flags&(fsm.Write|fsm.ReadOnly) == 0 {
			return
		}
		r := row{cmd, parse(cmd.Syntax), 100}
		if w, ok := weights[cmd.FullName()]; ok {
			r.weight = w
		}
		s.rows = append(s.rows, r)
	}
	for _, cmd := range fsm.Commands() {
		if cmd.Subcommands == nil {
			add(&cmd)
		}
		for i := range cmd.Subcommands {
			add(&cmd.Subcommands[i])
		}
	}
	return s
}

// inLex are commands that are for ranges by member, too.
var inLex = []string{"zadd", "zrem", "zcard", "zrange", "zrangestore"}

// Command makes a command.
func (s *Source) Command() (args []string) {
	r := s.rows[s.IntN(len(s.rows))]
	for s.IntN(100) >= r.weight {
		r = s.rows[s.IntN(len(s.rows))]
	}
	s.command, s.group = r.FullName(), r.Group
	s.lex = strings.Contains(s.command, "lex") || slices.Contains(inLex, s.command) && s.IntN(4) == 0
	args = strings.Split(s.command, "|")
	name := len(args)
	args = s.sequence(args, r.syntax)
	s.amend(args)
	if s.command == "sort" || s.command == "sort_ro" {
		args = amendSort(args)
	}
	if s.IntN(25) == 0 && !(s.lex && r.Flags&fsm.Write != 0) {
		args = s.mistake(args, name)
	}
	return args
}

func (s *Source) sequence(args []string, nodes []node) []string {
	for _, n := range nodes {
		switch {
		case n.word != "" && n.isToken():
			args = append(args, n.word)
		case n.word == "numkeys" || n.word == "numfields":
			args = append(args, "\x00"+n.word) // see amend
		case n.word != "":
			args = append(args, generators[n.word](s))
		default:
			for range s.times(n.how) {
				args = s.sequence(args, n.either[s.IntN(len(n.either))])
			}
		}
	}
	return args
}

func (s *Source) times(how group) int {
	switch {
	case how == optional:
		return s.IntN(5) / 3
	case how == one:
		return 1
	case s.IntN(50) == 0:
		return s.IntN(150)
	}
	return s.IntN(4)
}

// amend fills in what depends on other arguments: how many keys there are, and of what
// kind the ends of a range.
func (s *Source) amend(args []string) {
	for i, arg := range args {
		switch arg {
		case "\x00numkeys", "\x00numfields":
			n := 0
			for i+1+n < len(args) && !slices.Contains(afterKeys, args[i+1+n]) {
				n++
			}
			if s.command == "hsetex" {
				n /= 2 // fields with values
			}
			if s.IntN(20) == 0 {
				n += s.IntN(4) - 2
			}
			args[i] = strconv.Itoa(n)
		case "BYSCORE", "BYLEX":
			if !s.lex {
				args[i] = "BYSCORE"
			}
			at := slices.Index([]string{"zrange", "zrangestore"}, s.command) + 2
			if at >= 2 && s.IntN(10) > 0 {
				end := generators["min"]
				if args[i] == "BYLEX" {
					end = lexEnd
				}
				args[at], args[at+1] = end(s), end(s)
			}
		}
	}
}

// amendSort keeps out what Redis leaves open. Whether it can sort numbers depends on what a
// strtod of before has left in errno, so only strings are stored; which of two elements
// comes first that have equal strings as their weights depends on its way to sort.
func amendSort(args []string) []string {
	if slices.Contains(args, "STORE") && !slices.Contains(args, "ALPHA") && len(args) > 2 {
		args = slices.Insert(args, 2, "ALPHA")
	}
	if by := slices.Index(args, "BY"); by > 0 && by+1 < len(args) && slices.Contains(args, "ALPHA") {
		args[by+1] = "nosort"
	}
	return args
}

// afterKeys are the words that end a list of keys of which there is a number.
var afterKeys = []string{"LEFT", "RIGHT", "MIN", "MAX", "LIMIT", "WEIGHTS", "AGGREGATE", "WITHSCORES", "COUNT"}

// mistake changes a command, which has a name of so many words, into one that is likely
// to be refused.
func (s *Source) mistake(args []string, name int) []string {
	i := name
	if len(args) > name {
		i += s.IntN(len(args) - name)
	}
	switch s.IntN(5) {
	case 0:
		return args[:i]
	case 1:
		return append(args, s.pick("x", "", "1", "NX", "GET", "COUNT", "LIMIT"))
	case 2:
		return slices.Insert(args, i, s.pick("x", "0", "-1", "REV", "XX"))
	case 3:
		if i < len(args) {
			args[i] = s.pick("", "x", "-1", "1.5", "99999999999999999999", " 1", "a\r\nb")
		}
		return args
	}
	if i < len(args) {
		return append(args, args[i])
	}
	return args
}

func (s *Source) pick(from ...string) string { return from[s.IntN(len(from))] }
