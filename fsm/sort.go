package fsm

import (
	"bytes"
	"math"
	"slices"
	"strings"
)

var sortCommands = []Command{
	{Name: "SORT", Arity: -2, Flags: Write | DenyOOM | Dangerous, Keys: KeySpec{First: 1, Last: 1, Step: 1, Derived: true, Store: true}, Group: "generic", Since: "1.0.0",
		Summary: "Sorts the elements of a list, a set or a sorted set, and returns or stores them, or what keys named after them hold.",
		Syntax:  "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
		Cost:    sortCost, Run: sortCommand},
	{Name: "SORT_RO", Arity: -2, Flags: ReadOnly | Dangerous, Keys: KeySpec{First: 1, Last: 1, Step: 1, Derived: true}, Group: "generic", Since: "7.0.0",
		Summary: "Sorts the elements of a list, a set or a sorted set and returns them, or what keys named after them hold.",
		Syntax:  "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
		Cost:    sortCost, Run: sortCommand},
}

const sortCost = "O(N+M*log(M)) where N is the number of elements and M the number of those that are sorted"

type sortOptions struct {
	by            []byte // the pattern of the keys that weigh the elements; nil for the elements themselves
	unsorted      bool   // BY a pattern without '*'
	offset, count int64  // a negative count is for all
	gets          [][]byte
	descending    bool
	alpha         bool
	store         []byte // nil without STORE
}

