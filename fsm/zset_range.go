package fsm

import (
	"iter"
	"strings"
)

var (
	errScoreBounds = NewError("ERR", "min or max is not a float")
	errLexBounds   = NewError("ERR", "min or max not valid string range item")
	errLimit       = NewError("ERR", "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	errLexScores   = NewError("ERR", "syntax error, WITHSCORES not supported in combination with BYLEX")
)

// order is what the bounds of an interval are about.
type order byte

const (
	byRank order = iota
	byScore
	byLex // by member, where all scores are equal
)

// interval is a contiguous part of a sorted set.
type interval struct {
	start, stop int64 // ranks, negative ones from the end; where below is nil

	below func(scored) bool // is before the interval
	upTo  func(scored) bool // is before or in it
}

// parseInterval reads the bounds of one.
func parseInterval(by order, low, high []byte) (interval, error) {
	switch by {
	case byScore:
		return scoreInterval(low, high)
	case byLex:
		return lexInterval(low, high)
	}
	start, stop, err := rangeArgs(low, high)
	return interval{start: start, stop: stop}, err
}

// scoreInterval reads bounds such as 1.5, (1.5 and +inf.
func scoreInterval(low, high []byte) (interval, error) {
	from, fromOpen, ok1 := scoreBound(low)
	to, toOpen, ok2 := scoreBound(high)
	if !ok1 || !ok2 {
		return interval{}, errScoreBounds
	}
	return interval{
		below: func(e scored) bool { return e.score < from || fromOpen && e.score == from },
		upTo:  func(e scored) bool { return e.score < to || !toOpen && e.score == to },
	}, nil
}

// scoreBound reads one with the leniency of C's strtod: space before the number, nothing
// for 0, and whatever follows a zero byte.
func scoreBound(arg []byte) (score float64, open, ok bool) {
	s, _, _ := strings.Cut(string(arg), "\x00")
	s, open = strings.CutPrefix(s, "(")
	if s == "" {
		return 0, open, true
	}
	score, ok = strtod(strings.TrimLeft(s, " \t\n\v\f\r"))
	return score, open, ok
}

// lexInterval reads bounds such as [a, (a, - and +.
func lexInterval(low, high []byte) (interval, error) {
	from, fromOpen, ok1 := lexBound(low)
	to, toOpen, ok2 := lexBound(high)
	if !ok1 || !ok2 {
		return interval{}, errLexBounds
	}
	return interval{
		below: func(e scored) bool { return from.above(e) || fromOpen && from.is(e) },
		upTo:  func(e scored) bool { return !(to.below(e) || toOpen && to.is(e)) },
	}, nil
}

// lexEnd is a member, or what is beyond all of them at one end.
type lexEnd struct {
	member string
	beyond int // -1: before all members, 1: after them
}

func (b lexEnd) above(e scored) bool { return b.beyond > 0 || b.beyond == 0 && e.member < b.member }
func (b lexEnd) below(e scored) bool { return b.beyond < 0 || b.beyond == 0 && e.member > b.member }
func (b lexEnd) is(e scored) bool    { return b.beyond == 0 && e.member == b.member }

func lexBound(arg []byte) (end lexEnd, open, ok bool) {
	switch s := string(arg); {
	case s == "-":
		return lexEnd{beyond: -1}, false, true
	case s == "+":
		return lexEnd{beyond: 1}, false, true
	case s != "" && (s[0] == '[' || s[0] == '('):
		return lexEnd{member: s[1:]}, s[0] == '(', true
	}
	return lexEnd{}, false, false
}

// span returns the interval as ranks: from first up to but not including end.
func (z *zset) span(i interval) (first, end int) {
	if i.below != nil {
		first = z.search(i.below)
		return first, max(first, z.search(i.upTo))
	}
	first, last := clip(i.start, i.stop, z.len())
	return first, last + 1
}

// selection is what ZRANGE and its like ask for.
type selection struct {
	interval
	reverse       bool
	withScores    bool
	offset, limit int64 // limit -1: all
}

// parseSelection reads the arguments behind the key: both bounds and the options. by and
// reverse are what the command says itself; general is for ZRANGE, where the client says
// it. store leaves out WITHSCORES.
func parseSelection(args [][]byte, by order, reverse, general, store bool) (s selection, err error) {
	s.limit, s.reverse = -1, reverse
	open := general && by == byRank
	for i := 2; i < len(args); i++ {
		switch {
		case !store && is(args[i], "WITHSCORES"):
			s.withScores = true
		case is(args[i], "LIMIT") && i+2 < len(args):
			if s.offset, err = intArg(args[i+1]); err != nil {
				return s, err
			}
			if s.limit, err = intArg(args[i+2]); err != nil {
				return s, err
			}
			i += 2
		case general && !s.reverse && is(args[i], "REV"):
			s.reverse = true
		case open && is(args[i], "BYSCORE"):
			by, open = byScore, false
		case open && is(args[i], "BYLEX"):
			by, open = byLex, false
		default:
			return s, ErrSyntax
		}
	}
	switch {
	case by == byRank && s.limit != -1:
		return s, errLimit
	case by == byLex && s.withScores:
		return s, errLexScores
	}
	low, high := args[0], args[1]
	if s.reverse && by != byRank {
		low, high = high, low
	}
	s.interval, err = parseInterval(by, low, high)
	return s, err
}

// choose returns the ranks of what is selected.
func (z *zset) choose(s selection) (first, end int) {
	first, end = z.span(s.interval)
	if s.below == nil {
		if s.reverse { // ranks count from the other end
			return z.len() - end, z.len() - first
		}
		return first, end
	}
	n := int64(end - first)
	if s.offset < 0 || s.offset >= n {
		return 0, 0
	}
	left := n - s.offset
	if s.limit >= 0 {
		left = min(left, s.limit)
	}
	if s.reverse {
		end -= int(s.offset)
		return end - int(left), end
	}
	first += int(s.offset)
	return first, first + int(left)
}

// membersReply lists n members.
func membersReply(items iter.Seq[scored], n int, withScores bool) Reply {
	var b Builder
	if withScores {
		b.Pairs(n)
	} else {
		b.Array(n)
	}
	for e := range items {
		b.BulkString(e.member)
		if withScores {
			b.Double(e.score)
		}
	}
	return b.Reply()
}

// rangeCommand is ZRANGE, or one of the older commands that do a part of it.
func rangeCommand(by order, reverse, general bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		s, err := parseSelection(args[2:], by, reverse, general, false)
		if err != nil {
			return nil, err
		}
		z, ok, err := get[*zset](tx, args[1])
		if err != nil || !ok {
			return EmptyArray, err
		}
		first, end := z.choose(s)
		return membersReply(z.walk(first, end, s.reverse), end-first, s.withScores), nil
	}
}

func zrangestoreCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, err := parseSelection(args[3:], byRank, false, true, true)
	if err != nil {
		return nil, err
	}
	var items []scored
	z, ok, err := get[*zset](tx, args[2])
	if err != nil {
		return nil, err
	}
	if ok {
		items = z.slice(z.choose(s))
	}
	return storeZset(tx, args[1], items, "zrangestore"), nil
}

// storeZset sets a key to a sorted set of these members, each there once, and answers
// with their number. Without members it deletes the key.
func storeZset(tx *Tx, key []byte, items []scored, event string) Reply {
	if len(items) == 0 {
		if tx.del(key) {
			tx.changed(genericEvent, "del", key)
		}
		return Int(0)
	}
	for i := range items {
		items[i].member = strings.Clone(items[i].member) // they may be parts of something larger
	}
	z, err := newZsetFrom(items)
	if err != nil {
		panic("fsm: " + err.Error())
	}
	tx.put(key, z, 0)
	tx.changed(zsetEvent, event, key)
	return Int(int64(len(items)))
}

// countCommand is ZCOUNT or ZLEXCOUNT.
func countCommand(by order) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		i, err := parseInterval(by, args[2], args[3])
		if err != nil {
			return nil, err
		}
		z, ok, err := get[*zset](tx, args[1])
		if err != nil || !ok {
			return Int(0), err
		}
		first, end := z.span(i)
		return Int(int64(end - first)), nil
	}
}

// removeRangeCommand is ZREMRANGEBYRANK, ZREMRANGEBYSCORE or ZREMRANGEBYLEX.
func removeRangeCommand(by order, event string) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		i, err := parseInterval(by, args[2], args[3])
		if err != nil {
			return nil, err
		}
		z, ok, err := get[*zset](tx, args[1])
		if err != nil || !ok {
			return Int(0), err
		}
		first, end := z.span(i)
		removeRange(tx, args[1], first, end, event)
		return Int(int64(end - first)), nil
	}
}

// removeRange takes the members of some ranks out of the sorted set at a key.
func removeRange(tx *Tx, key []byte, first, end int, event string) {
	if first == end {
		return
	}
	z, _, _ := edit[*zset](tx, key)
	left := z.len() - (end - first)
	if left > 0 {
		z.removeRange(first, end)
	}
	tx.changed(zsetEvent, event, key)
	tx.settle(key, left)
}
