package fsm

import (
	"slices"
	"strconv"
)

var setCommands = []Command{
	{Name: "SADD", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Adds members to a set.", Syntax: "key member [member ...]", Cost: "O(1) for each element added", Run: saddCommand},
	{Name: "SCARD", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Counts the members of a set.", Syntax: "key", Cost: "O(1)", Run: scardCommand},
	{Name: "SDIFF", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Returns the members of a set that no other one has.", Syntax: "key [key ...]", Cost: "O(N) where N is the total number of elements in all given sets.", Run: setOperation(difference)},
	{Name: "SDIFFSTORE", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Stores the members of a set that no other one has.", Syntax: "destination key [key ...]", Cost: "O(N) where N is the total number of elements in all given sets.", Run: setStore("sdiffstore", difference)},
	{Name: "SINTER", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Returns the members that sets have in common.", Syntax: "key [key ...]", Cost: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.", Run: setOperation(intersection)},
	{Name: "SINTERCARD", Arity: -3, Flags: ReadOnly, Keys: countedKey, Group: "set", Since: "7.0.0",
		Summary: "Counts the members that sets have in common.", Syntax: "numkeys key [key ...] [LIMIT limit]", Cost: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.", Run: sintercardCommand},
	{Name: "SINTERSTORE", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Stores the members that sets have in common.", Syntax: "destination key [key ...]", Cost: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.", Run: setStore("sinterstore", intersection)},
	{Name: "SISMEMBER", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Tells whether a set has a member.", Syntax: "key member", Cost: "O(1)", Run: sismemberCommand},
	{Name: "SMEMBERS", Arity: 2, Flags: ReadOnly, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Returns all members of a set.", Syntax: "key", Cost: "O(N) where N is the set cardinality.", Run: setOperation(union)},
	{Name: "SMISMEMBER", Arity: -3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "set", Since: "6.2.0",
		Summary: "Tells which members a set has.", Syntax: "key member [member ...]", Cost: "O(N) where N is the number of elements being checked for membership", Run: smismemberCommand},
	{Name: "SMOVE", Arity: 4, Flags: Write | Fast, Keys: twoKeys, Group: "set", Since: "1.0.0",
		Summary: "Moves a member from one set to another.", Syntax: "source destination member", Cost: "O(1)", Run: smoveCommand},
	{Name: "SPOP", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Takes members out of a set by chance.", Syntax: "key [count]", Cost: "O(log N) for each of the members taken", Run: spopCommand},
	{Name: "SRANDMEMBER", Arity: -2, Flags: ReadOnly, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Returns members of a set chosen by chance.", Syntax: "key [count]", Cost: "O(log N) for each of the members returned", Run: srandmemberCommand},
	{Name: "SREM", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "set", Since: "1.0.0",
		Summary: "Takes members out of a set.", Syntax: "key member [member ...]", Cost: "O(N) where N is the number of members to be removed.", Run: sremCommand},
	{Name: "SSCAN", Arity: -3, Flags: ReadOnly, Keys: firstKey, Group: "set", Since: "2.8.0",
		Summary: "Visits the members of a set bit by bit.", Syntax: "key cursor [MATCH pattern] [COUNT count]", Cost: "O(1) for each call", Run: sscanCommand},
	{Name: "SUNION", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Returns the members that any of the sets has.", Syntax: "key [key ...]", Cost: "O(N) where N is the total number of elements in all given sets.", Run: setOperation(union)},
	{Name: "SUNIONSTORE", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Summary: "Stores the members that any of the sets has.", Syntax: "destination key [key ...]", Cost: "O(N) where N is the total number of elements in all given sets.", Run: setStore("sunionstore", union)},
}

func saddCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, err := open(tx, args[1], newSet)
	if err != nil {
		return nil, err
	}
	added := 0
	for _, m := range args[2:] {
		if s.add(m) {
			added++
		}
	}
	if added > 0 {
		tx.changed(setEvent, "sadd", args[1])
	}
	return Int(int64(added)), nil
}

func sremCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*set](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	if !slices.ContainsFunc(args[2:], s.has) {
		return Int(0), nil
	}
	s, _, _ = edit[*set](tx, args[1])
	removed := 0
	for _, m := range args[2:] {
		if s.remove(m) {
			removed++
		}
	}
	tx.changed(setEvent, "srem", args[1])
	tx.settle(args[1], s.n)
	return Int(int64(removed)), nil
}

func scardCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*set](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(int64(s.n)), nil
}

func sismemberCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*set](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Bool(s.has(args[2])), nil
}

func smismemberCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*set](tx, args[1])
	if err != nil {
		return nil, err
	}
	var b Builder
	b.Array(len(args) - 2)
	for _, m := range args[2:] {
		b.Append(Bool(ok && s.has(m)))
	}
	return b.Reply(), nil
}

func smoveCommand(tx *Tx, args [][]byte) (Reply, error) {
	source, ok, err := get[*set](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	if _, _, err := get[*set](tx, args[2]); err != nil {
		return nil, err
	}
	if !source.has(args[3]) {
		return Int(0), nil
	}
	if string(args[1]) == string(args[2]) {
		return Int(1), nil
	}
	source, _, _ = edit[*set](tx, args[1])
	source.remove(args[3])
	tx.changed(setEvent, "srem", args[1])
	tx.settle(args[1], source.n)
	target, _ := open(tx, args[2], newSet)
	if target.add(args[3]) {
		tx.changed(setEvent, "sadd", args[2])
	}
	return Int(1), nil
}

func spopCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args) > 3 {
		return nil, ErrSyntax
	}
	count := int64(-1)
	if len(args) == 3 {
		var err error
		if count, err = countArg(args[2]); err != nil {
			return nil, err
		}
	}
	_, ok, err := get[*set](tx, args[1])
	switch {
	case err != nil:
		return nil, err
	case !ok && count < 0:
		return Nil, nil
	case !ok || count == 0:
		return emptySet, nil
	}
	s, _, _ := edit[*set](tx, args[1])
	var b Builder
	n := 1
	if count >= 0 {
		n = int(min(count, int64(s.n)))
		b.Set(n)
	}
	for range n {
		m := s.at(tx.Rand().IntN(s.n))
		s.remove(m)
		b.Bulk(m)
	}
	tx.changed(setEvent, "spop", args[1])
	tx.settle(args[1], s.n)
	return b.Reply(), nil
}

var emptySet = Reply("~0\r\n")

func srandmemberCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args) > 3 {
		return nil, ErrSyntax
	}
	count, single := int64(1), len(args) == 2
	if !single {
		var err error
		if count, err = randomCountArg(args[2]); err != nil {
			return nil, err
		}
	}
	s, ok, err := get[*set](tx, args[1])
	switch {
	case err != nil:
		return nil, err
	case !ok && single:
		return Nil, nil
	case !ok:
		return EmptyArray, nil
	case single:
		return Bulk(s.at(tx.Rand().IntN(s.n))), nil
	}
	var b Builder
	indexes := randomIndexes(tx.Rand(), s.n, count)
	b.Array(len(indexes))
	for _, i := range indexes {
		b.Bulk(s.at(i))
	}
	return b.Reply(), nil
}

// randomCountArg reads the count of SRANDMEMBER and its like, where a negative one asks
// for members that may repeat.
func randomCountArg(arg []byte) (int64, error) {
	const most = 1 << 24 // that may repeat: the reply must fit into memory
	n, err := intArg(arg)
	switch {
	case err != nil:
		return 0, err
	case n == -n && n != 0:
		return 0, NewError("ERR", "value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	case n < -most:
		return n, errTooMany
	}
	return n, nil
}

var errTooMany = NewError("ERR", "value is out of range")

// randomIndexes chooses count of n by chance, each at most once, and all in order if
// there are no more; or, for a negative count, as many, which may repeat.
func randomIndexes(r *Rand, n int, count int64) []int {
	if count < 0 {
		indexes := make([]int, 0, min(-count, 1<<16))
		for range -count {
			indexes = append(indexes, r.IntN(n))
		}
		return indexes
	}
	k := int(min(count, int64(n)))
	if k == n {
		indexes := make([]int, n)
		for i := range indexes {
			indexes[i] = i
		}
		return indexes
	}
	chosen := make(map[int]int, k) // what a shuffle of all would have put where: only what moved
	indexes := make([]int, k)
	for i := range k {
		j := i + r.IntN(n-i)
		at, moved := chosen[j]
		if !moved {
			at = j
		}
		indexes[i] = at
		if here, moved := chosen[i]; moved {
			chosen[j] = here
		} else {
			chosen[j] = i
		}
	}
	return indexes
}

func sscanCommand(tx *Tx, args [][]byte) (Reply, error) {
	if _, err := cursorArg(args[2]); err != nil {
		return nil, err
	}
	s, ok, err := get[*set](tx, args[1])
	if err != nil {
		return nil, err
	}
	if !ok { // whatever the options are
		return scanReply(0, 0, nil), nil
	}
	o, err := parseScan(args[1:])
	if err == nil && o.kind != nil {
		err = ErrSyntax
	}
	if err != nil {
		return nil, err
	}
	var found Builder
	count, next := 0, uint64(0)
	visit := func(m []byte) bool {
		if o.pattern == nil || Match(o.pattern, m) {
			count++
			found.Bulk(m)
		}
		return true
	}
	if s.form != treeForm {
		s.each(visit)
	} else {
		next = scanTree(s.tree, o.cursor, o.count, func(m member) { visit([]byte(m.s)) })
	}
	return scanReply(next, count, found.Reply()), nil
}

// hashed is an item of a tree that is ordered by a hash first.
type hashed[T any] interface {
	ordered[T]
	hashOf() uint64
}

func (a member) hashOf() uint64 { return a.hash }

// scanTree visits at least count items of a tree from a cursor on, and returns the cursor
// to go on from, 0 at the end: see Tx.scan.
func scanTree[T hashed[T]](t *tree[T], cursor uint64, count int, visit func(T)) (next uint64) {
	if cursor >= 1<<cursorBits {
		return 0
	}
	from := cursor << (64 - cursorBits)
	visited, last := 0, uint64(0)
	for item := range t.from(t.search(func(item T) bool { return item.hashOf() < from })) {
		position := item.hashOf() >> (64 - cursorBits)
		if visited >= count && position != last {
			return position
		}
		visit(item)
		visited++
		last = position
	}
	return 0
}

// scanReply is what SCAN and its like answer: the cursor, and count elements.
func scanReply(next uint64, count int, found Reply) Reply {
	var b Builder
	b.Array(2)
	b.BulkString(strconv.FormatUint(next, 10))
	b.Array(count)
	b.Append(found)
	return b.Reply()
}
