package resp

import (
	"slices"
	"strings"
)

// argument is a node of the tree that COMMAND DOCS shows and redis-cli makes hints of.
type argument struct {
	name, kind    string // kind is the "type" of COMMAND DOCS: "key", "integer", "oneof", ...
	token         string // the word that comes before the value, or is all of it
	optional      bool
	multiple      bool // may be repeated
	multipleToken bool // and its token with it
	args          []argument
}

// parseSyntax reads the Syntax column: words, [optional parts], <groups>, alternatives
// divided by |, and repetition, which is written out: "key [key ...]". Upper case words
// are tokens.
func parseSyntax(syntax string) []argument {
	p := syntaxParser{words: strings.Fields(syntaxSpacer.Replace(syntax))}
	return p.sequence()
}

var syntaxSpacer = strings.NewReplacer("[", " [ ", "]", " ] ", "<", " < ", ">", " > ", "|", " | ")

type syntaxParser struct{ words []string }

// sequence reads arguments up to the end of the part that they are in.
func (p *syntaxParser) sequence() (args []argument) {
	for len(p.words) > 0 {
		switch word := p.words[0]; word {
		case "|", "]", ">":
			return args
		case "...":
			p.words = p.words[1:]
		case "[":
			if len(p.words) > 2 && p.words[1] == "..." && len(args) > 0 { // [...]
				args[len(args)-1].multiple = true
				p.words = p.words[3:]
				continue
			}
			if n := p.repetition(); n > 0 {
				args = repeat(args, p.words[1:n-2])
				p.words = p.words[n:]
				continue
			}
			arg := p.group()
			arg.optional = true
			args = append(args, arg)
		case "<":
			args = append(args, p.group())
		default:
			p.words = p.words[1:]
			if isToken(word) {
				args = append(args, p.tokenArgument(word))
			} else {
				args = append(args, argument{name: word, kind: kindOf(word)})
			}
		}
	}
	return args
}

// repetition returns the number of words in "[ key ... ]", where that comes next.
func (p *syntaxParser) repetition() int {
	for i, word := range p.words[1:] {
		switch {
		case word == "..." && i > 0 && len(p.words) > i+2 && p.words[i+2] == "]":
			return i + 3
		case word == "[" || word == "]" || word == "<" || word == "|":
			return 0
		}
	}
	return 0
}

// repeat marks the arguments that words repeat, which are the last ones.
func repeat(args []argument, words []string) []argument {
	if len(args) == 0 {
		return args
	}
	last := &args[len(args)-1]
	plain := slices.DeleteFunc(slices.Clone(words), isToken)
	switch {
	case isToken(words[0]):
		last.multiple, last.multipleToken = true, true
	case len(plain) == 1 && last.kind != "block":
		last.multiple = true
	case len(args) >= len(plain):
		block := argument{name: strings.Join(plain, "_"), kind: "block", multiple: true,
			args: slices.Clone(args[len(args)-len(plain):])}
		return append(args[:len(args)-len(plain)], block)
	}
	return args
}

// group reads "[ ... ]" or "< ... >".
func (p *syntaxParser) group() argument {
	p.words = p.words[1:]
	var choices []argument
	for {
		choices = append(choices, block(p.sequence()))
		if len(p.words) == 0 {
			break
		}
		word := p.words[0]
		p.words = p.words[1:]
		if word != "|" {
			break
		}
	}
	if len(choices) == 1 {
		return choices[0]
	}
	return argument{name: choiceName(choices), kind: "oneof", args: choices}
}

// block makes one argument of a sequence.
func block(args []argument) argument {
	switch len(args) {
	case 0:
		return argument{name: "nothing", kind: "pure-token"}
	case 1:
		return args[0]
	}
	return argument{name: args[0].name, kind: "block", args: args}
}

// tokenArgument reads what a token introduces: nothing, a value, several, or a choice.
func (p *syntaxParser) tokenArgument(token string) argument {
	var values []argument
	for len(p.words) > 0 {
		word := p.words[0]
		if word == "[" {
			if n := p.repetition(); n > 0 && len(values) > 0 && !isToken(p.words[1]) {
				values = repeat(values, p.words[1:n-2])
				p.words = p.words[n:]
				continue
			}
			break
		}
		if word == "<" && len(values) == 0 {
			values = append(values, p.group())
			break
		}
		if word == "|" || word == "]" || word == ">" || word == "<" || word == "..." || isToken(word) {
			break
		}
		values = append(values, argument{name: word, kind: kindOf(word)})
		p.words = p.words[1:]
	}
	switch len(values) {
	case 0:
		return argument{name: strings.ToLower(token), kind: "pure-token", token: token}
	case 1:
		values[0].token = token
		return values[0]
	}
	return argument{name: strings.ToLower(token), kind: "block", token: token, args: values}
}

// isToken reports whether a word is written as clients send it: it has letters or signs,
// and none in lower case.
func isToken(word string) bool {
	return word != "..." && word == strings.ToUpper(word)
}

// choiceName names an alternative by what its choices have in common.
func choiceName(choices []argument) string {
	has := func(token string) bool {
		return slices.ContainsFunc(choices, func(a argument) bool { return a.token == token })
	}
	switch {
	case has("NX") && has("XX"):
		return "condition"
	case has("EX"), has("PX"), has("EXAT"):
		return "expiration"
	}
	var names []string
	for _, choice := range choices {
		names = append(names, choice.name)
	}
	return strings.Join(names, "_")
}

var argumentKinds = map[string]string{
	"key": "key", "newkey": "key", "key1": "key", "key2": "key", "source": "key", "destination": "key",
	"pattern": "pattern", "timestamp": "unix-time", "unix-time-seconds": "unix-time", "unix-time-milliseconds": "unix-time",
	"seconds": "integer", "milliseconds": "integer", "count": "integer", "index": "integer", "start": "integer",
	"end": "integer", "stop": "integer", "offset": "integer", "decrement": "integer", "numkeys": "integer",
	"numreplicas": "integer", "timeout": "integer", "cursor": "integer", "protover": "integer", "client-id": "integer",
	"min-match-len": "integer", "len": "integer", "db": "integer", "destination-db": "integer", "index1": "integer",
	"index2": "integer", "version": "integer", "score": "double", "increment": "integer",
}

func kindOf(name string) string {
	if kind, ok := argumentKinds[name]; ok {
		return kind
	}
	return "string"
}
