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
	conn, err := harness.Dial(addr)
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

func (c *client) verify(conn *harness.Conn) error {
	replies, err := conn.Pipeline([]string{"GET", "count:" + c.name}, []string{"GET", "register:" + c.name})
	if err != nil {
		return err
	}
	count, register := number(replies[0]), number(replies[1])
	least := c.counted.Load()
	if count < least {
		c.load.note(func(f *Findings) { f.Lost++ }, "at the end count:%s is %d, but %d had been acknowledged", c.name, count, least)
	}
	if count > least+c.unknown {
		c.load.note(func(f *Findings) { f.Duplicated++ }, "at the end count:%s is %d after %d and %d without an answer", c.name, count, least, c.unknown)
	}
	if register != c.register && !slices.Contains(c.maybe, register) {
		c.load.note(func(f *Findings) { f.Lost++ }, "at the end register:%s is %d, but was set to %d", c.name, register, c.register)
	}
	for rounds := range slices.Chunk(c.leftBehind, 500) {
		var commands [][]string
		for _, round := range rounds {
			commands = append(commands, []string{"GET", c.left(round)}, []string{"TTL", c.left(round)})
		}
		replies, err := conn.Pipeline(commands...)
		if err != nil {
			return err
		}
		for i, round := range rounds {
			ttl, _ := replies[2*i+1].(int64)
			if number(replies[2*i]) != round || ttl <= 0 || ttl > 3600 {
				c.load.note(func(f *Findings) { f.Lost++ }, "at the end %s is %v with TTL %d", c.left(round), replies[2*i], ttl)
			}
		}
	}
	return nil
}

func number(reply any) int64 {
	s, _ := reply.(string)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
