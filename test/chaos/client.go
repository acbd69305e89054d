package chaos

import (
	"errors"
	"strings"
	"time"

	"holdfast/test/checked"
	"holdfast/test/harness"
)

// connection is a client's to its node. It is opened again after a failure.
type connection struct {
	arena *arena
	node  *harness.Node
	conn  *harness.Conn // nil while there is none
}

func (a *arena) newClient(n *harness.Node) *checked.Client {
	return a.book.NewClient(n.Name, &connection{arena: a, node: n})
}

// patience is longer than any node may take for an answer, also one that was paused.
const patience = 45 * time.Second

// Run sends all commands at once. An answer is an error reply only where the node says that
// the command did not run or that it does not know; any other is a finding.
func (c *connection) Run(client *checked.Client, multi bool, commands ...[]string) ([]any, checked.Outcome) {
	if c.conn == nil {
		conn, err := c.arena.host(c.node).Dial()
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			return nil, checked.Refused
		}
		c.conn = conn
	}
	sent := commands
	if multi {
		sent = append(append([][]string{{"MULTI"}}, commands...), []string{"EXEC"})
	}
	c.arena.book.Asked.Add(1)
	e := event{Client: client.ID, Node: c.node.Name}
	for _, args := range sent {
		e.Args = append(e.Args, args...)
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	begun := time.Now()
	replies, err := c.conn.Pipeline(sent...)
	client.Call, client.End = client.At(begun), client.At(time.Now())
	e.Call, e.End = client.Call, client.End
	if err == nil {
		e.Reply = replies[len(replies)-1]
	} else {
		c.Close()
	}
	var out checked.Outcome
	out, e.Error = c.outcome(sent, e.Reply, err)
	c.arena.record(e)
	if out != checked.Done || !multi {
		return replies, out
	}
	results, ok := e.Reply.([]any)
	if !ok || len(results) != len(commands) {
		c.arena.find("EXEC of %q: %v", commands, replies)
		return nil, checked.Unknown
	}
	return results, checked.Done
}

// outcome is what the last reply, or an error instead of one, says of commands, and the text
// of either.
func (c *connection) outcome(commands [][]string, last any, err error) (checked.Outcome, string) {
	if err != nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.arena.find("%s does not answer %q within %v", c.node.Name, commands, patience)
		}
		return checked.Unknown, err.Error()
	}
	answer, _ := last.(harness.Error)
	text := string(answer)
	switch {
	case text == "":
		return checked.Done, ""
	case strings.HasPrefix(text, "UNCERTAIN"):
		return checked.Unknown, text
	case !strings.HasPrefix(text, "CLUSTERDOWN"):
		c.arena.find("%s answers %q with %q", c.node.Name, commands, text)
	}
	return checked.Refused, text
}

func (c *connection) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
