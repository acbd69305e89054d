package workload

import (
	"fmt"
	"slices"
	"strconv"

	"holdfast/test/harness"
)

// Verify compares what is there with what the clients were told, and returns all
// findings. The clients have been stopped.
func (l *Load) Verify(addr string) (Findings, error) {
	conn, err := l.options.Dial(addr)
	if err != nil {
		return Findings{}, err
	}
	defer conn.Close()
	for _, c := range l.clients {
		if err := c.verify(conn); err != nil {
			return Findings{}, fmt.Errorf("verify client %s: %w", c.name, err)
		}
	}
	return l.Findings(), nil
}

func (c *client) verify(conn Conn) error {
	replies, err := pipeline(conn, []string{"GET", "count:" + c.name}, []string{"GET", "register:" + c.name})
	if err != nil {
		return err
	}
	count, register := number(replies[0]), number(replies[1])
	least := c.counted.Load()
	if count < least {
		c.load.note(func(f *Findings) { f.Lost += int(least - count) }, "at the end count:%s is %d, but %d had been acknowledged", c.name, count, least)
	}
	if count > least+c.unknown {
		c.duplicated(c.surplus+count-least-c.unknown, "at the end count:%s is %d after %d and %d without an answer", c.name, count, least, c.unknown)
	}
	if register != c.register && !slices.Contains(c.maybe, register) {
		c.load.note(func(f *Findings) { f.Lost++ }, "at the end register:%s is %d, but was set to %d", c.name, register, c.register)
	}
	for rounds := range slices.Chunk(c.leftBehind, 500) {
		if err := c.verifyLeft(conn, rounds); err != nil {
			return err
		}
	}
	return nil
}

// verifyLeft looks at the keys that the client left behind in some of its rounds.
func (c *client) verifyLeft(conn Conn, rounds []int64) error {
	commands := make([][]string, 0, 2*len(rounds))
	for _, round := range rounds {
		commands = append(commands, []string{"GET", c.left(round)})
	}
	if !c.load.options.NoDeadlines {
		for _, round := range rounds {
			commands = append(commands, []string{"TTL", c.left(round)})
		}
	}
	replies, err := pipeline(conn, commands...)
	if err != nil {
		return err
	}
	for i, round := range rounds {
		kept := number(replies[i]) == round
		if len(replies) > len(rounds) {
			ttl, _ := replies[len(rounds)+i].(int64)
			kept = kept && ttl > 0 && ttl <= leftFor
		}
		if !kept {
			c.load.note(func(f *Findings) { f.Lost++ }, "at the end %s is %v", c.left(round), replies[i])
		}
	}
	return nil
}

// pipeline runs commands at once where the connection can do that. An error reply stands
// among the replies.
func pipeline(conn Conn, commands ...[]string) ([]any, error) {
	if c, ok := conn.(interface {
		Pipeline(commands ...[]string) ([]any, error)
	}); ok {
		return c.Pipeline(commands...)
	}
	var replies []any
	for _, args := range commands {
		reply, err := conn.Do(args...)
		if e, ok := err.(harness.Error); ok {
			reply = e
		} else if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

func number(reply any) int64 {
	s, _ := reply.(string)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
