package fsm

const (
	fieldsSyntax    = "FIELDS numfields field [field ...]"
	fieldConditions = "[NX | XX | GT | LT] "
	fieldsCost      = "O(N) where N is the number of fields"
)

// hashExpireCommands came with Redis 7.4.
var hashExpireCommands = []Command{
	{Name: "HEXPIRE", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Sets how many seconds fields of a hash have left.", Syntax: "key seconds " + fieldConditions + fieldsSyntax,
		Cost: fieldsCost, Run: hexpireCommand("hexpire", 1000, false)},
	{Name: "HEXPIREAT", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Sets the Unix time in seconds at which fields of a hash expire.", Syntax: "key unix-time-seconds " + fieldConditions + fieldsSyntax,
		Cost: fieldsCost, Run: hexpireCommand("hexpireat", 1000, true)},
	{Name: "HEXPIRETIME", Arity: -5, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Returns the Unix times in seconds at which fields of a hash expire.", Syntax: "key " + fieldsSyntax,
		Cost: fieldsCost, Run: httlCommand(1000, true)},
	{Name: "HPERSIST", Arity: -5, Flags: Write | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Lets fields of a hash live for ever.", Syntax: "key " + fieldsSyntax, Cost: fieldsCost, Run: hpersistCommand},
	{Name: "HPEXPIRE", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Sets how many milliseconds fields of a hash have left.", Syntax: "key milliseconds " + fieldConditions + fieldsSyntax,
		Cost: fieldsCost, Run: hexpireCommand("hpexpire", 1, false)},
	{Name: "HPEXPIREAT", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Sets the Unix time in milliseconds at which fields of a hash expire.", Syntax: "key unix-time-milliseconds " + fieldConditions + fieldsSyntax,
		Cost: fieldsCost, Run: hexpireCommand("hpexpireat", 1, true)},
	{Name: "HPEXPIRETIME", Arity: -5, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Returns the Unix times in milliseconds at which fields of a hash expire.", Syntax: "key " + fieldsSyntax,
		Cost: fieldsCost, Run: httlCommand(1, true)},
	{Name: "HPTTL", Arity: -5, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Returns how many milliseconds fields of a hash have left.", Syntax: "key " + fieldsSyntax,
		Cost: fieldsCost, Run: httlCommand(1, false)},
	{Name: "HTTL", Arity: -5, Flags: ReadOnly | Fast, Keys: firstKey, Group: "hash", Since: "7.4.0",
		Summary: "Returns how many seconds fields of a hash have left.", Syntax: "key " + fieldsSyntax,
		Cost: fieldsCost, Run: httlCommand(1000, false)},
}

// What the commands answer for a field.
const (
	noSuchField     = -2
	fieldUntimed    = -1
	fieldUnchanged  = 0 // the condition does not hold
	fieldChanged    = 1
	fieldHasExpired = 2 // at once, as the new deadline has passed
)

// maxFieldDeadline is the latest that Redis takes for a field.
const maxFieldDeadline Millis = 1<<46 - 1

// fieldDeadlineArg reads when fields expire, in units of milliseconds from base on. name is
// the command's, for the error.
func fieldDeadlineArg(arg []byte, unit, base Millis, name string) (Millis, error) {
	n, err := intArg(arg)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, NewError("ERR", "invalid expire time, must be >= 0")
	case n > int64(maxFieldDeadline/unit) || Millis(n)*unit > maxFieldDeadline-base:
		return 0, ErrInvalidExpire(name)
	}
	return Millis(n)*unit + base, nil
}

// fieldsArg reads FIELDS numfields field [field ...], which must be all of args. badCount is
// what the command says of a number that is none.
func fieldsArg(args [][]byte, badCount string) ([][]byte, error) {
	if len(args) == 0 || !is(args[0], "FIELDS") {
		return nil, NewError("ERR", "Mandatory argument FIELDS is missing or not at the right position")
	}
	n := int64(0)
	if len(args) > 1 {
		n, _ = parseInt(args[1])
	}
	switch {
	case n < 1:
		return nil, NewError("ERR", badCount)
	case n != int64(len(args)-2):
		return nil, NewError("ERR", "The `numfields` parameter must match the number of arguments")
	}
	return args[2:], nil
}

