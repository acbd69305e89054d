package resp

import (
	"maps"
	"slices"
	"strings"

	"holdfast/fsm"
)

// local is a row of the command table that the connection or the node answers itself:
// the columns of the keyspace's rows, and a handler of its own kind.
type local struct {
	fsm.Command
	run  handler
	subs []local
}

// handler answers a command whose arity is right. args are valid during the call.
type handler func(c *conn, args [][]byte) (fsm.Reply, error)

// row is a command of either kind, ready for use.
type row struct {
	fsm.Command
	full  string          // lower case, with the container's: "config|get"
	run   handler         // nil for what the keyspace answers
	subs  map[string]*row // by upper case name; nil where the row is no container
	list  []*row          // subs in the order of their names
	stats rowStats
}

// table is every command there is.
type table struct {
	rows map[string]*row // by upper case name
	list []*row          // in the order of their names
}

// newTable joins the keyspace's rows, but for those that are not for clients, with the
// rows of this package.
func newTable() *table {
	t := &table{rows: make(map[string]*row)}
	for _, command := range fsm.Commands() {
		r := dataRow(command, "")
		t.rows[r.Name] = r
	}
	for _, group := range [][]local{connectionCommands, clientCommands, commandCommands, transactionCommands, pubsubCommands, aclCommands,
		serverCommands, memoryCommands, shutdownCommands, slowLogCommands, latencyCommands, monitorCommands, replicationCommands, configCommands, clusterCommands, debugCommands} {
		for _, l := range group {
			r := localRow(l, "")
			if data := t.rows[r.Name]; data != nil { // MEMORY, which both have a part of
				delete(r.subs, "HELP")
				maps.Copy(data.subs, r.subs)
				data.list = byName(data.subs)
				continue
			}
			t.rows[r.Name] = r
		}
	}
	t.list = byName(t.rows)
	return t
}

func dataRow(command fsm.Command, prefix string) *row {
	r := &row{Command: command, full: prefix + strings.ToLower(command.Name)}
	if len(command.Subcommands) > 0 {
		r.subs = make(map[string]*row)
		for _, sub := range command.Subcommands {
			r.subs[sub.Name] = dataRow(sub, r.full+"|")
		}
		r.addHelp()
	}
	return r
}

func localRow(l local, prefix string) *row {
	r := &row{Command: l.Command, full: prefix + strings.ToLower(l.Name), run: l.run}
	if len(l.subs) > 0 {
		r.subs = make(map[string]*row)
		for _, sub := range l.subs {
			sub.Container = r.Name
			r.subs[sub.Name] = localRow(sub, r.full+"|")
		}
		r.addHelp()
	}
	r.Complete(r.subs != nil)
	return r
}

// addHelp adds HELP to the subcommands of a container that has none of its own.
func (r *row) addHelp() {
	defer func() { r.list = byName(r.subs) }()
	if r.subs["HELP"] != nil {
		return
	}
	help := local{
		Command: fsm.Command{Name: "HELP", Arity: 2, Flags: fsm.Loading | fsm.Stale, Group: r.Group,
			Since: "5.0.0", Summary: "Prints this help.", Cost: "O(1)", Container: r.Name},
		run: func(*conn, [][]byte) (fsm.Reply, error) { return r.help(), nil },
	}
	r.subs[help.Name] = localRow(help, r.full+"|")
}

func byName(rows map[string]*row) []*row {
	list := make([]*row, 0, len(rows))
	for _, r := range rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *row) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// lookup finds the row of a command line, without regard to case and descending into a
// container. With an error it may return the container's row.
func (t *table) lookup(args [][]byte) (*row, error) {
	r := find(t.rows, args[0])
	switch {
	case r == nil:
		return nil, fsm.ErrUnknownCommand(args)
	case r.subs == nil || len(args) == 1:
		return r, nil // a container alone has the wrong arity, except COMMAND
	}
	sub := find(r.subs, args[1])
	if sub == nil && r.full == "cluster" && slotCommands[strings.ToLower(string(args[1]))] {
		return r, errNoCluster
	}
	if sub == nil {
		return r, fsm.ErrUnknownSubcommand(r.Name, args[1])
	}
	return sub, nil
}

// byFullName finds a row by the name that COMMAND INFO takes: "get", "config|get".
func (t *table) byFullName(name []byte) *row {
	container, sub, nested := strings.Cut(string(name), "|")
	r := find(t.rows, []byte(container))
	if r != nil && nested {
		r = find(r.subs, []byte(sub))
	}
	return r
}

func find(rows map[string]*row, name []byte) *row {
	var upper [32]byte // longer than any name
	if len(name) > len(upper) {
		return nil
	}
	for i, c := range name {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	return rows[string(upper[:len(name)])]
}

// all visits every row, containers before their subcommands.
func (t *table) all(visit func(*row)) {
	for _, r := range t.list {
		visit(r)
		for _, sub := range r.list {
			visit(sub)
		}
	}
}

// help lists the subcommands of a container as they are served here.
func (r *row) help() fsm.Reply {
	lines := []string{r.Name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	for _, sub := range r.list {
		if sub.Name != "HELP" {
			lines = append(lines, strings.TrimSpace(sub.Name+" "+sub.Syntax), "    "+sub.Summary)
		}
	}
	return statusLines(append(lines, "HELP", "    Prints this help."))
}

func statusLines(lines []string) fsm.Reply {
	var b fsm.Builder
	b.Array(len(lines))
	for _, line := range lines {
		b.Status(line)
	}
	return b.Reply()
}
