package fsm

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// scores is what ZUNION and its like take in: a sorted set, or a set, where every member
// has the score 1.
type scores interface {
	len() int
	score(member string) (score float64, ok bool)
	all() iter.Seq[scored] // in an order that is a function of the content
}

// scoresAt returns what is at a key, nil where there is nothing.
func scoresAt(tx *Tx, key []byte) (scores, error) {
	o := tx.lookup(key)
	if o == nil {
		return nil, nil
	}
	switch v := o.value.(type) {
	case *zset:
		return v, nil
	case *set:
		return unscored{v}, nil
	}
	return nil, ErrWrongType
}

// unscored is a set, for what takes sorted sets.
type unscored struct{ set *set }

func (u unscored) len() int { return u.set.n }

func (u unscored) score(member string) (float64, bool) {
	if u.set.has([]byte(member)) {
		return 1, true
	}
	return 0, false
}

func (u unscored) all() iter.Seq[scored] {
	return func(yield func(scored) bool) {
		u.set.each(func(m []byte) bool { return yield(scored{1, string(m)}) })
	}
}

// input is one operand of ZUNION and its like.
type input struct {
	scores // nil where there is no key
	weight float64
}

func (in input) size() int {
	if in.scores == nil {
		return 0
	}
	return in.len()
}

// weighted is a score times the weight; 0 times infinity is 0.
func (in input) weighted(score float64) float64 {
	if product := float64(in.weight * score); !math.IsNaN(product) {
		return product
	}
	return 0
}

// aggregate joins two scores of one member.
type aggregate func(a, b float64) float64

// sumScores is 0 where infinities cancel out.
func sumScores(a, b float64) float64 {
	if sum := a + b; !math.IsNaN(sum) {
		return sum
	}
	return 0
}

