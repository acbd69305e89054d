package resp

import "holdfast/fsm"

// describeKeys writes a range as the last but one element of COMMAND has it.
func describeKeys(b *fsm.Builder, r fsm.KeyRange) {
	notes := ""
	switch {
	case r.Derived:
		notes = "What BY and GET read has names that are made of the elements."
	case r.Store:
		notes = "STORE can stand anywhere."
	}
	if notes == "" {
		b.Map(3)
	} else {
		b.Map(4)
		b.BulkString("notes")
		b.BulkString(notes)
	}
	b.BulkString("flags")
	statusSet(b, r.Use)
	b.BulkString("begin_search")
	if notes != "" {
		typed(b, "unknown")
		b.BulkString("find_keys")
		typed(b, "unknown")
		return
	}
	first := r.First
	if r.NumKeys != 0 {
		first = r.NumKeys
	}
	typed(b, "index", field{"index", first})
	b.BulkString("find_keys")
	if r.NumKeys != 0 {
		typed(b, "keynum", field{"keynumidx", 0}, field{"firstkey", 1}, field{"keystep", r.Step})
		return
	}
	last := r.Last
	if last > 0 {
		last -= r.First // relative to the first, unless counted from the end
	}
	typed(b, "range", field{"lastkey", last}, field{"keystep", r.Step}, field{"limit", 0})
}

type field struct {
	name  string
	value int
}

// typed writes a map of a type and its fields.
func typed(b *fsm.Builder, kind string, fields ...field) {
	b.Map(2)
	b.BulkString("type")
	b.BulkString(kind)
	b.BulkString("spec")
	b.Map(len(fields))
	for _, f := range fields {
		b.BulkString(f.name)
		b.Int(int64(f.value))
	}
}