const badFieldCount = "Number of fields must be a positive integer"

// each answers an array with an element for each of the fields.
func each(names [][]byte, answer func(name []byte) int) Reply {
	var b Builder
	b.Array(len(names))
	for _, name := range names {
		b.Int(int64(answer(name)))
	}
	return b.Reply()
}

func noFields(names [][]byte) Reply {
	return each(names, func([]byte) int { return noSuchField })
}

// parseHexpire reads the condition, if there is one, and the fields.
func parseHexpire(args [][]byte) (o expireOptions, names [][]byte, err error) {
	for _, condition := range []struct {
		word string
		flag *bool
	}{{"NX", &o.nx}, {"XX", &o.xx}, {"GT", &o.gt}, {"LT", &o.lt}} {
		if is(args[3], condition.word) {
			*condition.flag = true
			names, err = fieldsArg(args[4:], "Parameter `numFields` should be greater than 0")
			return o, names, err
		}
	}
	names, err = fieldsArg(args[3:], "Parameter `numFields` should be greater than 0")
	return o, names, err
}

// hexpireCommand makes the handler of HEXPIRE and its like: see expireCommand.
func hexpireCommand(name string, unit Millis, absolute bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		_, ok, err := get[*hash](tx, args[1])
		if err != nil {
			return nil, err // before anything else that is wrong, as in Redis
		}
		base := tx.Now()
		if absolute {
			base = 0
		}
		deadline, err := fieldDeadlineArg(args[2], unit, base, name)
		if err != nil {
			return nil, err
		}
		o, names, err := parseHexpire(args)
		if err != nil {
			return nil, err
		}
		if !ok {
			return noFields(names), nil
		}
		h, _, _ := edit[*hash](tx, args[1])
		var c fieldChanges
		reply := each(names, func(name []byte) int {
			f, ok := tx.liveField(h, name)
			switch {
			case !ok:
				return noSuchField
			case !o.allow(f.deadline, deadline):
				return fieldUnchanged
			}
			return c.retime(tx, h, name, f.value, deadline)
		})
		c.tell(tx, args[1], h, "hexpire")
		return reply, nil
	}
}

// fieldChanges counts what a command does to the deadlines of fields.
type fieldChanges struct{ timed, deleted int }

// retime gives a field that is there a deadline, 0 for never; one that has passed deletes it.
func (c *fieldChanges) retime(tx *Tx, h *hash, name, value []byte, deadline Millis) int {
	if deadline != 0 && deadline <= tx.now {
		h.delete(name)
		c.deleted++
		return fieldHasExpired
	}
	h.set(hashField{name, append([]byte(nil), value...), deadline})
	c.timed++
	return fieldChanged
}

// tell ends the command: event is what has become of fields that were not deleted.
func (c *fieldChanges) tell(tx *Tx, key []byte, h *hash, event string) {
	switch {
	case c.deleted > 0:
		tx.changed(hashEvent, "hdel", key)
	case c.timed > 0:
		tx.changed(hashEvent, event, key)
	}
	tx.settleHash(key, h)
}

// httlCommand makes the handler of HTTL and its like.
func httlCommand(unit Millis, absolute bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		h, ok, err := get[*hash](tx, args[1])
		if err != nil {
			return nil, err
		}
		names, err := fieldsArg(args[2:], badFieldCount)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return noFields(names), nil
		}
		base := tx.Now()
		if absolute {
			base = 0
		}
		return each(names, func(name []byte) int {
			f, ok := tx.liveField(h, name)
			switch {
			case !ok:
				return noSuchField
			case f.deadline == 0:
				return fieldUntimed
			}
			return int((f.deadline - base + unit - 1) / unit)
		}), nil
	}
}

func hpersistCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, ok, err := edit[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	names, err := fieldsArg(args[2:], badFieldCount)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return noFields(names), nil
	}
	var c fieldChanges
	reply := each(names, func(name []byte) int {
		f, ok := tx.liveField(h, name)
		switch {
		case !ok:
			return noSuchField
		case f.deadline == 0:
			return fieldUntimed
		}
		return c.retime(tx, h, name, f.value, 0)
	})
	c.tell(tx, args[1], h, "hpersist")
	return reply, nil
}
