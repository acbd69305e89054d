package fsm

import (
	"encoding/binary"
	"fmt"
	"math"
)

// writeRDB writes the members in order, each with its score as a double.
func (z *zset) writeRDB(w *rdbWriter) {
	w.length(z.len())
	for e := range z.all() {
		w.buf = appendRDBString(w.buf, e.member)
		w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(e.score))
		w.pause()
	}
}

func loadZset(r *rdbReader) (value, error)  { return r.zset((*rdbReader).textScore) }
func loadZset2(r *rdbReader) (value, error) { return r.zset((*rdbReader).score) }

// zset reads a sorted set whose scores are in one form or the other.
func (r *rdbReader) zset(score func(*rdbReader) (float64, error)) (value, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	var items []scored
	for range n {
		member, err := r.string()
		if err != nil {
			return nil, err
		}
		score, err := score(r)
		if err != nil {
			return nil, err
		}
		if math.IsNaN(score) {
			return nil, fmt.Errorf("member %q: the score is not a number", member)
		}
		items = append(items, scored{score, string(member)})
	}
	z, err := newZsetFrom(items)
	if err != nil {
		return nil, err
	}
	return z, nil
}

// loadZsetOf makes the loader of sorted sets that are one piece of memory: members, each
// before its score as text.
func loadZsetOf(unpack unpacker) func(r *rdbReader) (value, error) {
	return func(r *rdbReader) (value, error) {
		z := newZset()
		err := r.groups(2, unpack, func(pair [][]byte) error {
			score, ok := strtod(string(pair[1]))
			if !ok {
				return fmt.Errorf("member %q has the score %q", pair[0], pair[1])
			}
			member := string(pair[0])
			if _, there := z.score(member); there {
				return errTwice
			}
			z.add(member, score)
			return nil
		})
		if err != nil {
			return nil, err
		}
		return z, notEmpty(z.len())
	}
}

// score reads a score as a double.
func (r *rdbReader) score() (float64, error) {
	b, err := r.fixed(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// textScore reads a score as text behind its length; lengths that no text has stand for
// infinities and NaN.
func (r *rdbReader) textScore() (float64, error) {
	n, err := r.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case 253:
		return math.NaN(), nil
	case 254:
		return math.Inf(1), nil
	case 255:
		return math.Inf(-1), nil
	}
	text, err := r.read(uint64(n))
	if err != nil {
		return 0, err
	}
	score, ok := strtod(string(text))
	if !ok {
		return 0, fmt.Errorf("%q is not a score", text)
	}
	return score, nil
}
