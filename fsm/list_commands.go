package fsm

import "bytes"

var listCommands = []Command{
	{Name: "LINDEX", Arity: 3, Flags: ReadOnly, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Returns an element of a list by its index.", Syntax: "key index", Cost: "O(N) where N is the number of elements to traverse to get to the element at index", Run: lindexCommand},
	{Name: "LINSERT", Arity: 5, Flags: Write | DenyOOM, Keys: firstKey, Group: "list", Since: "2.2.0",
		Summary: "Puts an element before or after another one of a list.", Syntax: "key <BEFORE | AFTER> pivot element", Cost: "O(N) where N is the number of elements to traverse before seeing the value pivot", Run: linsertCommand},
	{Name: "LLEN", Arity: 2, Flags: ReadOnly | Fast, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Returns the length of a list.", Syntax: "key", Cost: "O(1)", Run: llenCommand},
	{Name: "LMOVE", Arity: 5, Flags: Write | DenyOOM, Keys: twoKeys, Group: "list", Since: "6.2.0",
		Summary: "Moves an element from an end of one list to an end of another, and returns it.",
		Syntax:  "source destination <LEFT | RIGHT> <LEFT | RIGHT>", Cost: "O(1)", Run: lmoveCommand},
	{Name: "LMPOP", Arity: -4, Flags: Write, Keys: countedKey, Group: "list", Since: "7.0.0",
		Summary: "Takes elements from an end of the first list that is there.", Syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
		Cost: "O(N+M) where N is the number of provided keys and M is the number of elements returned.", Run: lmpopCommand},
	{Name: "LPOP", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Takes the first elements of a list.", Syntax: "key [count]", Cost: "O(N) where N is the number of elements returned", Run: popCommand("lpop", left)},
	{Name: "LPOS", Arity: -3, Flags: ReadOnly, Keys: firstKey, Group: "list", Since: "6.0.6",
		Summary: "Finds elements of a list.", Syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
		Cost: "O(N) where N is the number of elements in the list", Run: lposCommand},
	{Name: "LPUSH", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Puts elements before a list.", Syntax: "key element [element ...]", Cost: "O(1) for each element added", Run: pushCommand("lpush", left, true)},
	{Name: "LPUSHX", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "list", Since: "2.2.0",
		Summary: "Puts elements before a list, if it is there.", Syntax: "key element [element ...]", Cost: "O(1) for each element added", Run: pushCommand("lpush", left, false)},
	{Name: "LRANGE", Arity: 4, Flags: ReadOnly, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Returns a part of a list.", Syntax: "key start stop", Cost: "O(S+N) where S is the distance of start from the nearer end and N is the number of elements returned", Run: lrangeCommand},
	{Name: "LREM", Arity: 4, Flags: Write, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Deletes elements that are equal to a given one.", Syntax: "key count element", Cost: "O(N+M) where N is the length of the list and M is the number of elements removed.", Run: lremCommand},
	{Name: "LSET", Arity: 4, Flags: Write | DenyOOM, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Replaces an element of a list.", Syntax: "key index element", Cost: "O(N) where N is the length of the list", Run: lsetCommand},
	{Name: "LTRIM", Arity: 4, Flags: Write, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Keeps only a part of a list.", Syntax: "key start stop", Cost: "O(N) where N is the number of elements to be removed by the operation.", Run: ltrimCommand},
	{Name: "RPOP", Arity: -2, Flags: Write | Fast, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Takes the last elements of a list.", Syntax: "key [count]", Cost: "O(N) where N is the number of elements returned", Run: popCommand("rpop", right)},
	{Name: "RPOPLPUSH", Arity: 3, Flags: Write | DenyOOM, Keys: twoKeys, Group: "list", Since: "1.2.0",
		Summary: "Moves the last element of one list to the beginning of another, and returns it.", Syntax: "source destination", Cost: "O(1)", Run: rpoplpushCommand},
	{Name: "RPUSH", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "list", Since: "1.0.0",
		Summary: "Puts elements behind a list.", Syntax: "key element [element ...]", Cost: "O(1) for each element added", Run: pushCommand("rpush", right, true)},
	{Name: "RPUSHX", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: firstKey, Group: "list", Since: "2.2.0",
		Summary: "Puts elements behind a list, if it is there.", Syntax: "key element [element ...]", Cost: "O(1) for each element added", Run: pushCommand("rpush", right, false)},
}

// side is an end of a list.
type side int

const (
	left side = iota
	right
)

func sideArg(arg []byte) (side, error) {
	switch {
	case is(arg, "LEFT"):
		return left, nil
	case is(arg, "RIGHT"):
		return right, nil
	}
	return 0, ErrSyntax
}

func (l *list) push(s side, element []byte) {
	if s == left {
		l.insert(0, element)
	} else {
		l.insert(l.n, element)
	}
}

// index is that of the outermost element on a side.
func (l *list) index(s side) int {
	if s == left {
		return 0
	}
	return l.n - 1
}

var pushEvents, popEvents = [...]string{"lpush", "rpush"}, [...]string{"lpop", "rpop"}

func pushCommand(event string, s side, create bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		if !create {
			if _, ok, err := get[*list](tx, args[1]); err != nil || !ok {
				return Int(0), err
			}
		}
		l, err := open(tx, args[1], newList)
		if err != nil {
			return nil, err
		}
		for _, element := range args[2:] {
			l.push(s, element)
		}
		tx.changed(listEvent, event, args[1])
		return Int(int64(l.n)), nil
	}
}

func popCommand(event string, s side) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		if len(args) > 3 {
			return nil, ErrArity(event)
		}
		count := int64(-1)
		if len(args) == 3 {
			var err error
			if count, err = countArg(args[2]); err != nil {
				return nil, err
			}
		}
		l, ok, err := get[*list](tx, args[1])
		switch {
		case err != nil:
			return nil, err
		case !ok && count < 0:
			return Nil, nil
		case !ok:
			return NilArray, nil
		case count < 0:
			reply := Bulk(l.at(l.index(s)))
			l, _, _ := edit[*list](tx, args[1])
			tx.drop(args[1], l, s, 1)
			return reply, nil
		}
		return tx.pop(args[1], s, count), nil
	}
}

// countArg reads a number of elements, which must not be negative.
func countArg(arg []byte) (int64, error) {
	n, err := intArg(arg)
	if err != nil || n < 0 {
		return 0, ErrNegative
	}
	return n, nil
}

// pop takes up to count elements from an end of a list that exists, and returns them.
func (tx *Tx) pop(key []byte, s side, count int64) Reply {
	if count == 0 {
		return EmptyArray
	}
	l, _, _ := edit[*list](tx, key)
	n := int(min(count, int64(l.n)))
	var b Builder
	b.Array(n)
	write := func(_ int, element []byte) bool {
		b.Bulk(element)
		n--
		return n > 0
	}
	taken := n
	if s == left {
		l.forward(0, write)
	} else {
		l.backward(l.n-1, write)
	}
	tx.drop(key, l, s, taken)
	return b.Reply()
}

// drop removes n elements, of as many at least, from an end of a list that is edited.
func (tx *Tx) drop(key []byte, l *list, s side, n int) {
	if s == left {
		l.remove(0, n)
	} else {
		l.remove(l.n-n, n)
	}
	tx.changed(listEvent, popEvents[s], key)
	tx.settle(key, l.n)
}

// settle deletes a collection that has become empty; left is how many elements it has.
func (tx *Tx) settle(key []byte, left int) {
	if left == 0 {
		tx.del(key)
		tx.changed(genericEvent, "del", key)
	}
}

func lmpopCommand(tx *Tx, args [][]byte) (Reply, error) {
	keys, rest, err := countedKeys(args[1:])
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, ErrSyntax
	}
	s, err := sideArg(rest[0])
	if err != nil {
		return nil, err
	}
	count, err := popCount(rest[1:])
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		_, ok, err := get[*list](tx, key)
		if err != nil {
			return nil, err
		}
		if ok {
			var b Builder
			b.Array(2)
			b.Bulk(key)
			b.Append(tx.pop(key, s, count))
			return b.Reply(), nil
		}
	}
	return NilArray, nil
}

// countedKeys reads a number of keys and the keys behind it, and returns what follows.
func countedKeys(args [][]byte) (keys, rest [][]byte, err error) {
	n, err := intArg(args[0])
	if err != nil || n <= 0 {
		return nil, nil, NewError("ERR", "numkeys should be greater than 0")
	}
	if n > int64(len(args)-1) {
		return nil, nil, ErrSyntax
	}
	return args[1 : n+1], args[n+1:], nil
}

// popCount reads [COUNT count] of LMPOP and ZMPOP.
func popCount(args [][]byte) (int64, error) {
	switch {
	case len(args) == 0:
		return 1, nil
	case len(args) == 1 || !is(args[0], "COUNT"):
		return 0, ErrSyntax
	}
	n, err := intArg(args[1])
	switch {
	case err != nil || n <= 0:
		return 0, NewError("ERR", "count should be greater than 0")
	case len(args) > 2:
		return 0, ErrSyntax
	}
	return n, nil
}

func lmoveCommand(tx *Tx, args [][]byte) (Reply, error) {
	from, err := sideArg(args[3])
	if err != nil {
		return nil, err
	}
	to, err := sideArg(args[4])
	if err != nil {
		return nil, err
	}
	return tx.move(args[1], args[2], from, to)
}

func rpoplpushCommand(tx *Tx, args [][]byte) (Reply, error) {
	return tx.move(args[1], args[2], right, left)
}

func (tx *Tx) move(source, destination []byte, from, to side) (Reply, error) {
	l, ok, err := get[*list](tx, source)
	if err != nil || !ok {
		return Nil, err
	}
	if _, _, err := get[*list](tx, destination); err != nil {
		return nil, err
	}
	element := bytes.Clone(l.at(l.index(from)))
	// The order of the changes and events is that of Redis, and lets a list rotate.
	l, _, _ = edit[*list](tx, source)
	l.remove(l.index(from), 1)
	target, _ := open(tx, destination, newList)
	target.push(to, element)
	tx.changed(listEvent, pushEvents[to], destination)
	tx.changed(listEvent, popEvents[from], source)
	tx.settle(source, l.n)
	return Bulk(element), nil
}

func llenCommand(tx *Tx, args [][]byte) (Reply, error) {
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(int64(l.n)), nil
}

func lindexCommand(tx *Tx, args [][]byte) (Reply, error) {
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return Nil, err
	}
	index, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if index < 0 {
		index += int64(l.n)
	}
	if index < 0 || index >= int64(l.n) {
		return Nil, nil
	}
	return Bulk(l.at(int(index))), nil
}

func lsetCommand(tx *Tx, args [][]byte) (Reply, error) {
	l, ok, err := get[*list](tx, args[1])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoSuchKey
	}
	index, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if index < 0 {
		index += int64(l.n)
	}
	if index < 0 || index >= int64(l.n) {
		return nil, NewError("ERR", "index out of range")
	}
	l, _, _ = edit[*list](tx, args[1])
	l.set(int(index), args[3])
	tx.changed(listEvent, "lset", args[1])
	return OK, nil
}

func linsertCommand(tx *Tx, args [][]byte) (Reply, error) {
	after := is(args[2], "AFTER")
	if !after && !is(args[2], "BEFORE") {
		return nil, ErrSyntax
	}
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	at := -1
	l.forward(0, func(index int, element []byte) bool {
		if bytes.Equal(element, args[3]) {
			at = index
		}
		return at < 0
	})
	if at < 0 {
		return Int(-1), nil
	}
	if after {
		at++
	}
	l, _, _ = edit[*list](tx, args[1])
	l.insert(at, args[4])
	tx.changed(listEvent, "linsert", args[1])
	return Int(int64(l.n)), nil
}

// rangeArgs reads the indexes of the first and the last element of a part; those below 0
// count from the end.
func rangeArgs(first, last []byte) (start, stop int64, err error) {
	if start, err = intArg(first); err == nil {
		stop, err = intArg(last)
	}
	return start, stop, err
}

// clip turns the indexes of a part into those of elements that exist among n; first is
// after last where the part is empty.
func clip(start, stop int64, n int) (first, last int) {
	if start < 0 {
		start = max(start+int64(n), 0)
	}
	if stop < 0 {
		stop += int64(n)
	}
	if stop = min(stop, int64(n)-1); start > stop {
		return 1, 0
	}
	return int(start), int(stop)
}

func lrangeCommand(tx *Tx, args [][]byte) (Reply, error) {
	start, stop, err := rangeArgs(args[2], args[3])
	if err != nil {
		return nil, err
	}
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return EmptyArray, err
	}
	first, last := clip(start, stop, l.n)
	if first > last {
		return EmptyArray, nil
	}
	var b Builder
	b.Array(last - first + 1)
	l.forward(first, func(index int, element []byte) bool {
		b.Bulk(element)
		return index < last
	})
	return b.Reply(), nil
}

func ltrimCommand(tx *Tx, args [][]byte) (Reply, error) {
	start, stop, err := rangeArgs(args[2], args[3])
	if err != nil {
		return nil, err
	}
	l, ok, err := edit[*list](tx, args[1])
	if err != nil || !ok {
		return OK, err
	}
	if first, last := clip(start, stop, l.n); first > last {
		l.remove(0, l.n)
	} else {
		l.remove(last+1, l.n-1-last)
		l.remove(0, first)
	}
	tx.changed(listEvent, "ltrim", args[1])
	tx.settle(args[1], l.n)
	return OK, nil
}

func lremCommand(tx *Tx, args [][]byte) (Reply, error) {
	count, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return Int(0), err
	}
	limit := count
	if count <= 0 {
		limit = max(-count, 0)
	}
	var found []int // in the order of the search
	look := func(index int, element []byte) bool {
		if bytes.Equal(element, args[3]) {
			found = append(found, index)
		}
		return limit == 0 || int64(len(found)) < limit
	}
	if count < 0 {
		l.backward(l.n-1, look)
	} else {
		l.forward(0, look)
	}
	if len(found) == 0 {
		return Int(0), nil
	}
	l, _, _ = edit[*list](tx, args[1])
	for i := range found {
		index := found[i]
		if count >= 0 {
			index = found[len(found)-1-i]
		}
		l.remove(index, 1)
	}
	tx.changed(listEvent, "lrem", args[1])
	tx.settle(args[1], l.n)
	return Int(int64(len(found))), nil
}

