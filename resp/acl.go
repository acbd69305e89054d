package resp

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/fsm"
)

const aclFlags = fsm.NoScript | fsm.Loading | fsm.Stale

var aclCommands = []local{{
	Command: fsm.Command{Name: "ACL", Arity: -2, Group: "server", Since: "6.0.0",
		Summary: "Commands about users and what they may do.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "CAT", Arity: -2, Flags: aclFlags, Group: "server", Since: "6.0.0",
			Summary: "Lists the categories, or the commands of one.", Syntax: "[category]", Cost: "O(1) since the categories and commands are a fixed set."}, run: aclCat},
		{Command: fsm.Command{Name: "DELUSER", Arity: -3, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Deletes users, and closes their connections.", Syntax: "username [username ...]", Cost: "O(1) amortized time considering the typical user."}, run: aclDelUser},
		{Command: fsm.Command{Name: "DRYRUN", Arity: -4, Flags: aclFlags | fsm.Admin, Group: "server", Since: "7.0.0",
			Summary: "Tells whether a user may run a command, without running it.", Syntax: "username command [arg [arg ...]]", Cost: "O(1)."}, run: aclDryRun},
		{Command: fsm.Command{Name: "GENPASS", Arity: -2, Flags: aclFlags, Group: "server", Since: "6.0.0",
			Summary: "Makes up a password.", Syntax: "[bits]", Cost: "O(1)"}, run: aclGenPass},
		{Command: fsm.Command{Name: "GETUSER", Arity: 3, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Describes a user.", Syntax: "username", Cost: "O(N). Where N is the number of password, command and pattern rules that the user has."}, run: aclGetUser},
		{Command: fsm.Command{Name: "LIST", Arity: 2, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Describes all users, each in a line.", Cost: "O(N). Where N is the number of configured users."}, run: aclList},
		{Command: fsm.Command{Name: "LOAD", Arity: 2, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Replaces all users by those in this node's ACL file.", Cost: "O(N). Where N is the number of configured users."}, run: aclLoad},
		{Command: fsm.Command{Name: "LOG", Arity: -2, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Lists what this node has denied to users.", Syntax: "[count | RESET]", Cost: "O(N) with N being the number of entries shown."}, run: aclLogCommand},
		{Command: fsm.Command{Name: "SAVE", Arity: 2, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Writes all users to this node's ACL file.", Cost: "O(N). Where N is the number of configured users."}, run: aclSave},
		{Command: fsm.Command{Name: "SETUSER", Arity: -3, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Makes a user, or changes one, on every node.", Syntax: "username [rule [rule ...]]", Cost: "O(N). Where N is the number of rules provided."}, run: aclSetUser},
		{Command: fsm.Command{Name: "USERS", Arity: 2, Flags: aclFlags | fsm.Admin, Group: "server", Since: "6.0.0",
			Summary: "Lists the names of the users.", Cost: "O(N). Where N is the number of configured users."}, run: aclUsers},
		{Command: fsm.Command{Name: "WHOAMI", Arity: 2, Flags: aclFlags, Group: "server", Since: "6.0.0",
			Summary: "Returns the name of the connection's user.", Cost: "O(1)"}, run: aclWhoAmI},
	},
}}

// users lists all users by name, the default one included.
func (s *Server) users() []*fsm.User {
	users := s.store.Users()
	list := slices.Clone(users.All())
	if users.Get("default") == nil {
		i, _ := slices.BinarySearchFunc(list, "default", func(u *fsm.User, name string) int { return strings.Compare(u.Name, name) })
		list = slices.Insert(list, i, s.defaultUser)
	}
	return list
}

// user returns a user, nil where there is none.
func (s *Server) user(name string) *fsm.User {
	if user := s.store.Users().Get(name); user != nil || name != "default" {
		return user
	}
	return s.defaultUser
}

// HasCommand and HasCategory make a table fsm.CommandNames.
func (t *table) HasCommand(name string) bool { return t.byFullName([]byte(name)) != nil }

func (t *table) HasCategory(name string) bool { return slices.Contains(aclCategories, name) }

// aclCategories are those of Redis, in its order.
var aclCategories = []string{"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
	"hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection",
	"transaction", "scripting"}

func aclWhoAmI(c *conn, _ [][]byte) (fsm.Reply, error) { return fsm.BulkString(c.user.Name), nil }

func aclUsers(c *conn, _ [][]byte) (fsm.Reply, error) {
	return bulks(c.server.users(), func(u *fsm.User) string { return u.Name }), nil
}

func aclList(c *conn, _ [][]byte) (fsm.Reply, error) {
	return bulks(c.server.users(), (*fsm.User).String), nil
}

// bulks is an array of strings.
func bulks[T any](list []T, text func(T) string) fsm.Reply {
	var b fsm.Builder
	b.Array(len(list))
	for _, element := range list {
		b.BulkString(text(element))
	}
	return b.Reply()
}

func same(s string) string { return s }

func aclCat(c *conn, args [][]byte) (fsm.Reply, error) {
	switch {
	case len(args) == 2:
		return bulks(aclCategories, same), nil
	case len(args) > 3:
		return nil, errSubcommand(string(args[1]), "ACL")
	}
	category := strings.ToLower(string(args[2]))
	if !c.server.table.HasCategory(category) {
		return nil, fsm.NewError("ERR", fmt.Sprintf("Unknown category '%s'", args[2]))
	}
	var names []string
	c.server.table.all(func(r *row) {
		if slices.Contains(r.Categories(), "@"+category) {
			names = append(names, r.full)
		}
	})
	return bulks(names, same), nil
}

func aclGenPass(c *conn, args [][]byte) (fsm.Reply, error) {
	bits := int64(256)
	if len(args) > 3 {
		return nil, errSubcommand(string(args[1]), "ACL")
	}
	if len(args) == 3 {
		n, ok := parseInt(args[2])
		switch {
		case !ok:
			return nil, fsm.ErrNotInteger
		case n <= 0 || n > 4096:
			return nil, fsm.NewError("ERR", "ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		}
		bits = n
	}
	digits := int(bits+3) / 4
	random := make([]byte, (digits+1)/2)
	rand.Read(random)
	return fsm.BulkString(hex.EncodeToString(random)[:digits]), nil
}

func aclGetUser(c *conn, args [][]byte) (fsm.Reply, error) {
	user := c.server.user(string(args[2]))
	if user == nil {
		return fsm.Nil, nil
	}
	var b fsm.Builder
	b.Map(6)
	b.BulkString("flags")
	flags := []string{"off"}
	if user.Enabled {
		flags[0] = "on"
	}
	if user.NoPass {
		flags = append(flags, "nopass")
	}
	if user.Sanitize != "" {
		flags = append(flags, user.Sanitize)
	}
	b.Set(len(flags))
	for _, flag := range flags {
		b.BulkString(flag)
	}
	b.BulkString("passwords")
	b.Append(bulks(user.Passwords, same))
	describeSelector(&b, &user.Selectors[0])
	b.BulkString("selectors")
	b.Array(len(user.Selectors) - 1)
	for i := range user.Selectors[1:] {
		b.Map(3)
		describeSelector(&b, &user.Selectors[1+i])
	}
	return b.Reply(), nil
}

func describeSelector(b *fsm.Builder, s *fsm.Selector) {
	for _, field := range [][2]string{{"commands", s.CommandList()}, {"keys", s.KeyList()}, {"channels", s.ChannelList()}} {
		b.BulkString(field[0])
		b.BulkString(field[1])
	}
}

// aclSetUser checks the rules on the user as this node knows it. The keyspace applies
// them to the user as it is then: two that change one user at once both have an effect.
func aclSetUser(c *conn, args [][]byte) (fsm.Reply, error) {
	name := string(args[2])
	if name == "" || strings.ContainsAny(name, " \t\r\n\v\f\x00") {
		return nil, fsm.NewError("ERR", "Usernames can't contain spaces or null characters")
	}
	var words []string
	for _, arg := range args[3:] {
		words = append(words, string(arg))
	}
	return c.setUser(name, words)
}

func (c *conn) setUser(name string, words []string) (fsm.Reply, error) {
	s := c.server
	rules, bad := fsm.MergeSelectors(words)
	if bad != "" {
		return nil, fsm.NewError("ERR", fmt.Sprintf("Unmatched parenthesis in acl selector starting at '%s'.", bad))
	}
	user := s.user(name)
	if user == nil {
		user = fsm.NewUser(name)
	}
	if _, bad, err := user.With(rules, s.table); err != nil {
		return nil, fsm.ErrRule(bad, err)
	}
	call := [][]byte{[]byte("ACL"), []byte("SETUSER"), []byte(name)}
	if user == s.defaultUser { // from here on it is one of the cluster's users
		for _, rule := range strings.Fields(user.String())[2:] {
			call = append(call, []byte(rule))
		}
	}
	for _, rule := range rules {
		call = append(call, []byte(fsm.PasswordRule(rule)))
	}
	return c.changeUsers(call)
}

// changeUsers has the keyspace change users and returns when the change holds on every
// node that can be reached.
func (c *conn) changeUsers(call [][]byte) (fsm.Reply, error) {
	s := c.server
	replies, err := s.store.Write(c.ctx, []fsm.Request{{Calls: []fsm.Call{{Args: call}}}})
	if err != nil {
		return nil, err
	}
	if err := s.store.Settle(c.ctx); err != nil {
		return nil, err
	}
	s.enforce()
	return replies[0], nil
}

func aclDelUser(c *conn, args [][]byte) (fsm.Reply, error) {
	for _, name := range args[2:] {
		if string(name) == "default" {
			return nil, fsm.NewError("ERR", "The 'default' user cannot be removed")
		}
	}
	return c.changeUsers(append([][]byte{[]byte("ACL"), []byte("DELUSER")}, args[2:]...))
}

func aclDryRun(c *conn, args [][]byte) (fsm.Reply, error) {
	user := c.server.user(string(args[2]))
	if user == nil {
		return nil, fsm.NewError("ERR", fmt.Sprintf("User '%s' not found", args[2]))
	}
	line := args[3:]
	row, err := c.server.table.lookup(line)
	switch {
	case err != nil:
		return nil, fsm.NewError("ERR", fmt.Sprintf("Command '%s' not found", line[0]))
	case !row.Accepts(len(line)):
		return nil, fsm.ErrArity(row.full)
	}
	if denial := user.Check(&row.Command, line); denial != nil {
		return fsm.BulkString(denial.Explain()), nil
	}
	return fsm.OK, nil
}

var errNoACLFile = fsm.NewError("ERR", "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.")

// aclSave writes a copy: what ACL SETUSER changes is kept, and replicated, without it.
func aclSave(c *conn, _ [][]byte) (fsm.Reply, error) {
	path := c.server.cfg.ACLFile
	if path == "" {
		return nil, errNoACLFile
	}
	var text strings.Builder
	for _, user := range c.server.users() {
		text.WriteString(user.String() + "\n")
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err == nil {
		defer os.Remove(f.Name()) // fails once it has been renamed
		if _, err = f.WriteString(text.String()); err == nil {
			err = f.Sync()
		}
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		c.server.log.Error("save the ACL file", "error", err)
		return nil, fsm.NewError("ERR", "There was an error trying to save the ACLs. Please check the server logs for more information")
	}
	return fsm.OK, nil
}

func aclLoad(c *conn, _ [][]byte) (fsm.Reply, error) {
	path := c.server.cfg.ACLFile
	if path == "" {
		return nil, errNoACLFile
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fsm.NewError("ERR", fmt.Sprintf("Error loading ACLs, opening file '%s': %v", path, err))
	}
	call := [][]byte{[]byte("ACL"), []byte("LOAD")}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "user" {
			return nil, fsm.NewError("ERR", fmt.Sprintf("%s:%d: line should start with user keyword", path, i+1))
		}
		rules, bad := fsm.MergeSelectors(words[2:])
		if bad != "" {
			return nil, fsm.NewError("ERR", fmt.Sprintf("%s:%d: unmatched parenthesis", path, i+1))
		}
		user, bad, err := fsm.NewUser(words[1]).With(rules, c.server.table)
		if err != nil {
			return nil, fsm.NewError("ERR", fmt.Sprintf("%s:%d: %s: %v. WARNING: ACL errors detected, no change to the previously active ACL rules was performed", path, i+1, bad, err))
		}
		call = append(call, []byte(user.String()))
	}
	return c.changeUsers(call)
}

// identify finds the connection's user anew where users have changed; false if it has
// been deleted.
func (c *conn) identify() bool {
	users := c.server.store.Users()
	if users == c.users {
		return true
	}
	c.users = users
	name := "default"
	if c.user != nil {
		name = c.user.Name
	}
	user := c.server.user(name)
	if user != nil {
		c.setUserTo(user)
	}
	return user != nil
}

func (c *conn) setUserTo(user *fsm.User) {
	c.user = user
	c.mu.Lock()
	c.info.user = user.Name
	c.mu.Unlock()
}

// allowed checks a command line, and keeps a record of what is denied.
func (c *conn) allowed(row *row, args [][]byte) error {
	denial := c.user.Check(&row.Command, args)
	if denial == nil {
		return nil
	}
	context := "toplevel"
	if c.multi != nil {
		context = "multi"
	}
	c.server.aclLog.add(denial.Reason, context, denial.Object, c.user.Name, c.describe(time.Now()))
	return denial
}

// enforce closes the connections of users that have been deleted, and of those that listen
// to channels that they may not any more.
func (s *Server) enforce() {
	users := s.store.Users()
	if s.enforced.Swap(users) == users {
		return
	}
	for _, c := range s.clients() {
		c.mu.Lock()
		name := c.info.user
		c.mu.Unlock()
		if user := s.user(name); user == nil || !s.hub.mayListen(c, user) {
			c.kill()
		}
	}
}

// mayListen reports whether a user may have all the subscriptions of a connection.
func (h *hub) mayListen(c *conn, user *fsm.User) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s := h.members[c]
	if s == nil {
		return true
	}
	for kind, names := range s.names {
		for name := range names {
			if !slices.ContainsFunc(user.Selectors, func(sel fsm.Selector) bool {
				return sel.AllowsChannel(name, subscription(kind) == toPattern)
			}) {
				return false
			}
		}
	}
	return true
}

func aclLogCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	count := int64(10)
	switch {
	case len(args) > 3:
		return nil, errSubcommand(string(args[1]), "ACL")
	case len(args) == 3 && strings.EqualFold(string(args[2]), "reset"):
		c.server.aclLog.reset()
		return fsm.OK, nil
	case len(args) == 3:
		n, ok := parseInt(args[2])
		if !ok {
			return nil, fsm.ErrNotInteger
		}
		count = max(n, 0)
	}
	return c.server.aclLog.describe(int(min(count, math.MaxInt32)), time.Now()), nil
}
