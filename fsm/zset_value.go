package fsm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// scored is a member of a sorted set with its score. Sorted sets are in this order: by
// score, and by member where scores are equal.
type scored struct {
	score  float64 // never NaN
	member string
}

func (a scored) compare(b scored) int {
	if a.score != b.score { // -0 is 0
		return cmp.Compare(a.score, b.score)
	}
	return strings.Compare(a.member, b.member)
}

// hashedMember is a scored in the order of hashes: the way from a member to its score,
// and the order of ZSCAN.
type hashedMember struct {
	hash uint64
	scored
}

func (a hashedMember) compare(b hashedMember) int {
	if a.hash != b.hash {
		return cmp.Compare(a.hash, b.hash)
	}
	return strings.Compare(a.member, b.member)
}

func hashMember(e scored) hashedMember { return hashedMember{xxhash.Sum64String(e.member), e} }

func (a hashedMember) hashOf() uint64 { return a.hash }

// zset is a sorted set. A small one is a packed sequence, each member before its score,
// in order; a large one is two trees of the same members. Which it is depends only on
// the members.
type zset struct {
	small  packed
	ranked *tree[scored] // nil in a small one
	hashed *tree[hashedMember]
	long   int // members of more than maxPackedBytes
}

func newZset() *zset { return &zset{} }

var errTwice = errors.New("a member is there twice")

// newZsetFrom makes a sorted set of members in any order, which it sorts. It keeps the
// strings. It fails if there are none, or one is there twice.
func newZsetFrom(items []scored) (*zset, error) {
	if err := notEmpty(len(items)); err != nil {
		return nil, err
	}
	slices.SortFunc(items, scored.compare)
	z := newZset()
	for _, e := range items {
		if len(e.member) > maxPackedBytes {
			z.long++
		}
	}
	if z.long == 0 && len(items) <= maxPacked {
		for _, e := range items {
			if _, there := z.score(e.member); there {
				return nil, errTwice
			}
			z.small.push([]byte(e.member), encodeScore(e.score))
		}
		return z, nil
	}
	z.ranked, z.hashed = newTree[scored](), newTree[hashedMember]()
	for _, e := range items {
		if z.put(e) {
			return nil, errTwice
		}
	}
	return z, nil
}

func (z *zset) kind() string  { return "zset" }
func (z *zset) rdbType() byte { return rdbZset2 }

func (z *zset) encoding() string {
	if z.ranked == nil {
		return "listpack"
	}
	return "skiplist"
}

func (z *zset) clone() value {
	if z.ranked == nil {
		return &zset{small: z.small.clone()}
	}
	return &zset{ranked: z.ranked.clone(), hashed: z.hashed.clone(), long: z.long}
}

func (z *zset) len() int {
	if z.ranked == nil {
		return z.small.n / 2
	}
	return z.ranked.len()
}

// score returns a member's score.
func (z *zset) score(member string) (score float64, ok bool) {
	if z.ranked != nil {
		e, ok := z.hashed.get(hashMember(scored{member: member}))
		return e.score, ok
	}
	offset, ok := z.small.find([]byte(member), 2)
	if !ok {
		return 0, false
	}
	_, score, _ = z.pair(offset)
	return score, true
}

// pair returns the member at an offset of a small set, its score, and the offset of
// what follows.
func (z *zset) pair(offset int) (member []byte, score float64, next int) {
	member, offset = z.small.at(offset)
	b, next := z.small.at(offset)
	return member, decodeScore(b), next
}

// add puts in a member that is not there.
func (z *zset) add(member string, score float64) {
	if len(member) > maxPackedBytes {
		z.long++
	}
	if z.ranked == nil && (z.long > 0 || z.len() == maxPacked) {
		z.unpack()
	}
	if z.ranked != nil {
		z.put(scored{score, member})
		return
	}
	offset := 0
	for offset < len(z.small.b) {
		m, s, next := z.pair(offset)
		if s > score || s == score && string(m) > member {
			break
		}
		offset = next
	}
	z.small.splice(offset, 0, []byte(member), encodeScore(score))
}

// move changes the score of a member.
func (z *zset) move(member string, from, to float64) {
	if z.ranked == nil {
		z.remove(member, from)
		z.add(member, to)
		return
	}
	e, _ := z.ranked.delete(scored{from, member})
	z.put(scored{to, e.member})
}

// put puts a member into both trees and reports whether it was there.
func (z *zset) put(e scored) bool {
	z.ranked.set(e)
	_, there := z.hashed.set(hashMember(e))
	return there
}

