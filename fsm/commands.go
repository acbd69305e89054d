package fsm

// Commands lists the rows of the data commands, sorted by name.
func Commands() []Command { panic("skeleton") }

// Lookup finds the row for a command line, descending into a container's
// subcommands; names are matched without regard to case. The error is
// ErrUnknownCommand or ErrUnknownSubcommand.
func Lookup(args [][]byte) (*Command, error) { panic("skeleton") }
