package resp

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/fsm"
)

const clientFlags = fsm.NoScript | fsm.Loading | fsm.Stale

var clientCommands = []local{{
	Command: fsm.Command{Name: "CLIENT", Arity: -2, Group: "connection", Since: "2.4.0",
		Summary: "Commands about the connections of clients.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "GETNAME", Arity: 2, Flags: clientFlags, Group: "connection", Since: "2.6.9",
			Summary: "Returns the name of the connection.", Cost: "O(1)"}, run: clientGetName},
		{Command: fsm.Command{Name: "GETREDIR", Arity: 2, Flags: clientFlags, Group: "connection", Since: "6.0.0",
			Summary: "Returns whom messages about tracked keys go to: nobody, as keys are not tracked.", Cost: "O(1)"}, run: clientGetRedir},
		{Command: fsm.Command{Name: "ID", Arity: 2, Flags: clientFlags, Group: "connection", Since: "5.0.0",
			Summary: "Returns the number of the connection, unique on this node.", Cost: "O(1)"}, run: clientID},
		{Command: fsm.Command{Name: "INFO", Arity: 2, Flags: clientFlags, Group: "connection", Since: "6.2.0",
			Summary: "Describes the connection.", Cost: "O(1)"}, run: clientInfoCommand},
		{Command: fsm.Command{Name: "KILL", Arity: -3, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "2.4.0",
			Summary: "Closes connections.",
			Syntax:  "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>]> [...]>",
			Cost:    "O(N) where N is the number of client connections"}, run: clientKill},
		{Command: fsm.Command{Name: "LIST", Arity: -2, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "2.4.0",
			Summary: "Describes the connections of this node.",
			Syntax:  "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
			Cost:    "O(N) where N is the number of client connections"}, run: clientList},
		{Command: fsm.Command{Name: "NO-EVICT", Arity: 3, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "7.0.0",
			Summary: "Excludes the connection from eviction, which this server does not do.", Syntax: "<ON | OFF>", Cost: "O(1)"}, run: clientNoEvict},
		{Command: fsm.Command{Name: "NO-TOUCH", Arity: 3, Flags: clientFlags, Group: "connection", Since: "7.2.0",
			Summary: "Keeps the connection's commands from counting as use of their keys.", Syntax: "<ON | OFF>", Cost: "O(1)"}, run: clientNoTouch},
		{Command: fsm.Command{Name: "PAUSE", Arity: -3, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "2.9.50",
			Summary: "Makes commands on this node wait.", Syntax: "timeout [WRITE | ALL]", Cost: "O(1)"}, run: clientPause},
		{Command: fsm.Command{Name: "REPLY", Arity: 3, Flags: clientFlags, Group: "connection", Since: "3.2.0",
			Summary: "Says whether commands are answered.", Syntax: "<ON | OFF | SKIP>", Cost: "O(1)"}, run: clientReply},
		{Command: fsm.Command{Name: "SETINFO", Arity: 4, Flags: clientFlags, Group: "connection", Since: "7.2.0",
			Summary: "Tells which library the client uses.", Syntax: "<LIB-NAME libname | LIB-VER libver>", Cost: "O(1)"}, run: clientSetInfo},
		{Command: fsm.Command{Name: "SETNAME", Arity: 3, Flags: clientFlags, Group: "connection", Since: "2.6.9",
			Summary: "Names the connection.", Syntax: "connection-name", Cost: "O(1)"}, run: clientSetName},
		{Command: fsm.Command{Name: "TRACKINGINFO", Arity: 2, Flags: clientFlags, Group: "connection", Since: "6.2.0",
			Summary: "Tells which keys are tracked for the connection: none.", Cost: "O(1)"}, run: clientTrackingInfo},
		{Command: fsm.Command{Name: "UNBLOCK", Arity: -3, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "5.0.0",
			Summary: "Ends a blocking command of another connection, of which there are none.", Syntax: "client-id [TIMEOUT | ERROR]", Cost: "O(log N) where N is the number of client connections"}, run: clientUnblock},
		{Command: fsm.Command{Name: "UNPAUSE", Arity: 2, Flags: clientFlags | fsm.Admin, Group: "connection", Since: "6.2.0",
			Summary: "Ends the effect of CLIENT PAUSE.", Cost: "O(N) where N is the number of paused clients"}, run: clientUnpause},
	},
}}

