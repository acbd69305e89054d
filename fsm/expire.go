package fsm

import "fmt"

const expireConditions = "[NX | XX | GT | LT]"

var expireCommands = []Command{
	{Name: "EXPIRE", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "1.0.0",
		Summary: "Sets how many seconds a key has left.", Syntax: "key seconds " + expireConditions, Cost: "O(1)",
		Run: expireCommand("expire", 1000, false)},
	{Name: "EXPIREAT", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "1.2.0",
		Summary: "Sets the Unix time in seconds at which a key expires.", Syntax: "key unix-time-seconds " + expireConditions, Cost: "O(1)",
		Run: expireCommand("expireat", 1000, true)},
	{Name: "EXPIRETIME", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "generic", Since: "7.0.0",
		Summary: "Returns the Unix time in seconds at which a key expires.", Syntax: "key", Cost: "O(1)", Run: ttlCommand(1000, true)},
	{Name: "PERSIST", Arity: 2, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "2.2.0",
		Summary: "Lets a key live for ever.", Syntax: "key", Cost: "O(1)", Run: persistCommand},
	{Name: "PEXPIRE", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "2.6.0",
		Summary: "Sets how many milliseconds a key has left.", Syntax: "key milliseconds " + expireConditions, Cost: "O(1)",
		Run: expireCommand("pexpire", 1, false)},
	{Name: "PEXPIREAT", Arity: -3, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "2.6.0",
		Summary: "Sets the Unix time in milliseconds at which a key expires.", Syntax: "key unix-time-milliseconds " + expireConditions, Cost: "O(1)",
		Run: expireCommand("pexpireat", 1, true)},
	{Name: "PEXPIRETIME", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "generic", Since: "7.0.0",
		Summary: "Returns the Unix time in milliseconds at which a key expires.", Syntax: "key", Cost: "O(1)", Run: ttlCommand(1, true)},
	{Name: "PTTL", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "generic", Since: "2.6.0",
		Summary: "Returns how many milliseconds a key has left.", Syntax: "key", Cost: "O(1)", Run: ttlCommand(1, false)},
	{Name: "TTL", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "generic", Since: "1.0.0",
		Summary: "Returns how many seconds a key has left.", Syntax: "key", Cost: "O(1)", Run: ttlCommand(1000, false)},
}

// expireOptions are the conditions under which a deadline is changed.
type expireOptions struct{ nx, xx, gt, lt bool }

func parseExpire(args [][]byte) (o expireOptions, err error) {
	for _, arg := range args[3:] {
		switch {
		case is(arg, "NX"):
			o.nx = true
		case is(arg, "XX"):
			o.xx = true
		case is(arg, "GT"):
			o.gt = true
		case is(arg, "LT"):
			o.lt = true
		default:
			return o, NewError("ERR", fmt.Sprintf("Unsupported option %s", arg))
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		err = NewError("ERR", "NX and XX, GT or LT options at the same time are not compatible")
	case o.gt && o.lt:
		err = NewError("ERR", "GT and LT options at the same time are not compatible")
	}
	return o, err
}

// allow reports whether a deadline may be changed from old (0: none) to deadline. A
// key without one counts as living for ever.
func (o expireOptions) allow(old, deadline Millis) bool {
	switch {
	case o.nx && old != 0, o.xx && old == 0:
		return false
	case o.gt && (old == 0 || deadline <= old), o.lt && old != 0 && deadline >= old:
		return false
	}
	return true
}

// expireCommand makes the handler of EXPIRE and its like: the argument is in units of
// milliseconds, from now or absolute.
func expireCommand(name string, unit Millis, absolute bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		o, err := parseExpire(args)
		if err != nil {
			return nil, err
		}
		n, err := intArg(args[2])
		if err != nil {
			return nil, err
		}
		base := tx.Now()
		if absolute {
			base = 0
		}
		deadline, err := deadlineArg(n, unit, base, name)
		if err != nil {
			return nil, err
		}
		object := tx.lookup(args[1])
		if object == nil || !o.allow(object.deadline, deadline) {
			return Int(0), nil
		}
		tx.expireAndTell(args[1], deadline)
		return Int(1), nil
	}
}

// expireAndTell gives a key that exists a deadline, which deletes it if it has passed.
func (tx *Tx) expireAndTell(key []byte, deadline Millis) {
	if deadline <= tx.now {
		tx.del(key)
		tx.changed(genericEvent, "del", key)
		return
	}
	tx.expire(key, deadline)
	tx.changed(genericEvent, "expire", key)
}

// ttlCommand makes the handler of TTL and its like.
func ttlCommand(unit Millis, absolute bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		object := tx.lookup(args[1])
		switch {
		case object == nil:
			return Int(-2), nil
		case object.deadline == 0:
			return Int(-1), nil
		}
		n := object.deadline
		if !absolute {
			n = max(n-tx.Now(), 0)
		}
		return Int(int64((uint64(n) + uint64(unit)/2) / uint64(unit))), nil // the last moment has room above it
	}
}

func persistCommand(tx *Tx, args [][]byte) (Reply, error) {
	object := tx.lookup(args[1])
	if object == nil || object.deadline == 0 {
		return Int(0), nil
	}
	tx.expire(args[1], 0)
	tx.changed(genericEvent, "persist", args[1])
	return Int(1), nil
}