// lposOptions is what may follow LPOS key element.
type lposOptions struct {
	rank   int64 // which match comes first; negative counts from the end
	count  int64 // matches wanted, 0 for all; -1 for one that is not in an array
	maxlen int64 // elements to compare, 0 for all
}

func parseLpos(args [][]byte) (o lposOptions, err error) {
	o = lposOptions{rank: 1, count: -1}
	for i := 3; i < len(args); i += 2 {
		if i+1 == len(args) {
			return o, ErrSyntax
		}
		n, err := intArg(args[i+1])
		switch {
		case is(args[i], "RANK"):
			switch {
			case err != nil:
				return o, err
			case n == 0:
				return o, NewError("ERR", "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
			}
			o.rank = n
		case is(args[i], "COUNT"):
			if err != nil || n < 0 {
				return o, NewError("ERR", "COUNT can't be negative")
			}
			o.count = n
		case is(args[i], "MAXLEN"):
			if err != nil || n < 0 {
				return o, NewError("ERR", "MAXLEN can't be negative")
			}
			o.maxlen = n
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func lposCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseLpos(args)
	if err != nil {
		return nil, err
	}
	none := Nil
	if o.count >= 0 {
		none = EmptyArray
	}
	l, ok, err := get[*list](tx, args[1])
	if err != nil || !ok {
		return none, err
	}
	var found []int
	skip, compared := max(o.rank, -o.rank, 1)-1, int64(0) // the least rank has no counterpart; Redis takes it for -1
	look := func(index int, element []byte) bool {
		if compared++; o.maxlen > 0 && compared > o.maxlen {
			return false
		}
		if bytes.Equal(element, args[2]) {
			if skip > 0 {
				skip--
			} else {
				found = append(found, index)
			}
		}
		return o.count == 0 || int64(len(found)) < max(o.count, 1)
	}
	if o.rank < 0 {
		l.backward(l.n-1, look)
	} else {
		l.forward(0, look)
	}
	if o.count < 0 {
		if len(found) == 0 {
			return Nil, nil
		}
		return Int(int64(found[0])), nil
	}
	var b Builder
	b.Array(len(found))
	for _, index := range found {
		b.Int(int64(index))
	}
	return b.Reply(), nil
}
