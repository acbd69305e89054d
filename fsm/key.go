package fsm

import "strconv"

var keyCommands = []Command{
	{Name: "COPY", Arity: -3, Flags: Write | DenyOOM, Keys: twoKeys, Group: "generic", Since: "6.2.0",
		Summary: "Copies a key's value and deadline to another key.", Syntax: "source destination [DB destination-db] [REPLACE]", Cost: "O(1)", Run: copyCommand},
	{Name: "DEL", Arity: -2, Flags: Write, Keys: allKeys, Group: "generic", Since: "1.0.0",
		Summary: "Deletes keys.", Syntax: "key [key ...]", Cost: "O(N) where N is the number of keys", Run: delCommand},
	{Name: "EXISTS", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "generic", Since: "1.0.0",
		Summary: "Counts the keys that are there.", Syntax: "key [key ...]", Cost: "O(N) where N is the number of keys", Run: existsCommand},
	{Name: "KEYS", Arity: 2, Flags: ReadOnly | Dangerous, Group: "generic", Since: "1.0.0",
		Summary: "Lists the keys that match a pattern.", Syntax: "pattern", Cost: "O(N) where N is the number of keys in the database", Run: keysCommand},
	{Name: "MOVE", Arity: 3, Flags: Write | Fast, Keys: firstKey, Group: "generic", Since: "1.0.0",
		Summary: "Moves a key to another database.", Syntax: "key db", Cost: "O(1)", Run: moveCommand},
	{Name: "OBJECT", Arity: -2, Group: "generic", Since: "2.2.3",
		Summary: "Tells about the value at a key.", Cost: "Depends on the subcommand", Subcommands: []Command{
			{Name: "ENCODING", Arity: 3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "generic", Since: "2.2.3",
				Summary: "Returns how Redis would hold the value at a key.", Syntax: "key", Cost: "O(1)", Run: objectEncodingCommand},
			{Name: "FREQ", Arity: 3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "generic", Since: "4.0.0",
				Summary: "Returns how often a key is used, where that is kept.", Syntax: "key", Cost: "O(1)", Run: objectFreqCommand},
			{Name: "HELP", Arity: 2, Flags: Loading | Stale, Group: "generic", Since: "6.2.0",
				Summary: "Explains OBJECT.", Cost: "O(1)", Run: objectHelpCommand},
			{Name: "IDLETIME", Arity: 3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "generic", Since: "2.2.3",
				Summary: "Returns for how long a key was not used; always 0, as that is not kept.", Syntax: "key", Cost: "O(1)", Run: objectIdletimeCommand},
			{Name: "REFCOUNT", Arity: 3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "generic", Since: "2.2.3",
				Summary: "Returns how many keys share the value at a key: one.", Syntax: "key", Cost: "O(1)", Run: objectRefcountCommand},
		}},
	{Name: "RANDOMKEY", Arity: 1, Flags: ReadOnly, Group: "generic", Since: "1.0.0",
		Summary: "Returns a key chosen by chance.", Cost: "O(1)", Run: randomkeyCommand},
	{Name: "RENAME", Arity: 3, Flags: Write, Keys: twoKeys, Group: "generic", Since: "1.0.0",
		Summary: "Renames a key, over whatever has the new name.", Syntax: "key newkey", Cost: "O(1)", Run: renameCommand},
	{Name: "RENAMENX", Arity: 3, Flags: Write | Fast, Keys: twoKeys, Group: "generic", Since: "1.0.0",
		Summary: "Renames a key, if nothing has the new name.", Syntax: "key newkey", Cost: "O(1)", Run: renamenxCommand},
	{Name: "SCAN", Arity: -2, Flags: ReadOnly, Group: "generic", Since: "2.8.0",
		Summary: "Visits the keys of a database bit by bit.", Syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
		Cost: "O(1) for each call", Run: scanCommand},
	{Name: "TOUCH", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "generic", Since: "3.2.1",
		Summary: "Counts the keys that are there.", Syntax: "key [key ...]", Cost: "O(N) where N is the number of keys", Run: existsCommand},
	{Name: "TYPE", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "generic", Since: "1.0.0",
		Summary: "Returns the type of the value at a key.", Syntax: "key", Cost: "O(1)", Run: typeCommand},
	{Name: "UNLINK", Arity: -2, Flags: Write | Fast, Keys: allKeys, Group: "generic", Since: "4.0.0",
		Summary: "Deletes keys; their memory is freed in the background.", Syntax: "key [key ...]", Cost: "O(N) where N is the number of keys", Run: delCommand},
}