func clientID(c *conn, args [][]byte) (fsm.Reply, error) { return fsm.Int(c.id), nil }

func clientGetName(c *conn, args [][]byte) (fsm.Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.info.name == "" {
		return fsm.Nil, nil
	}
	return fsm.BulkString(c.info.name), nil
}

func clientSetName(c *conn, args [][]byte) (fsm.Reply, error) {
	if !validClientName(args[2]) {
		return nil, errClientName
	}
	c.setName(args[2])
	return fsm.OK, nil
}

func clientSetInfo(c *conn, args [][]byte) (fsm.Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var field *string
	switch strings.ToLower(string(args[2])) {
	case "lib-name":
		field = &c.info.libName
	case "lib-ver":
		field = &c.info.libVersion
	default:
		return nil, fsm.NewError("ERR", fmt.Sprintf("Unrecognized option '%s'", args[2]))
	}
	if !validClientName(args[3]) {
		return nil, fsm.NewError("ERR", fmt.Sprintf("%s cannot contain spaces, newlines or special characters.", args[2]))
	}
	*field = string(args[3])
	return fsm.OK, nil
}

func clientNoEvict(c *conn, args [][]byte) (fsm.Reply, error) {
	return c.toggle(&c.info.noEvict, args[2])
}
func clientNoTouch(c *conn, args [][]byte) (fsm.Reply, error) {
	return c.toggle(&c.info.noTouch, args[2])
}

func (c *conn) toggle(field *bool, word []byte) (fsm.Reply, error) {
	on := strings.EqualFold(string(word), "on")
	if !on && !strings.EqualFold(string(word), "off") {
		return nil, fsm.ErrSyntax
	}
	c.mu.Lock()
	*field = on
	c.mu.Unlock()
	return fsm.OK, nil
}

func clientReply(c *conn, args [][]byte) (fsm.Reply, error) {
	switch strings.ToLower(string(args[2])) {
	case "on":
		c.reply = replyOn
		return fsm.OK, nil
	case "off":
		c.reply = replyOff
		return nil, nil
	case "skip":
		if c.reply != replyOff {
			c.reply = replySkip
		}
		return nil, nil
	}
	return nil, fsm.ErrSyntax
}

func clientGetRedir(c *conn, args [][]byte) (fsm.Reply, error) { return fsm.Int(-1), nil }

func clientTrackingInfo(c *conn, args [][]byte) (fsm.Reply, error) {
	var b fsm.Builder
	b.Map(3)
	b.BulkString("flags")
	b.Set(1)
	b.BulkString("off")
	b.BulkString("redirect")
	b.Int(-1)
	b.BulkString("prefixes")
	b.Array(0)
	return b.Reply(), nil
}

