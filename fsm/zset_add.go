package fsm

import "math"

var (
	errXXandNX = NewError("ERR", "XX and NX options at the same time are not compatible")
	errGTLTNX  = NewError("ERR", "GT, LT, and/or NX options at the same time are not compatible")
	errIncr    = NewError("ERR", "INCR option supports a single increment-element pair")
	errScore   = NewError("ERR", "resulting score is not a number (NaN)")
)

// zaddOptions is what may stand between the key of ZADD and its pairs.
type zaddOptions struct{ nx, xx, gt, lt, ch, incr bool }

// parseZadd reads the options, and the scores and members that follow them.
func parseZadd(args [][]byte) (o zaddOptions, items []scored, err error) {
	o.incr = is(args[0], "ZINCRBY")
	i := 2
options:
	for ; i < len(args); i++ {
		switch {
		case is(args[i], "NX"):
			o.nx = true
		case is(args[i], "XX"):
			o.xx = true
		case is(args[i], "GT"):
			o.gt = true
		case is(args[i], "LT"):
			o.lt = true
		case is(args[i], "CH"):
			o.ch = true
		case is(args[i], "INCR"):
			o.incr = true
		default:
			break options
		}
	}
	pairs := args[i:]
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		return o, nil, ErrSyntax
	case o.nx && o.xx:
		return o, nil, errXXandNX
	case o.gt && o.nx || o.lt && o.nx || o.gt && o.lt:
		return o, nil, errGTLTNX
	case o.incr && len(pairs) > 2:
		return o, nil, errIncr
	}
	items = make([]scored, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		score, err := doubleArg(pairs[i])
		if err != nil {
			return o, nil, err
		}
		items = append(items, scored{score, string(pairs[i+1])})
	}
	return o, items, nil
}

// becomes returns the score that a member gets which has an old one or is not there;
// false if it stays as it is.
func (o zaddOptions) becomes(score, old float64, there bool) (float64, bool) {
	if !there {
		return score, !o.xx
	}
	if o.incr {
		score += old
	}
	if o.nx || o.gt && score <= old || o.lt && score >= old {
		return old, false
	}
	return score, true
}

func zaddCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, items, err := parseZadd(args)
	if err != nil {
		return nil, err
	}
	key := args[1]
	z, ok, err := edit[*zset](tx, key)
	switch {
	case err != nil:
		return nil, err
	case !ok && o.xx:
		return o.reply(0, 0, 0, false), nil
	case !ok:
		z, _ = open(tx, key, newZset)
	}
	added, updated, last, done := 0, 0, 0.0, false
	for _, e := range items {
		old, there := z.score(e.member)
		last, done = o.becomes(e.score, old, there)
		switch {
		case !done:
		case math.IsNaN(last): // of an increment, which comes alone
			return nil, errScore
		case !there:
			z.add(e.member, last)
			added++
		case last != old:
			z.move(e.member, old, last)
			updated++
		}
	}
	if added+updated > 0 {
		event := "zadd"
		if o.incr {
			event = "zincr"
		}
		tx.changed(zsetEvent, event, key)
	}
	return o.reply(added, updated, last, done), nil
}

// reply answers ZADD; last is the score that the last member has got, done false if that
// was not changed.
func (o zaddOptions) reply(added, updated int, last float64, done bool) Reply {
	switch {
	case o.incr && done:
		return Double(last)
	case o.incr:
		return Nil
	case o.ch:
		return Int(int64(added + updated))
	}
	return Int(int64(added))
}
