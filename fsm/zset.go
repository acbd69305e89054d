package fsm

import (
	"math"
	"strconv"
)

var zsetCommands = []Command{
	{Name: "ZADD", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Adds members to a sorted set, or changes their scores.", Syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
		Cost: "O(log(N)) for each member, where N is the number of members in the set", Run: zaddCommand},
	{Name: "ZCARD", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Returns the number of members of a sorted set.", Syntax: "key",
		Cost: "O(1)", Run: zcardCommand},
	{Name: "ZCOUNT", Arity: 4, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "2.0.0",
		Summary: "Counts the members whose scores are in a range.", Syntax: "key min max",
		Cost: "O(log(N)) where N is the number of members", Run: countCommand(byScore)},
	{Name: "ZDIFF", Arity: -3, Flags: ReadOnly, Keys: countedKey, Group: "sorted-set", Since: "6.2.0",
		Summary: "Returns the members of the first sorted set that no other has.", Syntax: "numkeys key [key ...] [WITHSCORES]",
		Cost: "O(L + (N-K)log(N)) worst case where L is the number of members in all sets, N that of the first, and K that of the result", Run: algebraCommand(combination.diff, takesWithScores)},
	{Name: "ZDIFFSTORE", Arity: -4, Flags: Write | DenyOOM, Keys: storedKeys, Group: "sorted-set", Since: "6.2.0",
		Summary: "Stores the members of the first sorted set that no other has.", Syntax: "destination numkeys key [key ...]",
		Cost: "O(L + (N-K)log(N)) worst case where L is the number of members in all sets, N that of the first, and K that of the result", Run: algebraStoreCommand(combination.diff, 0, "zdiffstore")},
	{Name: "ZINCRBY", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Adds a number to the score of a member.", Syntax: "key increment member",
		Cost: "O(log(N)) where N is the number of members", Run: zaddCommand},
	{Name: "ZINTER", Arity: -3, Flags: ReadOnly, Keys: countedKey, Group: "sorted-set", Since: "6.2.0",
		Summary: "Returns the members that several sorted sets have in common.", Syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Cost: "O(N*K)+O(M*log(M)) where N is the size of the smallest set, K the number of sets, M the size of the result", Run: algebraCommand(interMembers, takesWeights|takesWithScores)},
	{Name: "ZINTERCARD", Arity: -3, Flags: ReadOnly, Keys: countedKey, Group: "sorted-set", Since: "7.0.0",
		Summary: "Counts the members that several sorted sets have in common.", Syntax: "numkeys key [key ...] [LIMIT limit]",
		Cost: "O(N*K) where N is the size of the smallest set and K the number of sets", Run: zintercardCommand},
	{Name: "ZINTERSTORE", Arity: -4, Flags: Write | DenyOOM, Keys: storedKeys, Group: "sorted-set", Since: "2.0.0",
		Summary: "Stores the members that several sorted sets have in common.", Syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Cost: "O(N*K)+O(M*log(M)) where N is the size of the smallest set, K the number of sets, M the size of the result", Run: algebraStoreCommand(interMembers, takesWeights, "zinterstore")},
	{Name: "ZLEXCOUNT", Arity: 4, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "2.8.9",
		Summary: "Counts the members in a lexicographical range.", Syntax: "key min max",
		Cost: "O(log(N)) where N is the number of members", Run: countCommand(byLex)},
	{Name: "ZMPOP", Arity: -4, Flags: Write, Keys: countedKey, Group: "sorted-set", Since: "7.0.0",
		Summary: "Removes and returns members of the first sorted set that has any.", Syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
		Cost: "O(K) + O(M*log(N)) where K is the number of keys, N the size of the set, M the number of members popped", Run: zmpopCommand},
	{Name: "ZMSCORE", Arity: -3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "6.2.0",
		Summary: "Returns the scores of members.", Syntax: "key member [member ...]",
		Cost: "O(N) where N is the number of members asked for", Run: zmscoreCommand},
	{Name: "ZPOPMAX", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "sorted-set", Since: "5.0.0",
		Summary: "Removes and returns the members with the highest scores.", Syntax: "key [count]",
		Cost: "O(log(N)*M) where N is the size of the set and M the number of members popped", Run: zpopCommand(true)},
	{Name: "ZPOPMIN", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "sorted-set", Since: "5.0.0",
		Summary: "Removes and returns the members with the lowest scores.", Syntax: "key [count]",
		Cost: "O(log(N)*M) where N is the size of the set and M the number of members popped", Run: zpopCommand(false)},
	{Name: "ZRANDMEMBER", Arity: -2, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "6.2.0",
		Summary: "Returns members chosen by chance.", Syntax: "key [count [WITHSCORES]]",
		Cost: "O(N) where N is the number of members returned", Run: zrandmemberCommand},
	{Name: "ZRANGE", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Returns the members in a range of ranks, scores or members.", Syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byRank, false, true)},
	{Name: "ZRANGEBYLEX", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "2.8.9",
		Summary: "Returns the members in a lexicographical range.", Syntax: "key min max [LIMIT offset count]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byLex, false, false)},
	{Name: "ZRANGEBYSCORE", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "1.0.5",
		Summary: "Returns the members whose scores are in a range.", Syntax: "key min max [WITHSCORES] [LIMIT offset count]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byScore, false, false)},
	{Name: "ZRANGESTORE", Arity: -5, Flags: Write | DenyOOM, Keys: twoKeys, Group: "sorted-set", Since: "6.2.0",
		Summary: "Stores the members in a range of ranks, scores or members.", Syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members stored", Run: zrangestoreCommand},
	{Name: "ZRANK", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "2.0.0",
		Summary: "Returns how many members are before one.", Syntax: "key member",
		Cost: "O(log(N))", Run: rankCommand(false)},
	{Name: "ZREM", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Removes members.", Syntax: "key member [member ...]",
		Cost: "O(M*log(N)) where N is the size of the set and M the number of members to remove", Run: zremCommand},
	{Name: "ZREMRANGEBYLEX", Arity: 4, Flags: Write, Keys: firstKey, Group: "sorted-set", Since: "2.8.9",
		Summary: "Removes the members in a lexicographical range.", Syntax: "key min max",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members removed", Run: removeRangeCommand(byLex, "zremrangebylex")},
	{Name: "ZREMRANGEBYRANK", Arity: 4, Flags: Write, Keys: firstKey, Group: "sorted-set", Since: "2.0.0",
		Summary: "Removes the members in a range of ranks.", Syntax: "key start stop",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members removed", Run: removeRangeCommand(byRank, "zremrangebyrank")},
	{Name: "ZREMRANGEBYSCORE", Arity: 4, Flags: Write, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Removes the members whose scores are in a range.", Syntax: "key min max",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members removed", Run: removeRangeCommand(byScore, "zremrangebyscore")},
	{Name: "ZREVRANGE", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Returns the members in a range of ranks, from the highest score down.", Syntax: "key start stop [WITHSCORES]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byRank, true, false)},
	{Name: "ZREVRANGEBYLEX", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "2.8.9",
		Summary: "Returns the members in a lexicographical range, from the last down.", Syntax: "key max min [LIMIT offset count]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byLex, true, false)},
	{Name: "ZREVRANGEBYSCORE", Arity: -4, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "2.2.0",
		Summary: "Returns the members whose scores are in a range, from the highest down.", Syntax: "key max min [WITHSCORES] [LIMIT offset count]",
		Cost: "O(log(N)+M) where N is the size of the set and M the number of members returned", Run: rangeCommand(byScore, true, false)},
	{Name: "ZREVRANK", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "2.0.0",
		Summary: "Returns how many members are behind one.", Syntax: "key member",
		Cost: "O(log(N))", Run: rankCommand(true)},
	{Name: "ZSCAN", Arity: -3, Flags: ReadOnly, Keys: firstKey, Group: "sorted-set", Since: "2.8.0",
		Summary: "Visits the members of a sorted set bit by bit.", Syntax: "key cursor [MATCH pattern] [COUNT count]",
		Cost: "O(1) for each call", Run: zscanCommand},
	{Name: "ZSCORE", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "sorted-set", Since: "1.2.0",
		Summary: "Returns the score of a member.", Syntax: "key member",
		Cost: "O(1)", Run: zscoreCommand},
	{Name: "ZUNION", Arity: -3, Flags: ReadOnly, Keys: countedKey, Group: "sorted-set", Since: "6.2.0",
		Summary: "Returns the members that any of several sorted sets has.", Syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Cost: "O(N)+O(M*log(M)) where N is the sum of the sizes and M the size of the result", Run: algebraCommand(combination.union, takesWeights|takesWithScores)},
	{Name: "ZUNIONSTORE", Arity: -4, Flags: Write | DenyOOM, Keys: storedKeys, Group: "sorted-set", Since: "2.0.0",
		Summary: "Stores the members that any of several sorted sets has.", Syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Cost: "O(N)+O(M*log(M)) where N is the sum of the sizes and M the size of the result", Run: algebraStoreCommand(combination.union, takesWeights, "zunionstore")},
}

// zsetReply is what a reply for the sorted set at a key says, or empty without one.
func zsetReply(tx *Tx, key []byte, empty Reply, reply func(*zset) Reply) (Reply, error) {
	z, ok, err := get[*zset](tx, key)
	if err != nil || !ok {
		return empty, err
	}
	return reply(z), nil
}

func zcardCommand(tx *Tx, args [][]byte) (Reply, error) {
	return zsetReply(tx, args[1], Int(0), func(z *zset) Reply { return Int(int64(z.len())) })
}

func zscoreCommand(tx *Tx, args [][]byte) (Reply, error) {
	return zsetReply(tx, args[1], Nil, func(z *zset) Reply {
		if score, there := z.score(string(args[2])); there {
			return Double(score)
		}
		return Nil
	})
}

func zmscoreCommand(tx *Tx, args [][]byte) (Reply, error) {
	z, ok, err := get[*zset](tx, args[1])
	if err != nil {
		return nil, err
	}
	if !ok {
		z = newZset()
	}
	var b Builder
	b.Array(len(args) - 2)
	for _, member := range args[2:] {
		if score, there := z.score(string(member)); there {
			b.Double(score)
		} else {
			b.Nil()
		}
	}
	return b.Reply(), nil
}

// rankCommand is ZRANK or ZREVRANK.
func rankCommand(reverse bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		return zsetReply(tx, args[1], Nil, func(z *zset) Reply {
			member := string(args[2])
			score, there := z.score(member)
			if !there {
				return Nil
			}
			rank := z.rank(scored{score, member})
			if reverse {
				rank = z.len() - 1 - rank
			}
			return Int(int64(rank))
		})
	}
}

func zremCommand(tx *Tx, args [][]byte) (Reply, error) {
	z, ok, err := edit[*zset](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	removed := 0
	for _, arg := range args[2:] {
		member := string(arg)
		if score, there := z.score(member); there {
			z.remove(member, score)
			removed++
		}
	}
	if removed == 0 {
		return Int(0), nil
	}
	tx.changed(zsetEvent, "zrem", args[1])
	tx.settle(args[1], z.len())
	return Int(int64(removed)), nil
}

// zscanCommand goes through a large set in the order of hashes, see Tx.scan. A small one
// is visited at once, as in Redis.
func zscanCommand(tx *Tx, args [][]byte) (Reply, error) {
	// Redis looks at the key before it looks at the options.
	if _, err := parseScan(args[1:3]); err != nil {
		return nil, err
	}
	z, ok, err := get[*zset](tx, args[1])
	if err != nil || !ok {
		return scanReply(0, 0, nil), err
	}
	o, err := parseScanWith(args[1:], "")
	if err != nil {
		return nil, err
	}
	var found Builder
	count, next := 0, uint64(0)
	visit := func(e scored) {
		if o.pattern == nil || Match(o.pattern, []byte(e.member)) {
			count += 2
			found.BulkString(e.member)
			found.BulkString(z.scanScore(e.score))
		}
	}
	if z.ranked != nil {
		next = scanTree(z.hashed, o.cursor, o.count, func(e hashedMember) { visit(e.scored) })
	} else {
		for e := range z.all() {
			visit(e)
		}
	}
	return scanReply(next, count, found.Reply()), nil
}

// scanScore writes a score as ZSCAN does, which shows how Redis holds it: in a small set
// an integer never gets an exponent.
func (z *zset) scanScore(score float64) string {
	if n := int64(score); z.ranked == nil && math.Abs(score) <= 1<<62 && float64(n) == score {
		return strconv.FormatInt(n, 10)
	}
	return FormatDouble(score)
}
