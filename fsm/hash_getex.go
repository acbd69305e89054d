package fsm

import (
	"fmt"
	"math"
)

// hashGetexCommands came with Redis 8.0: what reads or writes fields and changes when they
// expire.
var hashGetexCommands = []Command{
	{Name: "HGETDEL", Arity: -5, Flags: Write | Fast, Keys: firstKey, Group: "hash", Since: "8.0.0",
		Summary: "Returns the values of fields of a hash and deletes the fields.", Syntax: "key " + fieldsSyntax,
		Cost: fieldsCost, Run: hgetdelCommand},
	{Name: "HGETEX", Arity: -5, Flags: Write | Fast, Keys: firstKey, Group: "hash", Since: "8.0.0",
		Summary: "Returns the values of fields of a hash and changes when the fields expire.",
		Syntax:  "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] " + fieldsSyntax,
		Cost:    fieldsCost, Run: hgetexCommand},
	{Name: "HSETEX", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "hash", Since: "8.0.0",
		Summary: "Sets fields of a hash, and when they expire.",
		Syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] " +
			"FIELDS numfields field value [field value ...]",
		Cost: fieldsCost, Run: hsetexCommand},
}

func isExpiry(option []byte) bool {
	return is(option, "EX") || is(option, "PX") || is(option, "EXAT") || is(option, "PXAT")
}

// fieldExpiry is fieldDeadlineArg for the value of EX, PX, EXAT or PXAT.
func fieldExpiry(option, arg []byte, now Millis, name string) (Millis, error) {
	unit, base := Millis(1), Millis(0)
	if is(option, "EX") || is(option, "EXAT") {
		unit = 1000
	}
	if is(option, "EX") || is(option, "PX") {
		base = now
	}
	return fieldDeadlineArg(arg, unit, base, name)
}

func hgetdelCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, there, err := edit[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	names, err := fieldsArg(args[2:], badFieldCount)
	if err != nil {
		return nil, err
	}
	var c fieldChanges
	reply := fieldValues(tx, h, there, names, func(f hashField) {
		h.delete(f.name)
		c.deleted++
	})
	if there {
		c.tell(tx, args[1], h, "")
	}
	return reply, nil
}

// fieldValues answers the values of fields, and visits each that is there after that.
func fieldValues(tx *Tx, h *hash, there bool, names [][]byte, visit func(f hashField)) Reply {
	var b Builder
	b.Array(len(names))
	for _, name := range names {
		f, ok := hashField{}, false
		if there {
			f, ok = tx.liveField(h, name)
		}
		if !ok {
			b.Nil()
			continue
		}
		b.Bulk(f.value)
		f.name = name // not the hash's own
		visit(f)
	}
	return b.Reply()
}

type hgetexOptions struct {
	timed, persist bool
	deadline       Millis
	names          [][]byte
}

func parseHgetex(args [][]byte, now Millis) (o hgetexOptions, err error) {
	rest := args[2:]
	switch {
	case isExpiry(args[2]):
		o.timed, rest = true, args[4:]
		if o.deadline, err = fieldExpiry(args[2], args[3], now, "hgetex"); err != nil {
			return o, err
		}
	case is(args[2], "PERSIST"):
		o.persist, rest = true, args[3:]
	}
	o.names, err = fieldsArg(rest, badFieldCount)
	return o, err
}

func hgetexCommand(tx *Tx, args [][]byte) (Reply, error) {
	h, there, err := edit[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	o, err := parseHgetex(args, tx.Now())
	if err != nil {
		return nil, err
	}
	var c fieldChanges
	reply := fieldValues(tx, h, there, o.names, func(f hashField) {
		if o.timed || o.persist && f.deadline != 0 {
			c.retime(tx, h, f.name, f.value, o.deadline)
		}
	})
	if there && o.persist {
		c.tell(tx, args[1], h, "hpersist")
	} else if there {
		c.tell(tx, args[1], h, "hexpire")
	}
	return reply, nil
}

type hsetexOptions struct {
	fnx, fxx, keepTTL, timed bool
	deadline                 Millis
	pairs                    [][]byte // names and values
}

func parseHsetex(args [][]byte, now Millis) (o hsetexOptions, err error) {
	for i := 2; i < len(args); i++ {
		switch {
		case is(args[i], "FIELDS"):
			o.pairs, err = fieldPairsArg(args[i+1:])
			return o, err
		case is(args[i], "KEEPTTL") || isExpiry(args[i]):
			if o.keepTTL || o.timed {
				return o, NewError("ERR", "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
			}
			if is(args[i], "KEEPTTL") {
				o.keepTTL = true
				continue
			}
			if i+1 == len(args) {
				return o, NewError("ERR", "missing expire time")
			}
			if o.deadline, err = fieldExpiry(args[i], args[i+1], now, "hsetex"); err != nil {
				return o, err
			}
			o.timed = true
			i++
		case is(args[i], "FNX") || is(args[i], "FXX"):
			if o.fnx || o.fxx {
				return o, NewError("ERR", "Only one of FXX or FNX arguments can be specified")
			}
			o.fnx = is(args[i], "FNX")
			o.fxx = !o.fnx
		default:
			return o, NewError("ERR", fmt.Sprintf("unknown argument: %s", args[i]))
		}
	}
	return o, ErrArity("hsetex") // no FIELDS
}

// fieldPairsArg reads numfields field value [field value ...].
func fieldPairsArg(args [][]byte) ([][]byte, error) {
	if len(args) < 3 {
		return nil, ErrArity("hsetex")
	}
	n, ok := parseInt(args[0])
	switch pairs := args[1:]; {
	case !ok || n < 1 || n > math.MaxInt32:
		return nil, NewError("ERR", "invalid number of fields")
	case len(pairs)%2 != 0 || n != int64(len(pairs)/2):
		return nil, ErrArity("hsetex")
	default:
		return pairs, nil
	}
}

func hsetexCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseHsetex(args, tx.Now())
	if err != nil {
		return nil, err
	}
	h, there, err := get[*hash](tx, args[1])
	if err != nil {
		return nil, err
	}
	if o.fnx || o.fxx {
		for i := 0; i < len(o.pairs); i += 2 {
			exists := false
			if there {
				_, exists = tx.liveField(h, o.pairs[i])
			}
			if exists != o.fxx {
				return Int(0), nil
			}
		}
	}
	if h, err = open(tx, args[1], newHash); err != nil {
		return nil, err
	}
	var c fieldChanges
	for i := 0; i < len(o.pairs); i += 2 {
		f := hashField{o.pairs[i], o.pairs[i+1], o.deadline}
		if o.keepTTL {
			old, _ := tx.liveField(h, f.name)
			f.deadline = old.deadline
		}
		tx.setField(args[1], h, f)
		switch {
		case !o.timed:
		case f.deadline <= tx.now:
			h.delete(f.name)
			c.deleted++
		default:
			c.timed++
		}
	}
	tx.changed(hashEvent, "hset", args[1])
	c.tell(tx, args[1], h, "hexpire")
	return Int(1), nil
}