func delCommand(tx *Tx, args [][]byte) (Reply, error) {
	deleted := 0
	for _, key := range args[1:] {
		if tx.del(key) {
			tx.changed(genericEvent, "del", key)
			deleted++
		}
	}
	return Int(int64(deleted)), nil
}

func existsCommand(tx *Tx, args [][]byte) (Reply, error) {
	there := 0
	for _, key := range args[1:] {
		if tx.lookup(key) != nil {
			there++
		}
	}
	return Int(int64(there)), nil
}

func typeCommand(tx *Tx, args [][]byte) (Reply, error) {
	if object := tx.lookup(args[1]); object != nil {
		return Status(object.value.kind()), nil
	}
	return Status("none"), nil
}

func renameCommand(tx *Tx, args [][]byte) (Reply, error) {
	object := tx.lookup(args[1])
	if object == nil {
		return nil, ErrNoSuchKey
	}
	rename(tx, object, args[1], args[2])
	return OK, nil
}

func renamenxCommand(tx *Tx, args [][]byte) (Reply, error) {
	object := tx.lookup(args[1])
	switch {
	case object == nil:
		return nil, ErrNoSuchKey
	case tx.lookup(args[2]) != nil:
		return Int(0), nil
	}
	rename(tx, object, args[1], args[2])
	return Int(1), nil
}

func rename(tx *Tx, object *object, from, to []byte) {
	if string(from) == string(to) {
		return
	}
	v, deadline := object.value.clone(), object.deadline
	tx.del(from)
	tx.del(to) // as in Redis, what takes its place is a new key
	tx.put(to, v, deadline)
	tx.changed(genericEvent, "rename_from", from)
	tx.changed(genericEvent, "rename_to", to)
}

var errSameObject = NewError("ERR", "source and destination objects are the same")

// databaseArg reads the number of a database.
func databaseArg(arg []byte) (int, error) {
	n, err := int32Arg(arg)
	if err != nil {
		return 0, err
	}
	if n < 0 || n >= Databases {
		return 0, ErrDBIndex
	}
	return int(n), nil
}

func copyCommand(tx *Tx, args [][]byte) (Reply, error) {
	db, replace := tx.db, false
	for i := 3; i < len(args); i++ {
		switch {
		case is(args[i], "REPLACE"):
			replace = true
		case is(args[i], "DB") && i+1 < len(args):
			var err error
			if db, err = databaseArg(args[i+1]); err != nil {
				return nil, err
			}
			i++
		default:
			return nil, ErrSyntax
		}
	}
	if db == tx.db && string(args[1]) == string(args[2]) {
		return nil, errSameObject
	}
	object := tx.lookup(args[1])
	if object == nil || !replace && tx.lookupIn(db, args[2]) != nil {
		return Int(0), nil
	}
	tx.remove(db, args[2])
	tx.putIn(db, args[2], tx.fork(args[1]), object.deadline)
	tx.changedIn(db, genericEvent, "copy_to", args[2])
	return Int(1), nil
}

func moveCommand(tx *Tx, args [][]byte) (Reply, error) {
	db, err := databaseArg(args[2])
	if err != nil {
		return nil, err
	}
	if db == tx.db {
		return nil, errSameObject
	}
	object := tx.lookup(args[1])
	if object == nil || tx.lookupIn(db, args[1]) != nil {
		return Int(0), nil
	}
	v, deadline := object.value.clone(), object.deadline
	tx.del(args[1])
	tx.putIn(db, args[1], v, deadline)
	tx.changed(genericEvent, "move_from", args[1])
	tx.changedIn(db, genericEvent, "move_to", args[1])
	return Int(1), nil
}

func randomkeyCommand(tx *Tx, args [][]byte) (Reply, error) {
	if object := tx.random(); object != nil {
		return BulkString(object.key), nil
	}
	return Nil, nil
}

