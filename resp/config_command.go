package resp

import (
	"fmt"
	"strings"

	"holdfast/fsm"
)

var configCommands = []local{{
	Command: fsm.Command{Name: "CONFIG", Arity: -2, Group: "server", Since: "2.0.0",
		Summary: "Commands about parameters.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "GET", Arity: -3, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "2.0.0",
			Summary: "Returns the parameters whose names match.", Syntax: "parameter [parameter ...]",
			Cost: "O(N) when N is the number of configuration parameters provided"}, run: configGet},
		{Command: fsm.Command{Name: "RESETSTAT", Arity: 2, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "2.0.0",
			Summary: "Resets the counters of this node's INFO.", Cost: "O(1)"}, run: configResetStat},
		{Command: fsm.Command{Name: "REWRITE", Arity: 2, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "2.8.0",
			Summary: "Does nothing: what CONFIG SET changes is kept at once, on every node.", Cost: "O(1)"}, run: okCommand},
		{Command: fsm.Command{Name: "SET", Arity: -4, Flags: operator | fsm.Loading | fsm.Stale, Group: "server", Since: "2.0.0",
			Summary: "Changes parameters of the whole cluster.", Syntax: "parameter value [parameter value ...]",
			Cost: "O(N) when N is the number of configuration parameters provided"}, run: configSet},
	},
}}

func configGet(c *conn, args [][]byte) (fsm.Reply, error) {
	s := c.server
	s.loadSettings()
	var pairs []string
	for i := range parameters {
		p := &parameters[i]
		for _, pattern := range args[2:] {
			if name, ok := p.matches(string(pattern)); ok {
				pairs = append(pairs, name, p.value(s))
				break
			}
		}
	}
	var b fsm.Builder
	b.Map(len(pairs) / 2)
	for _, text := range pairs {
		b.BulkString(text)
	}
	return b.Reply(), nil
}

// matches returns the name under which CONFIG GET shows the parameter for a pattern: a
// plain name comes back as it was given, in any case.
func (p *parameter) matches(pattern string) (name string, ok bool) {
	if strings.ContainsAny(pattern, "*?[") {
		return p.name, matches(pattern, p.name)
	}
	return pattern, strings.EqualFold(pattern, p.name)
}

func configResetStat(c *conn, args [][]byte) (fsm.Reply, error) {
	c.server.stats.reset(c.server.store.Status().Counts)
	c.server.aclLog.resetCounts()
	c.server.table.all(func(r *row) { r.stats.reset() })
	return fsm.OK, nil
}

// configSet checks every pair before it changes anything, and replicates the changes as
// one command, so that they take effect together on every node and survive restarts. It
// returns when they hold on every node that can be reached.
func configSet(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args)%2 != 0 {
		return nil, fsm.ErrSyntax
	}
	s := c.server
	s.loadSettings()
	call := [][]byte{[]byte("CONFIG"), []byte("SET")}
	seen := make(map[string]bool)
	var rules []string
	for i := 2; i < len(args); i += 2 {
		name := strings.ToLower(string(args[i]))
		p := findParameter(name)
		switch {
		case p == nil:
			return nil, fsm.NewError("ERR", fmt.Sprintf("Unknown option or number of arguments for CONFIG SET - '%s'", args[i]))
		case seen[name]:
			return nil, errConfigSet(name, "duplicate parameter")
		}
		seen[name] = true
		value, err := p.check(s, string(args[i+1]))
		if err != nil {
			return nil, errConfigSet(name, err.Error())
		}
		switch {
		case name == "requirepass":
			rules = []string{"resetpass", "nopass"}
			if value != "" {
				rules = []string{"resetpass", ">" + value}
			}
		case p.kind == replicated:
			call = append(call, []byte(name), []byte(value))
		}
	}
	if rules != nil { // a password is a matter of the default user
		if reply, err := c.setUser("default", rules); err != nil || reply.IsError() {
			return reply, err
		}
	}
	if len(call) == 2 {
		return fsm.OK, nil // nothing that was not so already
	}
	replies, err := s.store.Write(c.ctx, []fsm.Request{{Calls: []fsm.Call{{Args: call}}}})
	if err != nil {
		return nil, err
	}
	if err := s.store.Settle(c.ctx); err != nil {
		return nil, err
	}
	s.loadSettings()
	return replies[0], nil
}

func errConfigSet(name, why string) error {
	return fsm.NewError("ERR", fmt.Sprintf("CONFIG SET failed (possibly related to argument '%s') - %s", name, why))
}
