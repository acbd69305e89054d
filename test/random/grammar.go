package random

import "strings"

// node is a part of a command's syntax, as the Syntax column writes it.
type node struct {
	word   string   // a token, in upper case, or the name of a value; "" for a group
	either [][]node // of a group: alternatives, each a sequence
	how    group
}

type group byte

const (
	one      group = iota // <a | b>
	optional              // [a | b]
	repeated              // [a ...]
)

var spacer = strings.NewReplacer("[", " [ ", "]", " ] ", "<", " < ", ">", " > ", "|", " | ")

// parse reads a Syntax column.
func parse(syntax string) []node {
	p := parser{strings.Fields(spacer.Replace(syntax))}
	either, _ := p.alternatives()
	return either[0]
}

type parser struct{ words []string }

// alternatives reads up to the end of a group and past it; more says that it ended with
// an ellipsis.
func (p *parser) alternatives() (either [][]node, more bool) {
	var sequence []node
	for len(p.words) > 0 {
		word := p.words[0]
		p.words = p.words[1:]
		switch word {
		case "|":
			either, sequence = append(either, sequence), nil
		case "]", ">":
			return append(either, sequence), more
		case "...":
			more = true
		case "<":
			inner, _ := p.alternatives()
			sequence = append(sequence, node{either: inner})
		case "[":
			inner, again := p.alternatives()
			how := optional
			if again {
				how = repeated
			}
			sequence = append(sequence, node{either: inner, how: how})
		default:
			sequence = append(sequence, node{word: word})
		}
	}
	return append(either, sequence), more
}

// isToken reports whether a word is sent as it stands.
func (n node) isToken() bool { return n.word == strings.ToUpper(n.word) }

// values lists the names of values in a syntax.
func values(nodes []node) (names []string) {
	for _, n := range nodes {
		for _, sequence := range n.either {
			names = append(names, values(sequence)...)
		}
		if n.word != "" && !n.isToken() {
			names = append(names, n.word)
		}
	}
	return names
}
