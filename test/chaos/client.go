package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/test/harness"
	"holdfast/test/history"
)

type outcome = history.Outcome

const done, refused, unknown = history.Done, history.Refused, history.Unknown

// client runs one command at a time, at one node.
type client struct {
	arena *arena
	node  *harness.Node
	name  string
	id    int64 // another one after each command whose outcome is unknown
	dice  *rand.Rand
	conn  *harness.Conn

	napped bool // it has just been silent for a while: it reads, where it can

	call, end int64 // of the last command, in microseconds since the start
}

func (a *arena) newClient(n *harness.Node, seed uint64) *client {
	id := a.clients.Add(1)
	return &client{arena: a, node: n, name: fmt.Sprint(id), id: id, dice: rand.New(rand.NewPCG(seed, uint64(id)))}
}

// patience is longer than any node may take for an answer, also one that was paused.
const patience = 45 * time.Second

// do runs a command. An answer is an error reply only where the node says that the
// command did not run or that it does not know; any other is a finding.
func (c *client) do(args ...string) (any, outcome) {
	replies, out := c.pipeline(args)
	if out != done {
		return nil, out
	}
	return replies[0], done
}

// transaction runs commands in one MULTI and returns their replies.
func (c *client) transaction(commands ...[]string) ([]any, outcome) {
	all := append([][]string{{"MULTI"}}, commands...)
	replies, out := c.pipeline(append(all, []string{"EXEC"})...)
	if out != done {
		return nil, out
	}
	results, ok := replies[len(replies)-1].([]any)
	if !ok || len(results) != len(commands) {
		c.arena.find("EXEC of %q: %v", commands, replies)
		return nil, unknown
	}
	return results, done
}

// pipeline sends commands at once and judges them by the last of their replies.
func (c *client) pipeline(commands ...[]string) (replies []any, out outcome) {
	if c.conn == nil {
		conn, err := c.node.Dial()
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			return nil, refused
		}
		c.conn = conn
	}
	c.arena.asked.Add(1)
	e := event{Client: c.id, Node: c.node.Name}
	for _, args := range commands {
		e.Args = append(e.Args, args...)
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	begun := time.Now()
	replies, err := c.conn.Pipeline(commands...)
	c.call, c.end = c.arena.since(begun), c.arena.since(time.Now())
	e.Call, e.End = c.call, c.end
	var answer harness.Error
	if err == nil {
		answer, _ = replies[len(replies)-1].(harness.Error)
		e.Reply = replies[len(replies)-1]
	}
	switch {
	case err != nil:
		e.Error = err.Error()
		c.conn.Close()
		c.conn = nil
		out = unknown
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.arena.find("%s does not answer %q within %v", c.node.Name, commands, patience)
		}
	case strings.HasPrefix(string(answer), "UNCERTAIN"):
		e.Error, out = string(answer), unknown
	case strings.HasPrefix(string(answer), "CLUSTERDOWN"):
		e.Error, out = string(answer), refused
	case answer != "":
		e.Error, out = string(answer), refused
		c.arena.find("%s answers %q with %q", c.node.Name, commands, string(answer))
	}
	c.arena.record(e)
	if out == unknown {
		c.arena.open.Add(1)
		c.id = c.arena.clients.Add(1)
	}
	return replies, out
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

// must runs a command that has to have an answer: everything is mended.
func (c *client) must(args ...string) (any, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		reply, out := c.do(args...)
		if out == done {
			return reply, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%q has no answer although everything is mended", args)
		}
	}
}

// list is a reply that is an array of texts.
func list(reply any) []string {
	elements, _ := reply.([]any)
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i], _ = element.(string)
	}
	return texts
}
