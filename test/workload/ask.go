package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"holdfast/test/harness"
)

// answerTimeout is how long a node that was woken may take to answer.
const answerTimeout = 30 * time.Second

// Ask puts questions, a connection each, to a node that stands still: its kernel takes
// them, and they are the first that the node reads when it wakes and does not know yet
// that the world went on. answers waits for the replies after that, and books those that
// are behind what had been acknowledged when Ask was called. An error reply is excused.
func (l *Load) Ask(addr string, questions int) (answers func() error, err error) {
	type question struct {
		conn  *harness.Conn
		name  string
		least int64
	}
	var asked []question
	hangUp := func() {
		for _, q := range asked {
			q.conn.Close()
		}
	}
	for range questions {
		other := l.clients[rand.IntN(len(l.clients))]
		least := other.counted.Load()
		conn, err := harness.Dial(addr)
		if err == nil {
			asked = append(asked, question{conn, other.name, least})
			err = conn.Send("GET", "count:"+other.name)
		}
		if err != nil {
			hangUp()
			return nil, fmt.Errorf("ask %s: %w", addr, err)
		}
	}
	return func() error {
		defer hangUp()
		for _, q := range asked {
			q.conn.SetReadDeadline(time.Now().Add(answerTimeout))
			reply, err := q.conn.Receive()
			var refused harness.Error
			switch {
			case errors.As(err, &refused):
				l.note(func(f *Findings) { f.Excused++ }, "")
				continue
			case err != nil:
				return fmt.Errorf("question to %s from before it woke: %w", addr, err)
			}
			text, _ := reply.(string)
			got, _ := strconv.ParseInt(text, 10, 64)
			l.note(func(f *Findings) { f.Reads++ }, "")
			if got < q.least {
				l.note(func(f *Findings) { f.Stale++ }, "GET count:%s at %s, which stood still: %d, but %d had been acknowledged", q.name, addr, got, q.least)
			}
		}
		return nil
	}, nil
}