func keysCommand(tx *Tx, args [][]byte) (Reply, error) {
	var found Builder
	count := 0
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; begun = true {
		cursor = tx.scan(cursor, tx.size(), func(object *object) {
			if Match(args[1], []byte(object.key)) {
				count++
				found.BulkString(object.key)
			}
		})
	}
	var reply Builder
	reply.Array(count)
	reply.Append(found.Reply())
	return reply.Reply(), nil
}

type scanOptions struct {
	cursor  uint64
	pattern []byte // nil for all
	count   int
	kind    []byte // nil for all

	noValues bool
}

// cursorArg reads a cursor as C's strtoul does: nothing is 0, and -1 the largest.
func cursorArg(arg []byte) (uint64, error) {
	if len(arg) == 0 {
		return 0, nil
	}
	digits := arg
	if arg[0] == '-' || arg[0] == '+' {
		digits = arg[1:]
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, NewError("ERR", "invalid cursor")
	}
	if arg[0] == '-' {
		n = -n
	}
	return n, nil
}

// parseScan reads the cursor, args[1], and the options behind it.
func parseScan(args [][]byte) (o scanOptions, err error) { return parseScanWith(args, "TYPE") }

// parseScanWith is parseScan for a command whose own option, beside MATCH and COUNT, is
// TYPE, NOVALUES or none.
func parseScanWith(args [][]byte, own string) (o scanOptions, err error) {
	o.count = 10
	if o.cursor, err = cursorArg(args[1]); err != nil {
		return o, err
	}
	for i := 2; i < len(args); i += 2 {
		if is(args[i], "NOVALUES") && own == "NOVALUES" {
			o.noValues = true
			i--
			continue
		}
		if i+1 == len(args) {
			return o, ErrSyntax
		}
		switch {
		case is(args[i], "MATCH"):
			o.pattern = args[i+1]
		case is(args[i], "TYPE") && own == "TYPE":
			o.kind = args[i+1]
		case is(args[i], "COUNT"):
			n, err := intArg(args[i+1])
			if err != nil {
				return o, err
			}
			if n < 1 {
				return o, ErrSyntax
			}
			o.count = int(min(n, 1<<40))
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func scanCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseScan(args)
	if err != nil {
		return nil, err
	}
	var found Builder
	count := 0
	next := tx.scan(o.cursor, o.count, func(object *object) {
		if o.kind != nil && !is(o.kind, object.value.kind()) || o.pattern != nil && !Match(o.pattern, []byte(object.key)) {
			return
		}
		count++
		found.BulkString(object.key)
	})
	return scanReply(next, count, found.Reply()), nil
}

func isInt(b []byte) bool { _, ok := parseInt(b); return ok }

func objectEncodingCommand(tx *Tx, args [][]byte) (Reply, error) {
	object := tx.lookup(args[2])
	if object == nil {
		return Nil, nil
	}
	return BulkString(object.value.encoding()), nil
}

func objectFreqCommand(tx *Tx, args [][]byte) (Reply, error) {
	if tx.lookup(args[2]) == nil {
		return Nil, nil
	}
	return nil, NewError("ERR", "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
}

func objectIdletimeCommand(tx *Tx, args [][]byte) (Reply, error) {
	if tx.lookup(args[2]) == nil {
		return Nil, nil
	}
	return Int(0), nil
}

func objectRefcountCommand(tx *Tx, args [][]byte) (Reply, error) {
	if tx.lookup(args[2]) == nil {
		return Nil, nil
	}
	return Int(1), nil
}

func objectHelpCommand(tx *Tx, args [][]byte) (Reply, error) {
	lines := []string{
		"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"ENCODING <key>", "    Return the kind of internal representation used in order to store the value", "    associated with a <key>.",
		"FREQ <key>", "    Return the access frequency index of the <key>. The returned integer is", "    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>", "    Return the idle time of the <key>, that is the approximated number of", "    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>", "    Return the number of references of the value associated with the specified", "    <key>.",
		"HELP", "    Prints this help.",
	}
	var b Builder
	b.Array(len(lines))
	for _, line := range lines {
		b.Status(line)
	}
	return b.Reply(), nil
}
