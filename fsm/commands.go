package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// commands holds the rows of the data commands, one slice for each file of them.
var commands = index(
	stringCommands,
	keyCommands,
	dumpCommands,
	expireCommands,
	serverCommands,
	listCommands,
	setCommands,
	zsetCommands,
	hashCommands,
	hashExpireCommands,
	hashGetexCommands,
	bitmapCommands,
	aclCommands,
	scriptCommands,
	scriptOnlyCommands,
	sortCommands,
	memoryCommands,
	watchCommands,
)

// index builds the table that Lookup searches.
func index(rows ...[]Command) map[string]*Command {
	table := map[string]*Command{}
	for _, cmd := range slices.Concat(rows...) {
		if table[cmd.Name] != nil {
			panic(fmt.Sprintf("fsm: two rows for %s", cmd.Name))
		}
		for i := range cmd.Subcommands {
			cmd.Subcommands[i].Container = cmd.Name
			cmd.Subcommands[i].Complete(false)
		}
		cmd.Complete(cmd.Subcommands != nil)
		table[cmd.Name] = &cmd
	}
	return table
}

// Commands lists the rows of the data commands for clients, sorted by name.
func Commands() []Command {
	rows := make([]Command, 0, len(commands))
	for _, cmd := range commands {
		if cmd.Flags&Internal == 0 {
			rows = append(rows, *cmd)
		}
	}
	slices.SortFunc(rows, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// Lookup finds the row for a command line, descending into a container's
// subcommands; names are matched without regard to case. The error is
// ErrUnknownCommand or ErrUnknownSubcommand, or ErrArity for a container alone.
func Lookup(args [][]byte) (*Command, error) {
	var upper [32]byte
	name, ok := upperCase(upper[:0], args[0])
	if !ok {
		return nil, ErrUnknownCommand(args)
	}
	cmd := commands[string(name)]
	switch {
	case cmd == nil:
		return nil, ErrUnknownCommand(args)
	case cmd.Subcommands == nil:
		return cmd, nil
	case len(args) < 2:
		return nil, ErrArity(cmd.Name)
	}
	for i := range cmd.Subcommands {
		if sub := &cmd.Subcommands[i]; strings.EqualFold(sub.Name, string(args[1])) {
			return sub, nil
		}
	}
	return nil, ErrUnknownSubcommand(cmd.Name, args[1])
}

// upperCase puts the upper case of an ASCII name into buf, false if it does not fit.
func upperCase(buf, name []byte) ([]byte, bool) {
	if len(name) > cap(buf) {
		return nil, false
	}
	for _, c := range name {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf, true
}