// clientUnblock finds nobody: no command here blocks.
func clientUnblock(c *conn, args [][]byte) (fsm.Reply, error) {
	switch {
	case len(args) > 4:
		return nil, errSubcommand(string(args[1]), "CLIENT")
	case len(args) == 4 && !strings.EqualFold(string(args[3]), "timeout") && !strings.EqualFold(string(args[3]), "error"):
		return nil, fsm.NewError("ERR", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	}
	if _, ok := parseInt(args[2]); !ok {
		return nil, fsm.ErrNotInteger
	}
	return fsm.Int(0), nil
}

// clientPause makes commands of clients on this node wait. Other nodes have their own.
func clientPause(c *conn, args [][]byte) (fsm.Reply, error) {
	all := true
	if len(args) > 4 {
		return nil, errSubcommand(string(args[1]), "CLIENT")
	}
	if len(args) == 4 {
		switch strings.ToLower(string(args[3])) {
		case "write":
			all = false
		case "all":
		default:
			return nil, fsm.NewError("ERR", "CLIENT PAUSE mode must be WRITE or ALL")
		}
	}
	timeout, err := parseTimeout(args[2])
	if err != nil {
		return nil, err
	}
	c.server.pause.start(timeout, all)
	return fsm.OK, nil
}

func clientUnpause(c *conn, args [][]byte) (fsm.Reply, error) {
	c.server.pause.stop()
	return fsm.OK, nil
}

// parseTimeout reads a timeout in milliseconds.
func parseTimeout(arg []byte) (time.Duration, error) {
	ms, ok := parseInt(arg)
	switch {
	case !ok || ms > math.MaxInt64/int64(time.Millisecond):
		return 0, fsm.NewError("ERR", "timeout is not an integer or out of range")
	case ms < 0:
		return 0, fsm.NewError("ERR", "timeout is negative")
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func clientInfoCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	c.publish()
	return verbatim(c.describe(time.Now()) + "\n"), nil
}

func clientList(c *conn, args [][]byte) (fsm.Reply, error) {
	c.publish()
	wanted := func(*conn) bool { return true }
	switch {
	case len(args) == 2:
	case len(args) == 4 && strings.EqualFold(string(args[2]), "type"):
		kind, err := parseClientType(args[3])
		if err != nil {
			return nil, err
		}
		wanted = func(other *conn) bool { return other.kind() == kind }
	case len(args) > 3 && strings.EqualFold(string(args[2]), "id"):
		var ids []int64
		for _, arg := range args[3:] {
			id, ok := parseInt(arg)
			if !ok {
				return nil, fsm.NewError("ERR", "Invalid client ID")
			}
			ids = append(ids, id)
		}
		wanted = func(other *conn) bool { return slices.Contains(ids, other.id) }
	default:
		return nil, fsm.ErrSyntax
	}
	var list strings.Builder
	now := time.Now()
	for _, other := range c.server.staying() {
		if wanted(other) {
			list.WriteString(other.describe(now))
			list.WriteByte('\n')
		}
	}
	return verbatim(list.String()), nil
}

// staying lists the clients but for those that have had their last reply.
func (s *Server) staying() []*conn {
	return slices.DeleteFunc(s.clients(), func(c *conn) bool { return c.leaving.Load() })
}

func verbatim(text string) fsm.Reply {
	var b fsm.Builder
	b.Verbatim(text)
	return b.Reply()
}

// kind is what CLIENT LIST calls a type: "pubsub" for one that listens to channels. There
// are no others here: nodes of the cluster talk to each other elsewhere.
func (i *clientInfo) kind() string {
	if i.listening != [3]int{} {
		return "pubsub"
	}
	return "normal"
}

func (c *conn) kind() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.kind()
}

// parseClientType returns the type in lower case, "slave" as "replica".
func parseClientType(arg []byte) (string, error) {
	switch kind := strings.ToLower(string(arg)); kind {
	case "normal", "master", "replica", "pubsub":
		return kind, nil
	case "slave":
		return "replica", nil
	}
	return "", fsm.NewError("ERR", fmt.Sprintf("Unknown client type '%s'", arg))
}

// describe is the connection's line in CLIENT LIST, with the fields of Redis 7.2. What
// this server has no counterpart of is 0.
func (c *conn) describe(now time.Time) string {
	c.mu.Lock()
	info := c.info
	c.mu.Unlock()
	flags := ""
	for _, f := range []struct {
		set  bool
		flag string
	}{{info.monitoring, "O"}, {info.kind() == "pubsub", "P"}, {info.queued >= 0, "x"}, {info.noEvict, "e"}, {info.noTouch, "T"}, {info.readOnly, "r"}, {isUnix(c.nc), "U"}} {
		if f.set {
			flags += f.flag
		}
	}
	if flags == "" {
		flags = "N"
	}
	idle := max(0, now.UnixMilli()-c.lastActive.Load()) / 1000
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d "+
		"multi=%d qbuf=%d qbuf-free=%d argv-mem=0 multi-mem=0 rbs=%d rbp=%d obl=0 oll=0 omem=0 tot-mem=%d events=r "+
		"cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		c.id, c.address(), c.localAddress(), c.fd, info.name, int(now.Sub(c.since).Seconds()), idle, flags, info.db, info.listening[toChannel], info.listening[toPattern], info.listening[toShard], info.queued,
		info.buffered, info.free, info.outCap, info.outCap, info.buffered+info.free+info.outCap,
		c.lastName(), info.user, info.version, info.libName, info.libVersion)
}

