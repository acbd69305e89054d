package fsm

import (
	"math"
	"slices"
)

// zpopCommand is ZPOPMIN or ZPOPMAX. Without a count the reply is one pair that is not
// nested in RESP3 either.
func zpopCommand(fromTop bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		if len(args) > 3 {
			return nil, ErrSyntax
		}
		count, counted := int64(1), len(args) == 3
		if counted {
			var err error
			if count, err = countArg(args[2]); err != nil {
				return nil, err
			}
		}
		z, ok, err := get[*zset](tx, args[1])
		if err != nil || !ok || count == 0 {
			return EmptyArray, err
		}
		var b Builder
		popped := popScored(tx, args[1], z, count, fromTop)
		if counted {
			b.Pairs(len(popped))
		} else {
			b.Array(2)
		}
		for _, e := range popped {
			b.BulkString(e.member)
			b.Double(e.score)
		}
		return b.Reply(), nil
	}
}

// popScored takes up to count members off one end of the sorted set at a key.
func popScored(tx *Tx, key []byte, z *zset, count int64, fromTop bool) []scored {
	n := int(min(count, int64(z.len())))
	first, event := 0, "zpopmin"
	if fromTop {
		first, event = z.len()-n, "zpopmax"
	}
	popped := z.slice(first, first+n)
	if fromTop {
		slices.Reverse(popped)
	}
	removeRange(tx, key, first, first+n, event)
	return popped
}

func zmpopCommand(tx *Tx, args [][]byte) (Reply, error) {
	keys, rest, err := countedKeys(args[1:])
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 || !is(rest[0], "MIN") && !is(rest[0], "MAX") {
		return nil, ErrSyntax
	}
	count, err := popCount(rest[1:])
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		z, ok, err := get[*zset](tx, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		popped := popScored(tx, key, z, count, is(rest[0], "MAX"))
		var b Builder
		b.Array(2)
		b.Bulk(key)
		b.Array(len(popped))
		for _, e := range popped {
			b.Array(2)
			b.BulkString(e.member)
			b.Double(e.score)
		}
		return b.Reply(), nil
	}
	return NilArray, nil
}

func zrandmemberCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args) == 2 {
		return zsetReply(tx, args[1], Nil, func(z *zset) Reply {
			return BulkString(z.at(tx.Rand().IntN(z.len())).member)
		})
	}
	count, withScores, err := parseZrandmember(args)
	if err != nil {
		return nil, err
	}
	return zsetReply(tx, args[1], EmptyArray, func(z *zset) Reply {
		var chosen []scored
		for _, rank := range randomIndexes(tx.Rand(), z.len(), count) {
			chosen = append(chosen, z.at(rank))
		}
		return membersReply(slices.Values(chosen), len(chosen), withScores)
	})
}

func parseZrandmember(args [][]byte) (count int64, withScores bool, err error) {
	count, err = randomCountArg(args[2])
	withScores = len(args) > 3
	switch {
	case err != nil:
		return 0, false, err
	case len(args) > 4 || withScores && !is(args[3], "WITHSCORES"):
		return 0, false, ErrSyntax
	case withScores && count > math.MaxInt64/2:
		return 0, false, NewError("ERR", "value is out of range")
	}
	return count, withScores, nil
}
