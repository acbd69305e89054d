package resp

import (
	"strings"

	"holdfast/fsm"
)

var shutdownCommands = []local{
	{Command: fsm.Command{Name: "SHUTDOWN", Arity: -1, Flags: operator | fsm.NoMulti | fsm.Loading | fsm.Stale | fsm.AllowBusy, Group: "server", Since: "1.0.0",
		Summary: "Ends this node as SIGTERM does: leadership moves away and what is in flight is answered.",
		Syntax:  "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", Cost: "O(N) when saving, where N is the total number of keys in all databases"}, run: shutdownCommand},
}

type shutdownOptions struct{ save, noSave, now, force, abort bool }

func parseShutdown(args [][]byte) (o shutdownOptions, err error) {
	for _, arg := range args[1:] {
		switch strings.ToLower(string(arg)) {
		case "save":
			o.save = true
		case "nosave":
			o.noSave = true
		case "now":
			o.now = true
		case "force":
			o.force = true
		case "abort":
			o.abort = true
		default:
			return o, fsm.ErrSyntax
		}
	}
	if o.save && o.noSave || o.abort && len(args) > 2 {
		return o, fsm.ErrSyntax
	}
	return o, nil
}

var (
	errNoShutdown = fsm.NewError("ERR", "No shutdown in progress.")
	errShutdown   = fsm.NewError("ERR", "Errors trying to SHUTDOWN. Check logs.")
)

// shutdownCommand has no reply: the connection ends. Only SAVE takes a snapshot, as the
// log has every write. There are no replicas to wait for, so NOW changes nothing.
func shutdownCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	o, err := parseShutdown(args)
	switch {
	case err != nil:
		return nil, err
	case o.abort: // one that has begun has ended its connections
		return nil, errNoShutdown
	}
	if o.save {
		if err := c.server.store.Save(c.ctx); err != nil {
			c.server.log.Error("save before a shutdown", "error", err)
			if !o.force {
				return nil, errShutdown
			}
		}
	}
	c.server.log.Info("shutdown was asked for", "client", c.address())
	c.closing = true
	c.server.askOnce.Do(func() { close(c.server.asked) })
	return nil, nil
}

// ShutdownAsked is closed when a client has sent SHUTDOWN. To end the node is up to whoever
// has started it.
func (s *Server) ShutdownAsked() <-chan struct{} { return s.asked }
