package sim

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/cluster"
	"holdfast/fsm"
	"holdfast/test/history"
)

type outcome = history.Outcome

const done, refused, unknown = history.Done, history.Refused, history.Unknown

// client runs one command at a time, at one host.
type client struct {
	world *world
	host  *host
	id    int // another one after each command whose outcome is unknown
	dice  *rand.Rand

	call, end int64 // of the last command, in microseconds since the start
}

func (w *world) newClient(h *host) *client {
	id := w.clients.Add(1)
	return &client{world: w, host: h, id: int(id), dice: w.dice(1000 + uint64(id))}
}

// do runs a command. A client of a process that has died meanwhile knows nothing.
func (c *client) do(args ...string) (any, outcome) {
	replies, out := c.run(fsm.Request{Calls: []fsm.Call{call(args)}})
	if out != done {
		return nil, out
	}
	return replies, done
}

// transaction runs commands in one MULTI and returns their replies.
func (c *client) transaction(commands ...[]string) ([]any, outcome) {
	request := fsm.Request{Multi: true}
	for _, args := range commands {
		request.Calls = append(request.Calls, call(args))
	}
	reply, out := c.run(request)
	if out != done {
		return nil, out
	}
	return reply.([]any), done
}

func call(args []string) fsm.Call {
	words := make([][]byte, len(args))
	for i, arg := range args {
		words[i] = []byte(arg)
	}
	return fsm.Call{Args: words}
}

func (c *client) run(request fsm.Request) (any, outcome) {
	p := c.host.alive()
	if p == nil {
		time.Sleep(20 * time.Millisecond)
		return nil, refused
	}
	c.host.wait()
	c.world.asked.Add(1)
	c.call = c.world.now()
	var replies []fsm.Reply
	var err error
	if row, lookup := fsm.Lookup(request.Calls[0].Args); lookup == nil && row.Flags&fsm.ReadOnly != 0 && !request.Multi {
		replies, err = p.node.Load().Read(p.ctx, request.Calls, 1)
	} else {
		replies, err = p.node.Load().Write(p.ctx, []fsm.Request{request})
	}
	c.host.wait()
	c.end = c.world.now()
	var coded *cluster.Error
	switch {
	case p.dead.Load() || errors.Is(err, cluster.ErrUncertain):
		c.world.open.Add(1)
		c.id = int(c.world.clients.Add(1))
		return nil, unknown
	case errors.As(err, &coded) && coded.Code() == "CLUSTERDOWN":
		return nil, refused
	case err != nil:
		c.world.find("%s answers %q with %v", c.host.name, request.Calls, err)
		return nil, refused
	}
	value, _ := parse(string(replies[0]))
	if text, ok := value.(error); ok {
		c.world.find("%s answers %q with %v", c.host.name, request.Calls, text)
		return nil, refused
	}
	return value, done
}

// must runs a command that has to have an answer: everything is mended.
func (c *client) must(args ...string) any {
	for began := time.Now(); time.Since(began) < recovery; {
		if reply, out := c.do(args...); out == done {
			return reply
		}
	}
	c.world.find("%q has no answer although everything is mended", args)
	return nil
}

// parse takes a reply apart: nil, an int64, a string, a list of them, or an error.
func parse(s string) (value any, rest string) {
	line, rest, _ := strings.Cut(s, "\r\n")
	switch line[0] {
	case ':':
		return integer(line[1:]), rest
	case '+':
		return line[1:], rest
	case '-':
		return errors.New(line[1:]), rest
	}
	n := int(integer(line[1:]))
	switch {
	case n < 0:
		return nil, rest
	case line[0] == '$':
		return rest[:n], rest[n+2:]
	}
	list := make([]any, n)
	for i := range list {
		list[i], rest = parse(rest)
	}
	return list, rest
}
