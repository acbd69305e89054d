package talk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pattern is what a script expects of a reply.
type pattern struct {
	how    byte      // '=' a value, '?' anything, '|' one of items, '~' about number, '[' a list
	value  Value     // of '='
	number int64     // of '~'
	slack  int64     // of '~': by how much a real clock may be off
	list   byte      // of '[': the kind of the list
	choose choice    // of '[': which of the items, in what order
	count  int       // of '[': how many, if they are chosen
	items  []pattern // of '[' and '|'
}

type choice byte

const (
	all       choice = iota // all, in order
	unordered               // all, in any order
	distinct                // count different ones
	repeated                // count, the same one more than once maybe
)

// keywords are the words that are no status.
var keywords = map[string]bool{"nil": true, "any": true, "about": true, "unordered": true, "pairs": true}

// aboutSeconds is by how much a real clock may be off, with a busy machine in mind.
const aboutSeconds = 10

func parsePattern(text string) (pattern, error) {
	if len(text) > 1 && text[0] == '-' && 'A' <= text[1] && text[1] <= 'Z' {
		return pattern{how: '=', value: Value{Kind: '-', Text: text[1:]}}, nil
	}
	p := patternParser{text}
	all, err := p.pattern()
	if err == nil && strings.TrimSpace(p.in) != "" {
		err = fmt.Errorf("%q follows", p.in)
	}
	return all, err
}

type patternParser struct{ in string }

func (p *patternParser) space() { p.in = strings.TrimLeft(p.in, " ") }

// word takes what reaches to the next space or bracket.
func (p *patternParser) word() string {
	end := strings.IndexAny(p.in, " []{}\"")
	if end < 0 {
		end = len(p.in)
	}
	word := p.in[:end]
	p.in = p.in[end:]
	return word
}

func (p *patternParser) pattern() (pattern, error) {
	p.space()
	if p.in == "" {
		return pattern{}, fmt.Errorf("a reply is missing")
	}
	switch c := p.in[0]; {
	case c == '"':
		return p.quoted('$')
	case len(p.in) > 1 && strings.IndexByte("+-=", c) >= 0 && p.in[1] == '"':
		p.in = p.in[1:]
		return p.quoted(c)
	case c == '[' || c == '{' || len(p.in) > 1 && strings.IndexByte("~>", c) >= 0 && p.in[1] == '[':
		return p.list(all, 0)
	}
	word := p.word()
	switch {
	case word == "":
		return pattern{}, fmt.Errorf("unexpected %q", p.in)
	case word == "nil" || word == "nil-array":
		v := Value{Kind: '_', Text: "$"}
		if word == "nil-array" {
			v.Text = "*"
		}
		return pattern{how: '=', value: v}, nil
	case word == "any":
		return pattern{how: '?'}, nil
	case word == "about":
		p.space()
		return about(p.word())
	case word == "any-of":
		items, err := p.items()
		return pattern{how: '|', items: items}, err
	case word == "unordered" || word == "pairs":
		p.space()
		if word == "pairs" {
			return p.pairs(all, 0)
		}
		return p.list(unordered, 0)
	case strings.IndexByte("#,(", word[0]) >= 0:
		return pattern{how: '=', value: Value{Kind: word[0], Text: word[1:]}}, nil
	}
	if n, how, ok := strings.Cut(word, "-"); ok && (how == "of" || how == "from") {
		count, err := strconv.Atoi(n)
		if err != nil {
			return pattern{}, fmt.Errorf("%q", word)
		}
		if how == "from" {
			return p.list(repeated, count)
		}
		return p.list(distinct, count)
	}
	if _, err := strconv.ParseInt(word, 10, 64); err == nil {
		return pattern{how: '=', value: Value{Kind: ':', Text: word}}, nil
	}
	if !plainStatus.MatchString(word) {
		return pattern{}, fmt.Errorf("unexpected %q", word)
	}
	return pattern{how: '=', value: Value{Kind: '+', Text: word}}, nil
}

func (p *patternParser) quoted(kind byte) (pattern, error) {
	quoted, err := strconv.QuotedPrefix(p.in)
	if err != nil {
		return pattern{}, fmt.Errorf("%q: %w", p.in, err)
	}
	p.in = p.in[len(quoted):]
	text, err := strconv.Unquote(quoted)
	return pattern{how: '=', value: Value{Kind: kind, Text: text}}, err
}

