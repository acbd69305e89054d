package fsm

import (
	"math"
	"strconv"
)

var hashCommands = []Command{
	{Name: "HDEL", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Deletes fields of a hash, and with the last one the key.", Syntax: "key field [field ...]",
		Cost: "O(N) where N is the number of fields", Run: hdelCommand},
	{Name: "HEXISTS", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Tells whether a hash has a field.", Syntax: "key field", Cost: "O(1)", Run: hexistsCommand},
	{Name: "HGET", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Returns the value of a field.", Syntax: "key field", Cost: "O(1)", Run: hgetCommand},
	{Name: "HGETALL", Arity: 2, Flags: ReadOnly, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Returns all fields of a hash with their values.", Syntax: "key", Cost: "O(N) where N is the size of the hash", Run: hgetallCommand},
	{Name: "HINCRBY", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Adds a number to the integer in a field.", Syntax: "key field increment", Cost: "O(1)", Run: hincrbyCommand},
	{Name: "HINCRBYFLOAT", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "2.6.0",
		Summary: "Adds a floating-point number to the number in a field.", Syntax: "key field increment", Cost: "O(1)", Run: hincrbyfloatCommand},
	{Name: "HKEYS", Arity: 2, Flags: ReadOnly, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Returns all fields of a hash.", Syntax: "key", Cost: "O(N) where N is the size of the hash", Run: hkeysCommand},
	{Name: "HLEN", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Counts the fields of a hash.", Syntax: "key", Cost: "O(1)", Run: hlenCommand},
	{Name: "HMGET", Arity: -3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Returns the values of several fields.", Syntax: "key field [field ...]", Cost: "O(N) where N is the number of fields", Run: hmgetCommand},
	{Name: "HMSET", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Sets fields of a hash: the elder of HSET.", Syntax: "key field value [field value ...]",
		Cost: "O(N) where N is the number of fields", Run: hmsetCommand},
	{Name: "HRANDFIELD", Arity: -2, Flags: ReadOnly, Keys: firstKey, Group: "hash", Since: "6.2.0",
		Summary: "Returns fields of a hash chosen by chance.", Syntax: "key [count [WITHVALUES]]",
		Cost: "O(N) where N is the number of fields returned", Run: hrandfieldCommand},
	{Name: "HSCAN", Arity: -3, Flags: ReadOnly, Keys: firstKey, Group: "hash", Since: "2.8.0",
		Summary: "Visits the fields of a hash bit by bit.", Syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
		Cost: "O(1) for each call", Run: hscanCommand},
	{Name: "HSET", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Sets fields of a hash, which is created if it is not there.", Syntax: "key field value [field value ...]",
		Cost: "O(N) where N is the number of fields", Run: hsetCommand},
	{Name: "HSETNX", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Sets a field of a hash if it is not there.", Syntax: "key field value", Cost: "O(1)", Run: hsetnxCommand},
	{Name: "HSTRLEN", Arity: 3, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "3.2.0",
		Summary: "Returns the length of the value of a field.", Syntax: "key field", Cost: "O(1)", Run: hstrlenCommand},
	{Name: "HVALS", Arity: 2, Flags: ReadOnly, Keys: firstKey, Group: "hash", Since: "2.0.0",
		Summary: "Returns the values of all fields of a hash.", Syntax: "key", Cost: "O(N) where N is the size of the hash", Run: hvalsCommand},
}

func hsetCommand(tx *Tx, args [][]byte) (Reply, error) {
	added, err := hset(tx, args, "hset")
	if err != nil {
		return nil, err
	}
	return Int(int64(added)), nil
}

func hmsetCommand(tx *Tx, args [][]byte) (Reply, error) {
	if _, err := hset(tx, args, "hmset"); err != nil {
		return nil, err
	}
	return OK, nil
}

// hset runs key field value [field value ...] and counts the fields that are new.
func hset(tx *Tx, args [][]byte, name string) (added int, err error) {
	if len(args)%2 != 0 {
		return 0, ErrArity(name)
	}
	h, err := open(tx, args[1], newHash)
	if err != nil {
		return 0, err
	}
	for i := 2; i < len(args); i += 2 {
		if tx.setField(args[1], h, hashField{name: args[i], value: args[i+1]}) {
			added++
		}
	}
	tx.changed(hashEvent, "hset", args[1])
	tx.settleHash(args[1], h)
	return added, nil
}

func hsetnxCommand(tx *Tx, args [][]byte) (Reply, error) {
	_, ok, err := hget(tx, args[1], args[2])
	if err != nil {
		return nil, err
	}
	if ok {
		return Int(0), nil
	}
	return Int(1), hput(tx, args[1], hashField{name: args[2], value: args[3]}, "hset")
}

// hget returns a field of the hash at a key.
func hget(tx *Tx, key, name []byte) (f hashField, ok bool, err error) {
	h, ok, err := get[*hash](tx, key)
	if err != nil || !ok {
		return f, false, err
	}
	f, ok = tx.liveField(h, name)
	return f, ok, nil
}

// hput sets a field of the hash at a key, which is created if it is not there, and tells
// of the event.
func hput(tx *Tx, key []byte, f hashField, event string) error {
	h, err := open(tx, key, newHash)
	if err != nil {
		return err
	}
	tx.setField(key, h, f)
	tx.changed(hashEvent, event, key)
	tx.settleHash(key, h)
	return nil
}

func hdelCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := edit[*hash](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	deleted := 0
	for _, name := range args[2:] {
		if tx.deleteField(args[1], h, name) {
			deleted++
		}
	}
	if deleted > 0 {
		tx.changed(hashEvent, "hdel", args[1])
	}
	tx.settleHash(args[1], h)
	return Int(int64(deleted)), nil
}

func hgetCommand(tx *Tx, args [][]byte) (Reply, error) {
	f, ok, err := hget(tx, args[1], args[2])
	if err != nil || !ok {
		return Nil, err
	}
	return Bulk(f.value), nil
}

func hexistsCommand(tx *Tx, args [][]byte) (Reply, error) {
	_, ok, err := hget(tx, args[1], args[2])
	return Bool(ok), err
}

func hstrlenCommand(tx *Tx, args [][]byte) (Reply, error) {
	f, _, err := hget(tx, args[1], args[2])
	return Int(int64(len(f.value))), err
}

func hmgetCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, there, err := get[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	var b Builder
	b.Array(len(args) - 2)
	for _, name := range args[2:] {
		if !there {
			b.Nil()
		} else if f, ok := tx.liveField(h, name); ok {
			b.Bulk(f.value)
		} else {
			b.Nil()
		}
	}
	return b.Reply(), nil
}

func hlenCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := get[*hash](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(int64(tx.liveCount(h))), nil
}

func hgetallCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := get[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	var b Builder
	if !ok {
		b.Map(0)
		return b.Reply(), nil
	}
	b.Map(tx.liveCount(h))
	for f := range tx.liveFields(h) {
		b.Bulk(f.name)
		b.Bulk(f.value)
	}
	return b.Reply(), nil
}

func hkeysCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := get[*hash](tx, args[1])
	if err != nil || !ok {
		return EmptyArray, err
	}
	var b Builder
	b.Array(tx.liveCount(h))
	for f := range tx.liveFields(h) {
		b.Bulk(f.name)
	}
	return b.Reply(), nil
}

func hvalsCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := get[*hash](tx, args[1])
	if err != nil || !ok {
		return EmptyArray, err
	}
	var b Builder
	b.Array(tx.liveCount(h))
	for f := range tx.liveFields(h) {
		b.Bulk(f.value)
	}
	return b.Reply(), nil
}

func hincrbyCommand(tx *Tx, args [][]byte) (Reply, error) {
	n, err := intArg(args[3])
	if err != nil {
		return nil, err
	}
	f, ok, err := hget(tx, args[1], args[2])
	if err != nil {
		return nil, err
	}
	var old int64
	if ok {
		if old, ok = parseInt(f.value); !ok {
			return nil, NewError("ERR", "hash value is not an integer")
		}
	}
	sum, fits := addInts(old, n)
	if !fits {
		return nil, ErrOverflow
	}
	return Int(sum), hput(tx, args[1], hashField{args[2], strconv.AppendInt(nil, sum, 10), f.deadline}, "hincrby")
}

func hincrbyfloatCommand(tx *Tx, args [][]byte) (Reply, error) {
	n, err := parseFloat(args[3])
	if err != nil {
		return nil, err
	}
	if n.IsInf() {
		return nil, NewError("ERR", "value is NaN or Infinity")
	}
	f, ok, err := hget(tx, args[1], args[2])
	if err != nil {
		return nil, err
	}
	sum := n
	if ok {
		old, err := parseFloat(f.value)
		if err != nil {
			return nil, NewError("ERR", "hash value is not a float")
		}
		if old.IsInf() {
			return nil, ErrNaN
		}
		sum = old.Add(old, n)
	}
	if sum.IsInf() || tooBig(sum) {
		return nil, ErrNaN
	}
	text := []byte(formatLongDouble(sum))
	return Bulk(text), hput(tx, args[1], hashField{args[2], text, f.deadline}, "hincrbyfloat")
}

type hrandfieldOptions struct {
	count      int64 // below 0: so many, the same perhaps more than once
	counted    bool  // the reply is an array
	withValues bool
}

func parseHrandfield(args [][]byte) (o hrandfieldOptions, err error) {
	if len(args) == 2 {
		return o, nil
	}
	o.counted, o.withValues = true, len(args) > 3
	if o.count, err = randomCountArg(args[2]); err != nil && err != errTooMany {
		return o, err
	}
	switch {
	case len(args) > 4 || o.withValues && !is(args[3], "WITHVALUES"):
		return o, ErrSyntax
	case o.withValues && o.count > math.MaxInt64/2:
		return o, errTooMany
	}
	return o, err
}

func hrandfieldCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseHrandfield(args)
	if err != nil {
		return nil, err
	}
	h, ok, err := get[*hash](tx, args[1])
	switch {
	case err != nil:
		return nil, err
	case !ok && o.counted:
		return EmptyArray, nil
	case !ok:
		return Nil, nil
	}
	fields, n := tx.liveByRank(h, o.counted)
	if !o.counted {
		return Bulk(fields(tx.Rand().IntN(n)).name), nil
	}
	ranks := randomIndexes(tx.Rand(), n, o.count)
	var b Builder
	if o.withValues {
		b.Pairs(len(ranks))
	} else {
		b.Array(len(ranks))
	}
	for _, rank := range ranks {
		f := fields(rank)
		b.Bulk(f.name)
		if o.withValues {
			b.Bulk(f.value)
		}
	}
	return b.Reply(), nil
}

func hscanCommand(tx *Tx, args [][]byte) (Reply, error) {
	// Redis looks at the key before it looks at the options.
	if _, err := parseScan(args[1:3]); err != nil {
		return nil, err
	}
	h, ok, err := get[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	if !ok {
		return scanReply(0, 0, nil), nil
	}
	o, err := parseScanWith(args[1:], "NOVALUES")
	if err != nil {
		return nil, err
	}
	var found Builder
	count := 0
	next := h.scan(o.cursor, o.count, func(f hashField) {
		if tx.passed(f.deadline) || o.pattern != nil && !Match(o.pattern, f.name) {
			return
		}
		count++
		found.Bulk(f.name)
		if !o.noValues {
			count++
			found.Bulk(f.value)
		}
	})
	return scanReply(next, count, found.Reply()), nil
}