// remove takes out a member that has this score.
func (z *zset) remove(member string, score float64) {
	if z.ranked == nil {
		offset, _ := z.small.find([]byte(member), 2)
		z.small.splice(offset, 2)
		return
	}
	z.take(scored{score, member})
	z.pack()
}

// take takes a member out of both trees.
func (z *zset) take(e scored) {
	z.ranked.delete(e)
	z.hashed.delete(hashMember(e))
	if len(e.member) > maxPackedBytes {
		z.long--
	}
}

// removeRange takes out the members of the ranks from first up to but not including end.
func (z *zset) removeRange(first, end int) {
	if z.ranked == nil {
		z.small.splice(z.small.skip(0, 2*first), 2*(end-first))
		return
	}
	for _, e := range z.slice(first, end) {
		z.take(e)
	}
	z.pack()
}

// unpack makes a small set a large one.
func (z *zset) unpack() {
	items := z.list()
	z.small, z.ranked, z.hashed = packed{}, newTree[scored](), newTree[hashedMember]()
	for _, e := range items {
		e.member = strings.Clone(e.member) // so that it does not hold on to all others
		z.put(e)
	}
}

// pack makes a large set a small one, if it has become that small.
func (z *zset) pack() {
	if z.long > 0 || z.len() > maxPacked {
		return
	}
	items := z.slice(0, z.len())
	z.ranked, z.hashed = nil, nil
	for _, e := range items {
		z.small.push([]byte(e.member), encodeScore(e.score))
	}
}

// list returns the members of a small set. They are parts of one string.
func (z *zset) list() []scored {
	items := make([]scored, 0, z.len())
	all := string(z.small.b)
	for offset := 0; offset < len(all); {
		member, score, next := z.pair(offset)
		start := offset + uvarintLen(len(member))
		items = append(items, scored{score, all[start : start+len(member)]})
		offset = next
	}
	return items
}

// slice returns the members of the ranks from first up to but not including end.
func (z *zset) slice(first, end int) []scored {
	items := make([]scored, 0, end-first)
	for e := range z.walk(first, end, false) {
		items = append(items, e)
	}
	return items
}

// at returns the member of a rank, which must be from 0 to len-1.
func (z *zset) at(rank int) scored {
	if z.ranked != nil {
		return z.ranked.at(rank)
	}
	member, score, _ := z.pair(z.small.skip(0, 2*rank))
	return scored{score, string(member)}
}

// rank returns how many members come before one.
func (z *zset) rank(e scored) int {
	return z.search(func(other scored) bool { return other.compare(e) < 0 })
}

// search returns how many members before holds for. It must hold for the first members
// of the order and for no others.
func (z *zset) search(before func(scored) bool) int {
	if z.ranked != nil {
		return z.ranked.search(before)
	}
	items := z.list()
	if i := slices.IndexFunc(items, func(e scored) bool { return !before(e) }); i >= 0 {
		return i
	}
	return len(items)
}

// walk visits the members of the ranks from first up to but not including end, or the
// same ones backward. The set must not change meanwhile. Whoever keeps a member of a
// small set keeps the memory of all.
func (z *zset) walk(first, end int, backward bool) iter.Seq[scored] {
	return func(yield func(scored) bool) {
		left := end - first
		if left <= 0 {
			return
		}
		var items iter.Seq[scored]
		switch {
		case z.ranked != nil && backward:
			items = z.ranked.backward(end - 1)
		case z.ranked != nil:
			items = z.ranked.from(first)
		default:
			list := z.list()[first:end]
			if backward {
				slices.Reverse(list)
			}
			items = slices.Values(list)
		}
		for e := range items {
			if !yield(e) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func (z *zset) all() iter.Seq[scored] { return z.walk(0, z.len(), false) }

// encodeScore writes a score for a small set: the integers that most scores are in up
// to 7 bytes, zigzag and without leading zeros, anything else as the 8 bytes of the
// float. As in Redis, a small set knows no -0.
func encodeScore(score float64) []byte {
	b := make([]byte, 8)
	if n := int64(score); math.Abs(score) < 1<<54 && float64(n) == score {
		binary.BigEndian.PutUint64(b, uint64(n<<1^n>>63))
		for len(b) > 0 && b[0] == 0 {
			b = b[1:]
		}
		return b
	}
	binary.BigEndian.PutUint64(b, math.Float64bits(score))
	return b
}

func decodeScore(b []byte) float64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if len(b) == 8 {
		return math.Float64frombits(n)
	}
	return float64(int64(n>>1) ^ -int64(n&1))
}
