package resp

import "holdfast/fsm"

// commandDocs answers with the documentation of the commands named, or of all, by name.
// Names that are unknown are left out.
func commandDocs(c *conn, args [][]byte) (fsm.Reply, error) {
	rows := c.server.table.list
	if len(args) > 2 {
		rows = nil
		for _, name := range args[2:] {
			if r := c.server.table.byFullName(name); r != nil {
				rows = append(rows, r)
			}
		}
	}
	var b fsm.Builder
	docsOf(&b, rows)
	return b.Reply(), nil
}

func docsOf(b *fsm.Builder, rows []*row) {
	b.Map(len(rows))
	for _, r := range rows {
		b.BulkString(r.full)
		r.docs(b)
	}
}

// docs writes the fields that the row has.
func (r *row) docs(b *fsm.Builder) {
	arguments := parseSyntax(r.Syntax)
	var fields []string
	for _, f := range [][2]string{{"summary", r.Summary}, {"since", r.Since}, {"group", r.Group}, {"complexity", r.Cost}} {
		if f[1] != "" {
			fields = append(fields, f[0], f[1])
		}
	}
	n := len(fields) / 2
	if len(arguments) > 0 {
		n++
	}
	if len(r.list) > 0 {
		n++
	}
	b.Map(n)
	for _, text := range fields {
		b.BulkString(text)
	}
	if len(arguments) > 0 {
		b.BulkString("arguments")
		docsOfArguments(b, arguments, &keyCounter{ranges: len(r.KeyRanges())})
	}
	if len(r.list) > 0 {
		b.BulkString("subcommands")
		docsOf(b, r.list)
	}
}

// keyCounter numbers the arguments that are keys by their key specification.
type keyCounter struct{ ranges, seen int }

func (k *keyCounter) next() int {
	k.seen++
	return min(k.seen, k.ranges) - 1
}

func docsOfArguments(b *fsm.Builder, arguments []argument, keys *keyCounter) {
	b.Array(len(arguments))
	for i := range arguments {
		arguments[i].docs(b, keys)
	}
}

func (a *argument) docs(b *fsm.Builder, keys *keyCounter) {
	kind, spec := a.kind, -1
	if kind == "key" {
		if spec = keys.next(); spec < 0 {
			kind = "string" // named like a key in a command that has none
		}
	}
	var flags []string
	if a.optional {
		flags = append(flags, "optional")
	}
	if a.multiple {
		flags = append(flags, "multiple")
	}
	if a.multipleToken {
		flags = append(flags, "multiple_token")
	}
	n := 2
	for _, has := range []bool{spec >= 0, a.token != "", len(flags) > 0, len(a.args) > 0} {
		if has {
			n++
		}
	}
	b.Map(n)
	b.BulkString("name")
	b.BulkString(a.name)
	b.BulkString("type")
	b.BulkString(kind)
	if spec >= 0 {
		b.BulkString("key_spec_index")
		b.Int(int64(spec))
	}
	if a.token != "" {
		b.BulkString("token")
		b.BulkString(a.token)
	}
	if len(flags) > 0 {
		b.BulkString("flags")
		b.Set(len(flags))
		for _, flag := range flags {
			b.Status(flag)
		}
	}
	if len(a.args) > 0 {
		b.BulkString("arguments")
		docsOfArguments(b, a.args, keys)
	}
}
