package fsm

var serverCommands = []Command{
	// CONFIG is how a connection replicates settings that it has checked. Clients get
	// the CONFIG of the connection's own table.
	{Name: "CONFIG", Arity: -4, Flags: Write | Admin | Internal, Group: "server", Since: "2.0.0",
		Summary: "Stores settings of the cluster.", Syntax: "SET parameter value [parameter value ...]", Cost: "O(N) where N is the number of settings", Run: configCommand},
	{Name: "DBSIZE", Arity: 1, Flags: ReadOnly | Fast, Group: "server", Since: "1.0.0",
		Summary: "Counts the keys of a database.", Cost: "O(1)", Run: dbsizeCommand},
	{Name: "FLUSHALL", Arity: -1, Flags: Write | Dangerous, Group: "server", Since: "1.0.0",
		Summary: "Deletes all keys of all databases.", Syntax: "[ASYNC | SYNC]", Cost: "O(1)", Run: flushallCommand},
	{Name: "FLUSHDB", Arity: -1, Flags: Write | Dangerous, Group: "server", Since: "1.0.0",
		Summary: "Deletes all keys of a database.", Syntax: "[ASYNC | SYNC]", Cost: "O(1)", Run: flushdbCommand},
	{Name: "SWAPDB", Arity: 3, Flags: Write | Fast | Dangerous, Group: "server", Since: "4.0.0",
		Summary: "Exchanges two databases.", Syntax: "index1 index2", Cost: "O(1)", Run: swapdbCommand},
}

func configCommand(tx *Tx, args [][]byte) (Reply, error) {
	if !is(args[1], "SET") || len(args)%2 != 0 {
		return nil, ErrSyntax
	}
	for i := 2; i < len(args); i += 2 {
		tx.set(string(args[i]), string(args[i+1]))
	}
	return OK, nil
}

func dbsizeCommand(tx *Tx, args [][]byte) (Reply, error) { return Int(int64(tx.size())), nil }

// checkFlush accepts ASYNC and SYNC: memory is freed by the garbage collector either way.
func checkFlush(args [][]byte) error {
	if len(args) > 2 || len(args) == 2 && !is(args[1], "ASYNC") && !is(args[1], "SYNC") {
		return ErrSyntax
	}
	return nil
}

func flushdbCommand(tx *Tx, args [][]byte) (Reply, error) {
	if err := checkFlush(args); err != nil {
		return nil, err
	}
	tx.flush(tx.db)
	return OK, nil
}

func flushallCommand(tx *Tx, args [][]byte) (Reply, error) {
	if err := checkFlush(args); err != nil {
		return nil, err
	}
	for db := range Databases {
		tx.flush(db)
	}
	return OK, nil
}

func swapdbCommand(tx *Tx, args [][]byte) (Reply, error) {
	var dbs [2]int64
	for i, which := range []string{"first", "second"} {
		n, err := int32Arg(args[1+i])
		if err != nil {
			return nil, NewError("ERR", "invalid "+which+" DB index")
		}
		dbs[i] = n
	}
	for _, n := range dbs {
		if n < 0 || n >= Databases {
			return nil, ErrDBIndex
		}
	}
	tx.swap(int(dbs[0]), int(dbs[1]))
	return OK, nil
}
