package fsm

import "strings"

// aclCommands is how a connection changes users; it has checked the rules and hashed the
// passwords. Clients get the ACL of the connection's own table.
var aclCommands = []Command{
	{Name: "ACL", Arity: -2, Flags: Write | Internal | Admin, Group: "server", Since: "6.0.0",
		Summary: "Changes users.", Syntax: "SETUSER username [rule ...] | DELUSER username [username ...] | LOAD line [line ...]",
		Cost: "O(N)", Run: aclCommand},
}

func aclCommand(tx *Tx, args [][]byte) (Reply, error) {
	words := make([]string, 0, len(args)-2)
	for _, arg := range args[2:] {
		words = append(words, string(arg))
	}
	users := tx.m.users.Load()
	switch {
	case is(args[1], "SETUSER") && len(words) > 0:
		user := users.Get(words[0])
		if user == nil {
			user = NewUser(words[0])
		}
		changed, bad, err := user.With(words[1:], nil)
		if err != nil {
			return nil, ErrRule(bad, err)
		}
		tx.m.users.Store(users.with(changed))
		return OK, nil
	case is(args[1], "DELUSER"):
		deleted := 0
		for _, name := range words {
			if users.Get(name) != nil {
				users = users.without(name)
				deleted++
			}
		}
		tx.m.users.Store(users)
		return Int(int64(deleted)), nil
	case is(args[1], "LOAD"):
		loaded := &Users{}
		for _, line := range words {
			user, err := ParseUser(line)
			if err != nil {
				return nil, NewError("ERR", err.Error())
			}
			loaded = loaded.with(user)
		}
		tx.m.users.Store(loaded)
		return OK, nil
	}
	return nil, ErrSyntax
}

// ErrRule answers a rule of ACL SETUSER that is wrong.
func ErrRule(rule string, err error) error {
	return NewError("ERR", "Error in ACL SETUSER modifier '"+rule+"': "+err.Error())
}

// ParseUser reads what User.String writes.
func ParseUser(line string) (*User, error) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "user" {
		return nil, NewError("ERR", "a line of users must begin with 'user' and a name")
	}
	rules, bad := MergeSelectors(words[2:])
	if bad != "" {
		return nil, errRule
	}
	user, bad, err := NewUser(words[1]).With(rules, nil)
	if err != nil {
		return nil, ErrRule(bad, err)
	}
	return user, nil
}