// minScores and maxScores prefer a, where b is as large or -0.
func minScores(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func maxScores(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// combination is a command line of ZUNION, ZINTER, ZDIFF, or of one that stores or counts.
type combination struct {
	inputs     []input
	aggregate  aggregate
	withScores bool
	limit      int64 // of ZINTERCARD; 0: none
}

// options says which options a command has.
type options uint8

const (
	takesWeights options = 1 << iota // and AGGREGATE
	takesWithScores
	takesLimit
)

// parseCombination reads the inputs, whose number is args[at], and the options. As in
// Redis, a key of another type is found before the options are read.
func parseCombination(tx *Tx, args [][]byte, at int, takes options) (c combination, err error) {
	n, err := intArg(args[at])
	if err != nil {
		return c, err
	}
	if n < 1 {
		return c, NewError("ERR", fmt.Sprintf("at least 1 input key is needed for '%s' command", strings.ToLower(string(args[0]))))
	}
	rest := args[at+1:]
	if n > int64(len(rest)) {
		return c, ErrSyntax
	}
	for _, key := range rest[:n] {
		v, err := scoresAt(tx, key)
		if err != nil {
			return c, err
		}
		c.inputs = append(c.inputs, input{v, 1})
	}
	c.aggregate = sumScores
	for rest = rest[n:]; len(rest) > 0; {
		switch {
		case takes&takesWeights != 0 && len(rest) > int(n) && is(rest[0], "WEIGHTS"):
			for i := range c.inputs {
				var ok bool
				if c.inputs[i].weight, ok = parseDouble(rest[1+i]); !ok {
					return c, errWeight
				}
			}
			rest = rest[1+n:]
		case takes&takesWeights != 0 && len(rest) > 1 && is(rest[0], "AGGREGATE"):
			if c.aggregate, err = parseAggregate(rest[1]); err != nil {
				return c, err
			}
			rest = rest[2:]
		case takes&takesWithScores != 0 && is(rest[0], "WITHSCORES"):
			c.withScores = true
			rest = rest[1:]
		case takes&takesLimit != 0 && len(rest) > 1 && is(rest[0], "LIMIT"):
			var ok bool
			if c.limit, ok = parseInt(rest[1]); !ok || c.limit < 0 {
				return c, errNegativeLimit
			}
			rest = rest[2:]
		default:
			return c, ErrSyntax
		}
	}
	return c, nil
}

var (
	errWeight        = NewError("ERR", "weight value is not a float")
	errNegativeLimit = NewError("ERR", "LIMIT can't be negative")
)

func parseAggregate(arg []byte) (aggregate, error) {
	switch {
	case is(arg, "SUM"):
		return sumScores, nil
	case is(arg, "MIN"):
		return minScores, nil
	case is(arg, "MAX"):
		return maxScores, nil
	}
	return nil, ErrSyntax
}

// bySize sorts the inputs as Redis does: it is the order in which scores are added up,
// which sums of floats depend on.
func (c combination) bySize() []input {
	slices.SortStableFunc(c.inputs, func(a, b input) int { return cmp.Compare(a.size(), b.size()) })
	return c.inputs
}

// union lists the members of all inputs.
func (c combination) union() []scored {
	var items []scored
	at := map[string]int{}
	for _, in := range c.bySize() {
		if in.scores == nil {
			continue
		}
		for e := range in.all() {
			score := in.weighted(e.score)
			if i, there := at[e.member]; there {
				items[i].score = c.aggregate(items[i].score, score)
				continue
			}
			at[e.member] = len(items)
			items = append(items, scored{score, e.member})
		}
	}
	return items
}

// inter visits the members that all inputs have.
func (c combination) inter() iter.Seq[scored] {
	return func(yield func(scored) bool) {
		inputs := c.bySize()
		if inputs[0].scores == nil {
			return
		}
	members:
		for e := range inputs[0].all() {
			sum := inputs[0].weighted(e.score)
			for _, in := range inputs[1:] {
				score, there := in.score(e.member)
				if !there {
					continue members
				}
				sum = c.aggregate(sum, float64(in.weight*score)) // NaN included, unlike in a union
			}
			if !yield(scored{sum, e.member}) {
				return
			}
		}
	}
}

// diff lists the members of the first input that no other has. It looks each of them up
// in all others, or goes through the others, whichever is less.
func (c combination) diff() []scored {
	first, others, total := c.inputs[0], c.inputs[1:], 0
	if first.scores == nil {
		return nil
	}
	for _, in := range others {
		total += in.size()
	}
	gone := map[string]bool{}
	if total < first.len()*len(others)/2 {
		for _, in := range others {
			if in.scores == nil {
				continue
			}
			for e := range in.all() {
				gone[e.member] = true
			}
		}
		others = nil
	}
	var items []scored
	for e := range first.all() {
		elsewhere := gone[e.member] || slices.ContainsFunc(others, func(in input) bool {
			if in.scores == nil {
				return false
			}
			_, there := in.score(e.member)
			return there
		})
		if !elsewhere {
			items = append(items, e)
		}
	}
	return items
}

// evaluator computes the members of a combination, in any order.
type evaluator func(combination) []scored

func interMembers(c combination) []scored { return slices.Collect(c.inter()) }

// algebraCommand is ZUNION, ZINTER or ZDIFF.
func algebraCommand(evaluate evaluator, takes options) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		c, err := parseCombination(tx, args, 1, takes)
		if err != nil {
			return nil, err
		}
		items := evaluate(c)
		slices.SortFunc(items, scored.compare)
		return membersReply(slices.Values(items), len(items), c.withScores), nil
	}
}

// algebraStoreCommand is ZUNIONSTORE, ZINTERSTORE or ZDIFFSTORE.
func algebraStoreCommand(evaluate evaluator, takes options, event string) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		c, err := parseCombination(tx, args, 2, takes)
		if err != nil {
			return nil, err
		}
		return storeZset(tx, args[1], evaluate(c), event), nil
	}
}

func zintercardCommand(tx *Tx, args [][]byte) (Reply, error) {
	c, err := parseCombination(tx, args, 1, takesLimit)
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for range c.inter() {
		if n++; n == c.limit {
			break
		}
	}
	return Int(n), nil
}
