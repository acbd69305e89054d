package fsm

import "slices"

// operation visits the members of what comes out of some sets; a nil set is an empty
// one. They are valid during the visit, which may end the work by returning false.
type operation func(sets []*set, visit func(m []byte) bool)

func union(sets []*set, visit func(m []byte) bool) {
	for i, s := range sets {
		if s == nil {
			continue
		}
		before := sets[:i]
		more := true
		s.each(func(m []byte) bool {
			if !inAny(before, m) {
				more = visit(m)
			}
			return more
		})
		if !more {
			return
		}
	}
}

func inAny(sets []*set, m []byte) bool {
	return slices.ContainsFunc(sets, func(s *set) bool { return s != nil && s.has(m) })
}

func intersection(sets []*set, visit func(m []byte) bool) {
	if slices.Contains(sets, nil) {
		return
	}
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b *set) int { return a.n - b.n })
	sets[0].each(func(m []byte) bool {
		for _, s := range sets[1:] {
			if !s.has(m) {
				return true
			}
		}
		return visit(m)
	})
}

func difference(sets []*set, visit func(m []byte) bool) {
	if sets[0] == nil {
		return
	}
	sets[0].each(func(m []byte) bool { return inAny(sets[1:], m) || visit(m) })
}

// setsAt returns the sets at keys, nil where there is none.
func (tx *Tx) setsAt(keys [][]byte) ([]*set, error) {
	sets := make([]*set, len(keys))
	for i, key := range keys {
		s, ok, err := get[*set](tx, key)
		if err != nil {
			return nil, err
		}
		if ok {
			sets[i] = s
		}
	}
	return sets, nil
}

func setOperation(op operation) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		sets, err := tx.setsAt(args[1:])
		if err != nil {
			return nil, err
		}
		var found, b Builder
		n := 0
		op(sets, func(m []byte) bool {
			found.Bulk(m)
			n++
			return true
		})
		b.Set(n)
		b.Append(found.Reply())
		return b.Reply(), nil
	}
}

func setStore(event string, op operation) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		sets, err := tx.setsAt(args[2:])
		if err != nil {
			return nil, err
		}
		result := newSet()
		op(sets, func(m []byte) bool { result.add(m); return true })
		if result.n == 0 {
			if tx.del(args[1]) {
				tx.changed(genericEvent, "del", args[1])
			}
			return Int(0), nil
		}
		tx.put(args[1], result, 0)
		tx.changed(setEvent, event, args[1])
		return Int(int64(result.n)), nil
	}
}

func sintercardCommand(tx *Tx, args [][]byte) (Reply, error) {
	n, err := intArg(args[1])
	switch {
	case err != nil || n <= 0:
		return nil, NewError("ERR", "numkeys should be greater than 0")
	case n > int64(len(args)-2):
		return nil, NewError("ERR", "Number of keys can't be greater than number of args")
	}
	limit, rest := int64(0), args[2+n:]
	for i := 0; i < len(rest); i += 2 {
		if !is(rest[i], "LIMIT") || i+1 == len(rest) {
			return nil, ErrSyntax
		}
		if limit, err = intArg(rest[i+1]); err != nil || limit < 0 {
			return nil, NewError("ERR", "LIMIT can't be negative")
		}
	}
	sets, err := tx.setsAt(args[2 : 2+n])
	if err != nil {
		return nil, err
	}
	count := int64(0)
	intersection(sets, func([]byte) bool {
		count++
		return limit == 0 || count < limit
	})
	return Int(count), nil
}