// about reads "10s" or "10000ms".
func about(word string) (pattern, error) {
	text, slack := strings.TrimSuffix(word, "s"), int64(aboutSeconds)
	if ms, ok := strings.CutSuffix(word, "ms"); ok {
		text, slack = ms, aboutSeconds*1000
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text == word {
		return pattern{}, fmt.Errorf("about %q: not a number of s or ms", word)
	}
	return pattern{how: '~', number: n, slack: slack}, nil
}

func (p *patternParser) pairs(choose choice, count int) (pattern, error) {
	list, err := p.list(choose, count)
	if err == nil && list.list != '*' || len(list.items)%2 != 0 {
		err = fmt.Errorf("pairs stand in [], one after the other")
	}
	list.list = '^'
	return list, err
}

func (p *patternParser) list(choose choice, count int) (pattern, error) {
	p.space()
	if rest, ok := strings.CutPrefix(p.in, "pairs "); ok {
		p.in = rest
		return p.pairs(choose, count)
	}
	kind := byte('*')
	switch {
	case strings.HasPrefix(p.in, "{"):
		kind = '%'
	case strings.HasPrefix(p.in, "~["), strings.HasPrefix(p.in, ">["):
		kind = p.in[0]
		p.in = p.in[1:]
	}
	items, err := p.items()
	if err == nil && kind == '%' && len(items)%2 != 0 {
		err = fmt.Errorf("a map of %d items", len(items))
	}
	return pattern{how: '[', list: kind, choose: choose, count: count, items: items}, err
}

// items reads a list in brackets.
func (p *patternParser) items() (items []pattern, err error) {
	p.space()
	if p.in == "" || p.in[0] != '[' && p.in[0] != '{' {
		return nil, fmt.Errorf("no list: %q", p.in)
	}
	end := map[byte]byte{'[': ']', '{': '}'}[p.in[0]]
	p.in = p.in[1:]
	for {
		p.space()
		if p.in == "" {
			return nil, fmt.Errorf("a list without end")
		}
		if p.in[0] == end {
			p.in = p.in[1:]
			return items, nil
		}
		item, err := p.pattern()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
}

// Same reports whether want, a reply of a bare machine, is got in a version of the protocol;
// anyOrder if lists may be in any order.
func Same(want, got Value, version int, anyOrder bool) bool {
	return exactly(want, anyOrder).match(got, version)
}

// exactly is the pattern that expects a reply.
func exactly(v Value, anyOrder bool) pattern {
	if strings.IndexByte("*~>%^", v.Kind) < 0 {
		return pattern{how: '=', value: v}
	}
	p := pattern{how: '[', list: v.Kind}
	if anyOrder {
		p.choose = unordered
	}
	for _, item := range v.Items {
		p.items = append(p.items, exactly(item, anyOrder))
	}
	return p
}

// match reports whether a reply is what was expected. version is that of the protocol,
// 0 on a bare machine, whose clock is exact.
func (p pattern) match(v Value, version int) bool {
	switch p.how {
	case '?':
		return v.Kind != '-'
	case '|':
		return slices.ContainsFunc(p.items, func(p pattern) bool { return p.match(v, version) })
	case '~':
		n, err := strconv.ParseInt(v.Text, 10, 64)
		slack := p.slack
		if version == 0 {
			slack = 0
		}
		return v.Kind == ':' && err == nil && p.number-slack <= n && n <= p.number+slack
	case '=':
		want := p.value.in(version)
		return v.Kind == want.Kind && v.Text == want.Text
	}
	got, ok := p.elements(v, version)
	return ok && p.chosen(got, version)
}

// in is a value without items as a version of the protocol has it.
func (v Value) in(version int) Value {
	switch {
	case version == 3 && v.Kind == '_':
		return Value{Kind: '_'}
	case version == 2 && (v.Kind == ',' || v.Kind == '('):
		return Value{Kind: '$', Text: v.Text}
	case version == 2 && v.Kind == '=':
		return Value{Kind: '$', Text: v.Text[min(4, len(v.Text)):]}
	case version == 2 && v.Kind == '#':
		return Value{Kind: ':', Text: map[string]string{"t": "1", "f": "0"}[v.Text]}
	}
	return v
}

// width is how many items make an element: what a choice or an order is among.
func (p pattern) width() int {
	if p.list == '%' || p.list == '^' {
		return 2
	}
	return 1
}

// elements are the items of a reply, if it is a list of the right kind. Maps and pairs
// are flat arrays in RESP2, sets are arrays.
func (p pattern) elements(v Value, version int) (items []Value, ok bool) {
	want := p.list
	if version == 2 || p.list == '^' && (version == 3 || len(v.Items) == 0) {
		want = '*'
	}
	if v.Kind != want {
		return nil, false
	}
	if p.list != '^' || version != 3 {
		return v.Items, len(v.Items)%p.width() == 0
	}
	for _, pair := range v.Items {
		if pair.Kind != '*' || len(pair.Items) != 2 {
			return nil, false
		}
		items = append(items, pair.Items...)
	}
	return items, true
}

func (p pattern) chosen(got []Value, version int) bool {
	width := p.width()
	count := p.count * width
	if p.choose == all || p.choose == unordered {
		count = len(p.items)
	}
	if len(got) != count {
		return false
	}
	used := make([]bool, len(p.items))
	for i := 0; i < len(got); i += width {
		found := false
		for k := 0; k < len(p.items) && !found; k += width {
			if used[k] && p.choose != repeated || p.choose == all && k != i {
				continue
			}
			found = p.items[k].match(got[i], version) && (width == 1 || p.items[k+1].match(got[i+1], version))
			used[k] = used[k] || found
		}
		if !found {
			return false
		}
	}
	return true
}
