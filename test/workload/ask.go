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

// Questions are put to a node that stands still: its kernel takes them, and they are the
// first that the node reads when it wakes and does not know yet that the world went on.
type Questions struct {
	load  *Load
	addr  string
	asked []question
}

type question struct {
	conn   *harness.Conn
	client *client
	least  int64 // the counter as acknowledged when the question was put
}

// Prepare opens a connection for each question while the node runs, so that later nothing
// stands between it and the questions. They are about clients of the other nodes.
func (l *Load) Prepare(addr string, questions int) (*Questions, error) {
	q := &Questions{load: l, addr: addr}
	var elsewhere []*client
	for _, c := range l.clients {
		if c.target.addr != addr {
			elsewhere = append(elsewhere, c)
		}
	}
	for range questions {
		dialled, err := l.options.Dial(addr)
		if err == nil {
			conn := dialled.(*harness.Conn) // on another kind nobody asks and answers later
			q.asked = append(q.asked, question{conn: conn, client: elsewhere[rand.IntN(len(elsewhere))]})
			_, err = conn.Do("PING")
		}
		if err != nil {
			q.Close()
			return nil, fmt.Errorf("prepare questions to %s: %w", addr, err)
		}
	}
	return q, nil
}

// Ask sends the questions.
func (q *Questions) Ask() error {
	for i := range q.asked {
		a := &q.asked[i]
		a.least = a.client.counted.Load()
		if err := a.conn.Send("GET", "count:"+a.client.name); err != nil {
			return fmt.Errorf("ask %s: %w", q.addr, err)
		}
	}
	return nil
}

// Answers waits for the replies, and books those that are behind what had been
// acknowledged when Ask was called. An error reply is excused.
func (q *Questions) Answers() error {
	for _, a := range q.asked {
		a.conn.SetReadDeadline(time.Now().Add(answerTimeout))
		reply, err := a.conn.Receive()
		var refused harness.Error
		switch {
		case errors.As(err, &refused):
			q.load.note(func(f *Findings) { f.Excused++ }, "")
			continue
		case err != nil:
			return fmt.Errorf("question to %s from before it woke: %w", q.addr, err)
		}
		text, _ := reply.(string)
		got, _ := strconv.ParseInt(text, 10, 64)
		q.load.note(func(f *Findings) { f.Reads++ }, "")
		if got < a.least {
			q.load.note(func(f *Findings) { f.Stale++ }, "GET count:%s at %s, which stood still: %d, but %d had been acknowledged", a.client.name, q.addr, got, a.least)
		}
	}
	return nil
}

// Close ends the connections.
func (q *Questions) Close() {
	for _, a := range q.asked {
		a.conn.Close()
	}
}