// parseSort reads the options of SORT. The keys that BY and GET read are not named in the
// command line, so that they need a user who may read every key.
func parseSort(args [][]byte, readOnly, mayReadAll bool) (o sortOptions, err error) {
	o.count = -1
	for i := 2; i < len(args); i++ {
		more := len(args) - 1 - i
		switch arg := args[i]; {
		case is(arg, "ASC"):
			o.descending = false
		case is(arg, "DESC"):
			o.descending = true
		case is(arg, "ALPHA"):
			o.alpha = true
		case is(arg, "LIMIT") && more >= 2:
			if o.offset, err = intArg(args[i+1]); err != nil {
				return o, err
			}
			if o.count, err = intArg(args[i+2]); err != nil {
				return o, err
			}
			i += 2
		case is(arg, "STORE") && more >= 1 && !readOnly:
			o.store = args[i+1]
			i++
		case is(arg, "BY") && more >= 1:
			o.by = args[i+1]
			if bytes.IndexByte(o.by, '*') < 0 {
				o.unsorted = true
			} else if !mayReadAll {
				return o, errSortDenied("BY")
			}
			i++
		case is(arg, "GET") && more >= 1:
			if !mayReadAll {
				return o, errSortDenied("GET")
			}
			o.gets = append(o.gets, args[i+1])
			i++
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func errSortDenied(option string) error {
	return NewError("ERR", option+" option of SORT denied due to insufficient ACL permissions.")
}

var errSortWeight = NewError("ERR", "One or more scores can't be converted into double")

func sortCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseSort(args, is(args[0], "SORT_RO"), tx.mayReadAll(args))
	if err != nil {
		return nil, err
	}
	var elements [][]byte
	if object := tx.lookup(args[1]); object != nil {
		if elements, err = o.elements(object.value, tx.script); err != nil {
			return nil, err
		}
	}
	if !o.unsorted {
		if err := tx.sort(elements, o); err != nil {
			return nil, err
		}
	}
	first, end := o.limit(len(elements))
	if o.store != nil {
		return tx.storeSorted(o, elements[first:end]), nil
	}
	var b Builder
	b.Array((end - first) * max(1, len(o.gets)))
	tx.sorted(o, elements[first:end], func(s []byte, ok bool) {
		if ok {
			b.Bulk(s)
		} else {
			b.Nil()
		}
	})
	return b.Reply(), nil
}

// mayReadAll reports whether the client may read every key.
func (tx *Tx) mayReadAll(args [][]byte) bool {
	if tx.user == nil {
		return true
	}
	cmd, err := tx.m.lookup(args)
	return err == nil && tx.user.readsAllKeys(cmd, args)
}

// elements returns what is to be sorted, in the order that stays where nothing is sorted.
// The members of a set have none that means anything, so that one which goes into a list
// or to a script is sorted all the same, as strings.
func (o *sortOptions) elements(v value, script bool) (elements [][]byte, err error) {
	switch v := v.(type) {
	case *list:
		v.forward(0, func(_ int, element []byte) bool {
			elements = append(elements, element)
			return true
		})
	case *set:
		v.each(func(m []byte) bool {
			elements = append(elements, bytes.Clone(m))
			return true
		})
		if o.unsorted && (o.store != nil || script) {
			o.unsorted, o.alpha, o.by = false, true, nil
		}
		return elements, nil
	case *zset:
		for e := range v.all() {
			elements = append(elements, []byte(e.member))
		}
	default:
		return nil, ErrWrongType
	}
	if o.unsorted && o.descending {
		slices.Reverse(elements)
	}
	return elements, nil
}

// limit returns which of n elements LIMIT leaves: those from first to before end.
func (o *sortOptions) limit(n int) (first, end int) {
	first = int(min(max(o.offset, 0), int64(n)))
	if o.count < 0 || o.count > int64(n-first) {
		return first, n
	}
	return first, first + int(o.count)
}

// weighted is an element with what it is sorted by.
type weighted struct {
	element, text []byte // text, for ALPHA, is nil where the key of the weight is not there
	number        float64
}

// sort puts elements in order. Strings are compared byte by byte, where Redis asks the
// locale; what is equal stays in the order in which it was.
func (tx *Tx) sort(elements [][]byte, o sortOptions) error {
	items := make([]weighted, len(elements))
	for i, element := range elements {
		weight, ok := element, true
		if o.by != nil {
			weight, ok = tx.follow(o.by, element)
		}
		items[i].element = element
		switch {
		case !ok:
		case o.alpha:
			items[i].text = weight[:len(weight):len(weight)]
			if weight == nil {
				items[i].text = []byte{}
			}
		default:
			if items[i].number, ok = sortNumber(weight); !ok {
				return errSortWeight
			}
		}
	}
	slices.SortStableFunc(items, func(a, b weighted) int {
		c := a.compare(b, o.alpha)
		if o.descending {
			return -c
		}
		return c
	})
	for i, item := range items {
		elements[i] = item.element
	}
	return nil
}

func (a weighted) compare(b weighted, alpha bool) int {
	switch {
	case !alpha && a.number < b.number:
		return -1
	case !alpha && a.number > b.number:
		return 1
	case !alpha:
		return bytes.Compare(a.element, b.element)
	case a.text == nil && b.text == nil:
		return 0
	case a.text == nil:
		return -1
	case b.text == nil:
		return 1
	}
	return bytes.Compare(a.text, b.text)
}

// sortNumber reads a weight as C's strtod does: after white space, and up to a zero byte.
// Nothing is 0.
func sortNumber(b []byte) (float64, bool) {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	if len(b) == 0 {
		return 0, true
	}
	f, ok := parseDouble(bytes.TrimLeft(b, " \t\n\v\f\r"))
	return f, ok && (f == 0 || math.Abs(f) >= 0x1p-1022) // below it strtod reports a loss
}

// follow returns what a pattern leads to from an element: itself for "#", the string at
// the key that has the element in the place of the first '*', or, with "->field" behind
// that, the field of the hash there.
func (tx *Tx) follow(pattern, element []byte) (v []byte, ok bool) {
	if string(pattern) == "#" {
		return element, true
	}
	prefix, suffix, found := strings.Cut(string(pattern), "*")
	if !found {
		return nil, false
	}
	field := ""
	if before, after, found := strings.Cut(suffix, "->"); found && after != "" {
		suffix, field = before, after
	}
	object := tx.lookup(slices.Concat([]byte(prefix), element, []byte(suffix)))
	if object == nil {
		return nil, false
	}
	if field == "" {
		s, ok := object.value.(*str)
		if !ok {
			return nil, false
		}
		return s.b, true
	}
	h, ok := object.value.(*hash)
	if !ok {
		return nil, false
	}
	f, ok := tx.liveField(h, []byte(field))
	return f.value, ok
}

// sorted visits what is asked for of each element; ok is false for what is not there.
func (tx *Tx) sorted(o sortOptions, elements [][]byte, visit func(s []byte, ok bool)) {
	for _, element := range elements {
		if len(o.gets) == 0 {
			visit(element, true)
		}
		for _, pattern := range o.gets {
			visit(tx.follow(pattern, element))
		}
	}
}

// storeSorted makes a list of what is asked for, in which nothing is an empty string.
func (tx *Tx) storeSorted(o sortOptions, elements [][]byte) Reply {
	result := newList()
	tx.sorted(o, elements, func(s []byte, _ bool) { result.push(right, s) })
	if result.n > 0 {
		tx.put(o.store, result, 0)
		tx.changed(listEvent, "sortstore", o.store)
	} else if tx.del(o.store) {
		tx.changed(genericEvent, "del", o.store)
	}
	return Int(int64(result.n))
}
