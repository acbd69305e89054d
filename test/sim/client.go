package sim

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/cluster"
	"holdfast/fsm"
	"holdfast/test/checked"
)

// crowd lets clients of every workload loose on every host until stop is closed.
func (w *world) crowd(workloads []checked.Workload, stop <-chan struct{}) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, load := range workloads {
		for _, h := range w.hosts {
			c := w.newClient(h)
			running.Go(func() { c.Live(load, 40*time.Millisecond, stop) })
		}
	}
	return &running
}

func (w *world) newClient(h *host) *checked.Client { return w.book.NewClient(h.name, h) }

// Run runs commands in the host's process. A client of one that dies meanwhile knows
// nothing.
func (h *host) Run(c *checked.Client, multi bool, commands ...[]string) ([]any, checked.Outcome) {
	p := h.alive()
	if p == nil {
		time.Sleep(20 * time.Millisecond)
		return nil, checked.Refused
	}
	h.wait()
	replies, out := h.ask(p, c, multi, commands)
	h.world.asked(question{c.Call, c.End, c.Name, h.name, commands, replies, out})
	return replies, out
}

func (h *host) ask(p *process, c *checked.Client, multi bool, commands [][]string) ([]any, checked.Outcome) {
	request := fsm.Request{Multi: multi}
	for _, args := range commands {
		request.Calls = append(request.Calls, call(args))
	}
	c.Asked.Add(1)
	c.Call = c.At(time.Now())
	reply, err := p.run(request)
	h.wait()
	c.End = c.At(time.Now())
	var coded *cluster.Error
	switch {
	case p.dead.Load() || errors.Is(err, cluster.ErrUncertain):
		return nil, checked.Unknown
	case errors.As(err, &coded) && coded.Code() == "CLUSTERDOWN":
		return nil, checked.Refused
	case err != nil:
		c.Find("%s answers %q with %v", h.name, commands, err)
		return nil, checked.Refused
	}
	value, _ := parse(string(reply))
	if text, ok := value.(error); ok {
		c.Find("%s answers %q with %v", h.name, commands, text)
		return nil, checked.Refused
	}
	if multi {
		return value.([]any), checked.Done
	}
	return []any{value}, checked.Done
}

func (p *process) run(request fsm.Request) (fsm.Reply, error) {
	var replies []fsm.Reply
	var err error
	if row, unknown := fsm.Lookup(request.Calls[0].Args); unknown == nil && row.Flags&fsm.ReadOnly != 0 && !request.Multi {
		replies, err = p.node.Load().Read(p.ctx, request.Calls, 1)
	} else {
		replies, err = p.node.Load().Write(p.ctx, []fsm.Request{request})
	}
	if err != nil {
		return nil, err
	}
	return replies[0], nil
}

// Close ends nothing: a host has no connections.
func (h *host) Close() {}

func call(args []string) fsm.Call {
	words := make([][]byte, len(args))
	for i, arg := range args {
		words[i] = []byte(arg)
	}
	return fsm.Call{Args: words}
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

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