func isUnix(nc net.Conn) bool { return nc.LocalAddr().Network() == "unix" }

// address is the client's, as CLIENT LIST and CLIENT KILL have it. The clients of a Unix
// socket have none of their own and go by the socket's.
func (c *conn) address() string {
	if isUnix(c.nc) {
		return c.nc.LocalAddr().String() + ":0"
	}
	return c.nc.RemoteAddr().String()
}

func (c *conn) localAddress() string {
	if isUnix(c.nc) {
		return c.nc.LocalAddr().String() + ":0"
	}
	return c.nc.LocalAddr().String()
}

func clientKill(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args) == 3 { // the form of Redis 2.4: an address
		for _, other := range c.server.staying() {
			if other.address() == string(args[2]) {
				c.killOther(other)
				return fsm.OK, nil
			}
		}
		return nil, fsm.NewError("ERR", "No such client")
	}
	filter, err := c.server.parseKill(args[2:])
	if err != nil {
		return nil, err
	}
	killed := int64(0)
	for _, other := range c.server.staying() {
		if filter.matches(other) && !(filter.skipMe && other == c) {
			c.killOther(other)
			killed++
		}
	}
	return fsm.Int(killed), nil
}

// killOther closes a connection; one's own only after the reply.
func (c *conn) killOther(other *conn) {
	if other == c {
		c.closing = true
		return
	}
	other.kill()
}

// killFilter selects the connections that every given condition holds for.
type killFilter struct {
	id          int64 // 0: any
	addr, laddr string
	kind, user  string
	skipMe      bool
}

func (s *Server) parseKill(args [][]byte) (killFilter, error) {
	f := killFilter{skipMe: true}
	for ; len(args) > 0; args = args[2:] {
		if len(args) == 1 {
			return f, fsm.ErrSyntax
		}
		value := string(args[1])
		switch strings.ToLower(string(args[0])) {
		case "id":
			id, err := strconv.ParseInt(value, 10, 64)
			if err != nil || id < 1 {
				return f, fsm.NewError("ERR", "client-id should be greater than 0")
			}
			f.id = id
		case "type":
			kind, err := parseClientType(args[1])
			if err != nil {
				return f, err
			}
			f.kind = kind
		case "addr":
			f.addr = value
		case "laddr":
			f.laddr = value
		case "user":
			if s.user(value) == nil {
				return f, fsm.NewError("ERR", fmt.Sprintf("No such user '%s'", value))
			}
			f.user = value
		case "skipme":
			switch strings.ToLower(value) {
			case "yes":
				f.skipMe = true
			case "no":
				f.skipMe = false
			default:
				return f, fsm.ErrSyntax
			}
		default:
			return f, fsm.ErrSyntax
		}
	}
	return f, nil
}

func (f *killFilter) matches(c *conn) bool {
	c.mu.Lock()
	user := c.info.user
	c.mu.Unlock()
	return (f.user == "" || f.user == user) && (f.id == 0 || f.id == c.id) && (f.kind == "" || f.kind == c.kind()) &&
		(f.addr == "" || f.addr == c.address()) && (f.laddr == "" || f.laddr == c.localAddress())
}
