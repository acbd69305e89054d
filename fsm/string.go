package fsm

import (
	"math/big"
	"strconv"
	"strings"
)

// maxStringBytes is the length of the longest string (Redis: proto-max-bulk-len).
const maxStringBytes = 512 << 20

var stringCommands = []Command{
	{Name: "APPEND", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "2.0.0",
		Summary: "Appends to the string at a key, which is created if it is not there.", Syntax: "key value", Cost: "O(1)", Run: appendCommand},
	{Name: "DECR", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Takes one from the integer at a key.", Syntax: "key", Cost: "O(1)", Run: decrCommand},
	{Name: "DECRBY", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Takes a number from the integer at a key.", Syntax: "key decrement", Cost: "O(1)", Run: decrbyCommand},
	{Name: "GET", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Returns the string at a key.", Syntax: "key", Cost: "O(1)", Run: getCommand},
	{Name: "GETDEL", Arity: 2, Flags: Write | Fast, Keys: firstKey, Group: "string", Since: "6.2.0",
		Summary: "Returns the string at a key and deletes the key.", Syntax: "key", Cost: "O(1)", Run: getdelCommand},
	{Name: "GETEX", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "string", Since: "6.2.0",
		Summary: "Returns the string at a key and changes when the key expires.",
		Syntax:  "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]", Cost: "O(1)", Run: getexCommand},
	{Name: "GETRANGE", Arity: 4, Flags: ReadOnly, Keys: firstKey, Group: "string", Since: "2.4.0",
		Summary: "Returns a part of the string at a key.", Syntax: "key start end", Cost: "O(N) where N is the length of the part", Run: getrangeCommand},
	{Name: "GETSET", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Sets a key and returns the string it had.", Syntax: "key value", Cost: "O(1)", Run: getsetCommand},
	{Name: "INCR", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Adds one to the integer at a key.", Syntax: "key", Cost: "O(1)", Run: incrCommand},
	{Name: "INCRBY", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Adds a number to the integer at a key.", Syntax: "key increment", Cost: "O(1)", Run: incrbyCommand},
	{Name: "INCRBYFLOAT", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "2.6.0",
		Summary: "Adds a floating-point number to the number at a key.", Syntax: "key increment", Cost: "O(1)", Run: incrbyfloatCommand},
	{Name: "LCS", Arity: -3, Flags: ReadOnly, Keys: twoKeys, Group: "string", Since: "7.0.0",
		Summary: "Finds the longest common subsequence of two strings.",
		Syntax:  "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", Cost: "O(N*M) where N and M are the lengths of the strings", Run: lcsCommand},
	{Name: "MGET", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "string", Since: "1.0.0",
		Summary: "Returns the strings at several keys.", Syntax: "key [key ...]", Cost: "O(N) where N is the number of keys", Run: mgetCommand},
	{Name: "MSET", Arity: -3, Flags: Write | DenyOOM, Keys: keyPairs, Group: "string", Since: "1.0.1",
		Summary: "Sets several keys at once.", Syntax: "key value [key value ...]", Cost: "O(N) where N is the number of keys", Run: msetCommand},
	{Name: "MSETNX", Arity: -3, Flags: Write | DenyOOM, Keys: keyPairs, Group: "string", Since: "1.0.1",
		Summary: "Sets several keys at once, if none of them is there.", Syntax: "key value [key value ...]", Cost: "O(N) where N is the number of keys", Run: msetnxCommand},
	{Name: "PSETEX", Arity: 4, Flags: Write | DenyOOM, Keys: firstKey, Group: "string", Since: "2.6.0",
		Summary: "Sets a key that expires after a number of milliseconds.", Syntax: "key milliseconds value", Cost: "O(1)", Run: psetexCommand},
	{Name: "SET", Arity: -3, Flags: Write | DenyOOM, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Sets a key to a string, whatever it held.",
		Syntax:  "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", Cost: "O(1)", Run: setCommand},
	{Name: "SETEX", Arity: 4, Flags: Write | DenyOOM, Keys: firstKey, Group: "string", Since: "2.0.0",
		Summary: "Sets a key that expires after a number of seconds.", Syntax: "key seconds value", Cost: "O(1)", Run: setexCommand},
	{Name: "SETNX", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Sets a key if it is not there.", Syntax: "key value", Cost: "O(1)", Run: setnxCommand},
	{Name: "SETRANGE", Arity: 4, Flags: Write | DenyOOM, Keys: firstKey, Group: "string", Since: "2.2.0",
		Summary: "Overwrites a part of the string at a key.", Syntax: "key offset value", Cost: "O(N) where N is the length of the part", Run: setrangeCommand},
	{Name: "STRLEN", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "string", Since: "2.2.0",
		Summary: "Returns the length of the string at a key.", Syntax: "key", Cost: "O(1)", Run: strlenCommand},
	{Name: "SUBSTR", Arity: 4, Flags: ReadOnly, Keys: firstKey, Group: "string", Since: "1.0.0",
		Summary: "Returns a part of the string at a key: the old name of GETRANGE.", Syntax: "key start end", Cost: "O(N) where N is the length of the part", Run: getrangeCommand},
}

// str is a string value. Bytes that a clone shares are not written to: cap is what
// this one may grow into.
type str struct {
	b      []byte
	shared bool // b is another's as well: copy before changing it in place
}

func (s *str) kind() string          { return "string" }
func (s *str) clone() value          { return &str{b: s.b[:len(s.b):len(s.b)], shared: true} }
func (s *str) rdbType() byte         { return rdbString }
func (s *str) writeRDB(w *rdbWriter) { w.string(s.b) }

func loadString(r *rdbReader) (value, error) {
	b, err := r.string()
	return &str{b: b}, err
}

// encoding leaves out what a string has been through before (APPEND leaves "raw" in
// Redis): that is no part of the state.
func (s *str) encoding() string {
	switch {
	case len(s.b) <= 20 && isInt(s.b):
		return "int"
	case len(s.b) <= 44:
		return "embstr"
	}
	return "raw"
}

// own makes the bytes this value's alone, to be changed in place.
func (s *str) own() {
	if s.shared {
		s.b, s.shared = append([]byte(nil), s.b...), false
	}
}

// newStr is a string of its own, as what comes in belongs to the log.
func newStr(b []byte) *str { return &str{b: append(make([]byte, 0, len(b)), b...)} }

// getReply is the string at a key, or nil.
func getReply(tx *Tx, key []byte) (Reply, error) {
	s, ok, err := get[*str](tx, key)
	if err != nil || !ok {
		return Nil, err
	}
	return Bulk(s.b), nil
}

func getCommand(tx *Tx, args [][]byte) (Reply, error) { return getReply(tx, args[1]) }

// setOptions is what may follow SET key value, or GETEX key.
type setOptions struct {
	nx, xx, get, keepTTL, persist bool

	expiry, value []byte // EX, PX, EXAT or PXAT and its argument; nil without one
}

// timed reports whether the option i is an expiry with an argument. Of several of one
// kind the last one counts, and its argument alone is looked at.
func (o *setOptions) timed(args [][]byte, i int) bool {
	option := args[i]
	if i+1 == len(args) || o.expiry != nil && !is(option, string(o.expiry)) {
		return false
	}
	if is(option, "EX") || is(option, "PX") || is(option, "EXAT") || is(option, "PXAT") {
		o.expiry, o.value = option, args[i+1]
		return true
	}
	return false
}

// deadline is what the expiry says, 0 without one; name is the command's.
func (o *setOptions) deadline(now Millis, name string) (Millis, error) {
	switch {
	case o.expiry == nil:
		return 0, nil
	case is(o.expiry, "EX"):
		return positiveDeadlineArg(o.value, 1000, now, name)
	case is(o.expiry, "PX"):
		return positiveDeadlineArg(o.value, 1, now, name)
	case is(o.expiry, "EXAT"):
		return positiveDeadlineArg(o.value, 1000, 0, name)
	}
	return positiveDeadlineArg(o.value, 1, 0, name)
}

func parseSet(args [][]byte) (o setOptions, err error) {
	for i := 3; i < len(args); i++ {
		switch {
		case is(args[i], "NX") && !o.xx:
			o.nx = true
		case is(args[i], "XX") && !o.nx:
			o.xx = true
		case is(args[i], "GET"):
			o.get = true
		case is(args[i], "KEEPTTL") && o.expiry == nil:
			o.keepTTL = true
		case !o.keepTTL && o.timed(args, i):
			i++
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func setCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseSet(args)
	if err != nil {
		return nil, err
	}
	deadline, err := o.deadline(tx.Now(), "set")
	if err != nil {
		return nil, err
	}
	reply := OK
	if o.get {
		if reply, err = getReply(tx, args[1]); err != nil {
			return nil, err
		}
	}
	old := tx.lookup(args[1])
	if o.nx && old != nil || o.xx && old == nil {
		if o.get {
			return reply, nil
		}
		return Nil, nil
	}
	if o.keepTTL && old != nil {
		deadline = old.deadline
	}
	tx.putString(args[1], args[2], deadline, o.expiry != nil)
	return reply, nil
}

// putString sets a key to a string; timed says that the command named the deadline.
func (tx *Tx) putString(key, s []byte, deadline Millis, timed bool) {
	if !tx.overwrite(key, s, deadline) {
		tx.put(key, newStr(s), deadline)
	}
	tx.changed(stringEvent, "set", key)
	if timed {
		tx.changed(genericEvent, "expire", key)
	}
}

// overwrite is put where the key holds a string in whose memory the new one fits well:
// a session is mostly written over with one of about its size.
func (tx *Tx) overwrite(key, b []byte, deadline Millis) bool {
	o := tx.lookup(key)
	if o == nil || o.epoch != tx.m.epoch || deadline != 0 && deadline <= tx.now {
		return false
	}
	if !tx.m.dbs[tx.db].journal.mayChange(o) {
		return false
	}
	s, ok := o.value.(*str)
	if !ok || s.shared || len(b) > cap(s.b) || len(b) < cap(s.b)/2 {
		return false
	}
	s.b = append(s.b[:0], b...)
	tx.m.dbs[tx.db].setDeadline(hashOf(key), o, deadline, tx.m.epoch)
	return true
}

func setexCommand(tx *Tx, args [][]byte) (Reply, error)  { return setExpiring(tx, args, 1000) }
func psetexCommand(tx *Tx, args [][]byte) (Reply, error) { return setExpiring(tx, args, 1) }

func setExpiring(tx *Tx, args [][]byte, unit Millis) (Reply, error) {
	deadline, err := positiveDeadlineArg(args[2], unit, tx.Now(), strings.ToLower(string(args[0])))
	if err != nil {
		return nil, err
	}
	tx.putString(args[1], args[3], deadline, true)
	return OK, nil
}

func setnxCommand(tx *Tx, args [][]byte) (Reply, error) {
	if tx.lookup(args[1]) != nil {
		return Int(0), nil
	}
	tx.putString(args[1], args[2], 0, false)
	return Int(1), nil
}

func getsetCommand(tx *Tx, args [][]byte) (Reply, error) {
	reply, err := getReply(tx, args[1])
	if err != nil {
		return nil, err
	}
	tx.putString(args[1], args[2], 0, false)
	return reply, nil
}

func getdelCommand(tx *Tx, args [][]byte) (Reply, error) {
	reply, err := getReply(tx, args[1])
	if err == nil && tx.del(args[1]) {
		tx.changed(genericEvent, "del", args[1])
	}
	return reply, err
}

func parseGetex(args [][]byte) (o setOptions, err error) {
	for i := 2; i < len(args); i++ {
		switch {
		case is(args[i], "PERSIST") && o.expiry == nil:
			o.persist = true
		case !o.persist && o.timed(args, i):
			i++
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func getexCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseGetex(args)
	if err != nil {
		return nil, err
	}
	reply, err := getReply(tx, args[1])
	object := tx.lookup(args[1])
	if err != nil || object == nil {
		return reply, err
	}
	deadline, err := o.deadline(tx.Now(), "getex") // of a key that is there, as in Redis
	switch {
	case err != nil:
		return nil, err
	case o.expiry != nil:
		tx.expireAndTell(args[1], deadline)
	case o.persist && object.deadline != 0:
		tx.expire(args[1], 0)
		tx.changed(genericEvent, "persist", args[1])
	}
	return reply, nil
}

func mgetCommand(tx *Tx, args [][]byte) (Reply, error) {
	var b Builder
	b.Array(len(args) - 1)
	for _, key := range args[1:] {
		if s, ok, err := get[*str](tx, key); ok && err == nil {
			b.Bulk(s.b)
		} else {
			b.Nil()
		}
	}
	return b.Reply(), nil
}

func msetCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args)%2 == 0 {
		return nil, ErrArity("mset")
	}
	for i := 1; i < len(args); i += 2 {
		tx.putString(args[i], args[i+1], 0, false)
	}
	return OK, nil
}

func msetnxCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args)%2 == 0 {
		return nil, ErrArity("msetnx")
	}
	for i := 1; i < len(args); i += 2 {
		if tx.lookup(args[i]) != nil {
			return Int(0), nil
		}
	}
	for i := 1; i < len(args); i += 2 {
		tx.putString(args[i], args[i+1], 0, false)
	}
	return Int(1), nil
}

func appendCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := edit[*str](tx, args[1])
	switch {
	case err != nil:
		return nil, err
	case !ok:
		tx.put(args[1], newStr(args[2]), 0)
		tx.changed(stringEvent, "append", args[1])
		return Int(int64(len(args[2]))), nil
	case len(s.b)+len(args[2]) > maxStringBytes:
		return nil, ErrTooLong
	}
	s.append(args[2])
	tx.changed(stringEvent, "append", args[1])
	return Int(int64(len(s.b))), nil
}

// append adds to the end, where nobody else looks: no bytes in use are changed.
func (s *str) append(b []byte) {
	if len(s.b)+len(b) > cap(s.b) {
		s.shared = false // append copies
	}
	s.b = append(s.b, b...)
}

func strlenCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*str](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(int64(len(s.b))), nil
}

func getrangeCommand(tx *Tx, args [][]byte) (Reply, error) {
	start, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	end, err := intArg(args[3])
	if err != nil {
		return nil, err
	}
	s, ok, err := get[*str](tx, args[1])
	if err != nil {
		return nil, err
	}
	if !ok || start < 0 && end < 0 && start > end {
		return BulkString(""), nil
	}
	n := int64(len(s.b))
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end = max(end+n, 0)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		return BulkString(""), nil
	}
	return Bulk(s.b[start : end+1]), nil
}

func setrangeCommand(tx *Tx, args [][]byte) (Reply, error) {
	offset, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, ErrOffset
	}
	s, ok, err := get[*str](tx, args[1])
	if err != nil {
		return nil, err
	}
	length := 0
	if ok {
		length = len(s.b)
	}
	if len(args[3]) == 0 {
		return Int(int64(length)), nil
	}
	if offset > maxStringBytes || int(offset)+len(args[3]) > maxStringBytes {
		return nil, ErrTooLong
	}
	end := int(offset) + len(args[3])
	if !ok {
		b := make([]byte, end)
		copy(b[offset:], args[3])
		tx.put(args[1], &str{b: b}, 0)
		tx.changed(stringEvent, "setrange", args[1])
		return Int(int64(end)), nil
	}
	s, _, _ = edit[*str](tx, args[1])
	if end > length {
		s.append(make([]byte, end-length))
	}
	s.own()
	copy(s.b[offset:], args[3])
	tx.changed(stringEvent, "setrange", args[1])
	return Int(int64(len(s.b))), nil
}

func incrCommand(tx *Tx, args [][]byte) (Reply, error) { return addTo(tx, args[1], 1) }
func decrCommand(tx *Tx, args [][]byte) (Reply, error) { return addTo(tx, args[1], -1) }

func incrbyCommand(tx *Tx, args [][]byte) (Reply, error) {
	n, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	return addTo(tx, args[1], n)
}

func decrbyCommand(tx *Tx, args [][]byte) (Reply, error) {
	n, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if n == -n && n != 0 {
		return nil, NewError("ERR", "decrement would overflow")
	}
	return addTo(tx, args[1], -n)
}

// addTo adds to the integer at a key and keeps the key's deadline.
func addTo(tx *Tx, key []byte, n int64) (Reply, error) {
	s, ok, err := get[*str](tx, key)
	if err != nil {
		return nil, err
	}
	var old int64
	if ok {
		if old, err = intArg(s.b); err != nil {
			return nil, err
		}
	}
	sum, fits := addInts(old, n)
	if !fits {
		return nil, ErrOverflow
	}
	replace(tx, key, strconv.AppendInt(nil, sum, 10))
	tx.changed(stringEvent, "incrby", key)
	return Int(sum), nil
}

// replace changes the string at a key and keeps the key's deadline.
func replace(tx *Tx, key, b []byte) {
	if s, ok, _ := edit[*str](tx, key); ok {
		s.b, s.shared = b, false
		return
	}
	tx.put(key, &str{b: b}, 0)
}

func incrbyfloatCommand(tx *Tx, args [][]byte) (Reply, error) {
	s, ok, err := get[*str](tx, args[1])
	if err != nil {
		return nil, err
	}
	old := new(big.Float).SetPrec(longDouble)
	if ok {
		if old, err = parseFloat(s.b); err != nil {
			return nil, err
		}
	}
	n, err := parseFloat(args[2])
	if err != nil {
		return nil, err
	}
	if old.IsInf() || n.IsInf() {
		return nil, ErrNaN
	}
	sum := old.Add(old, n)
	if tooBig(sum) {
		return nil, ErrNaN
	}
	text := []byte(formatLongDouble(sum))
	replace(tx, args[1], text)
	tx.changed(stringEvent, "incrbyfloat", args[1])
	return Bulk(text), nil
}
