package resp

import (
	"crypto/subtle"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/fsm"
)

// connectionFlags are those of commands that are always answered.
const (
	always  = fsm.Loading | fsm.Stale | fsm.Fast
	anybody = always | fsm.NoScript | fsm.NoAuth | fsm.AllowBusy
)

var connectionCommands = []local{
	{Command: fsm.Command{Name: "AUTH", Arity: -2, Flags: anybody, Group: "connection", Since: "1.0.0",
		Summary: "Authenticates the connection.", Syntax: "[username] password", Cost: "O(N) where N is the number of passwords"}, run: authCommand},
	{Command: fsm.Command{Name: "ECHO", Arity: 2, Flags: always, Group: "connection", Since: "1.0.0",
		Summary: "Returns the given string.", Syntax: "message", Cost: "O(1)"}, run: echoCommand},
	{Command: fsm.Command{Name: "HELLO", Arity: -1, Flags: anybody, Group: "connection", Since: "6.0.0",
		Summary: "Chooses the version of the protocol, and tells about the server.",
		Syntax:  "[protover [AUTH username password] [SETNAME clientname]]", Cost: "O(1)"}, run: helloCommand},
	{Command: fsm.Command{Name: "PING", Arity: -1, Flags: fsm.Fast, Group: "connection", Since: "1.0.0",
		Summary: "Returns PONG, or the given message.", Syntax: "[message]", Cost: "O(1)"}, run: pingCommand},
	{Command: fsm.Command{Name: "QUIT", Arity: -1, Flags: anybody, Group: "connection", Since: "1.0.0",
		Summary: "Closes the connection.", Cost: "O(1)"}, run: quitCommand},
	{Command: fsm.Command{Name: "READONLY", Arity: 1, Flags: always, Group: "cluster", Since: "3.0.0",
		Summary: "Lets reads of this connection be answered from the node's own, perhaps stale, copy.", Cost: "O(1)"}, run: readOnlyCommand},
	{Command: fsm.Command{Name: "READWRITE", Arity: 1, Flags: always, Group: "cluster", Since: "3.0.0",
		Summary: "Makes reads of this connection linearizable again.", Cost: "O(1)"}, run: readWriteCommand},
	{Command: fsm.Command{Name: "RESET", Arity: 1, Flags: anybody, Group: "connection", Since: "6.2.0",
		Summary: "Returns the connection to the state it began in.", Cost: "O(1)"}, run: resetCommand},
	{Command: fsm.Command{Name: "SELECT", Arity: 2, Flags: always, Group: "connection", Since: "1.0.0",
		Summary: "Changes the database of the connection.", Syntax: "index", Cost: "O(1)"}, run: selectCommand},
}

var (
	errWrongPass  = fsm.NewError("WRONGPASS", "invalid username-password pair or user is disabled.")
	errNoPassword = fsm.NewError("ERR", "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	errNoProto    = fsm.NewError("NOPROTO", "unsupported protocol version")
	errHelloAuth  = fsm.NewError("NOAUTH", "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	errClientName = fsm.NewError("ERR", "Client names cannot contain spaces, newlines or special characters.")
)

var pong = fsm.Status("PONG")

func pingCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if c.version == 2 && c.listens() && len(args) <= 2 {
		var b fsm.Builder
		b.Array(2)
		b.BulkString("pong")
		b.Bulk(slices.Concat(args[1:]...))
		return b.Reply(), nil
	}
	switch len(args) {
	case 1:
		return pong, nil
	case 2:
		return fsm.Bulk(args[1]), nil
	}
	return nil, fsm.ErrArity("ping")
}

func echoCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	return fsm.Bulk(args[1]), nil
}

func quitCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	c.closing = true
	return fsm.OK, nil
}

func readOnlyCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	c.readOnly = true
	return fsm.OK, nil
}

func readWriteCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	c.readOnly = false
	return fsm.OK, nil
}

func selectCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	db, err := selectArg(args[1])
	if err != nil {
		return nil, err
	}
	c.db = db
	return fsm.OK, nil
}

// selectArg reads the number of a database.
func selectArg(arg []byte) (uint8, error) {
	db, ok := parseInt(arg)
	switch {
	case !ok:
		return 0, fsm.ErrNotInteger
	case db < math.MinInt32 || db > math.MaxInt32:
		return 0, fsm.NewError("ERR", "value is out of range, value must between -2147483648 and 2147483647")
	case db < 0 || db >= fsm.Databases:
		return 0, fsm.ErrDBIndex
	}
	return uint8(db), nil
}

func resetCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	c.leaveMulti()
	c.unwatch()
	c.leaveMonitor()
	if c.sub != nil {
		c.server.hub.forget(c.sub)
		c.sub.setVersion(2)
	}
	c.db, c.version, c.readOnly, c.reply, c.wishes = 0, 2, false, replyOn, wishes{}
	c.setUserTo(c.server.user("default"))
	c.authenticated = c.user.Enabled && c.user.NoPass
	c.mu.Lock()
	c.info = clientInfo{version: 2, queued: -1, user: c.info.user, libName: c.info.libName, libVersion: c.info.libVersion}
	c.mu.Unlock()
	return fsm.Status("RESET"), nil
}

func authCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	switch len(args) {
	case 2:
		if c.server.user("default").NoPass {
			return nil, errNoPassword
		}
		return fsm.OK, c.authenticate([]byte("default"), args[1])
	case 3:
		return fsm.OK, c.authenticate(args[1], args[2])
	}
	return nil, fsm.ErrSyntax
}

// authenticate checks a user's password. Hashes are compared, so that the time tells
// nothing of the password, its length included.
func (c *conn) authenticate(name, pass []byte) error {
	user := c.server.user(string(name))
	hash := []byte(fsm.PasswordHash(string(pass)))
	right := user != nil && user.Enabled && user.NoPass
	if user != nil && user.Enabled {
		for _, password := range user.Passwords {
			right = right || subtle.ConstantTimeCompare(hash, []byte(password)) == 1
		}
	}
	if !right {
		c.server.aclLog.add("auth", "toplevel", "AUTH", string(name), c.describe(time.Now()))
		return errWrongPass
	}
	c.authenticated = true
	c.setUserTo(user)
	return nil
}

// helloCommand checks everything before it changes anything, except that, as in Redis,
// a right password counts even where a later option is wrong.
func helloCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	version := c.version
	if len(args) > 1 {
		n, ok := parseInt(args[1])
		if !ok {
			return nil, fsm.NewError("ERR", "Protocol version is not an integer or out of range")
		}
		if n < 2 || n > 3 {
			return nil, errNoProto
		}
		version = int(n)
	}
	var name []byte
	for i := 2; i < len(args); i++ {
		more := len(args) - 1 - i
		switch option := strings.ToUpper(string(args[i])); {
		case option == "AUTH" && more >= 2:
			if err := c.authenticate(args[i+1], args[i+2]); err != nil {
				return nil, err
			}
			i += 2
		case option == "SETNAME" && more >= 1:
			name = args[i+1]
			if !validClientName(name) {
				return nil, errClientName
			}
			i++
		default:
			return nil, fsm.NewError("ERR", fmt.Sprintf("Syntax error in HELLO option '%.128s'", args[i]))
		}
	}
	if !c.authenticated {
		return nil, errHelloAuth
	}
	if name != nil {
		c.setName(name)
	}
	c.version = version
	if c.sub != nil {
		c.sub.setVersion(version)
	}
	return c.server.hello(c), nil
}

// hello tells what a client needs to know. Every node says that it is a master: it
// takes writes and never answers READONLY, and a client that was told "replica" would
// refuse to write to it.
func (s *Server) hello(c *conn) fsm.Reply {
	var b fsm.Builder
	b.Map(7)
	b.BulkString("server")
	b.BulkString("redis")
	b.BulkString("version")
	b.BulkString(redisVersion)
	b.BulkString("proto")
	b.Int(int64(c.version))
	b.BulkString("id")
	b.Int(c.id)
	b.BulkString("mode")
	b.BulkString("standalone")
	b.BulkString("role")
	b.BulkString("master")
	b.BulkString("modules")
	b.Array(0)
	return b.Reply()
}

// redisVersion is the version of Redis that clients are told. 7.2 brought CLIENT SETINFO
// and CLIENT NO-TOUCH, which are served and which some clients send only to 7.2 or
// later; nothing that 7.4 added is here.
const redisVersion = fsm.RedisVersion

// validClientName reports whether a name can stand in CLIENT LIST.
func validClientName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

func (c *conn) setName(name []byte) {
	c.mu.Lock()
	c.info.name = string(name)
	c.mu.Unlock()
}
