// Package checked has clients whose answers are judged: what they do, and what must be true
// of the answers of a store that does one thing at a time, loses nothing and does nothing
// twice. They run against processes on real machines (test/chaos), and against clusters in
// virtual time (test/sim).
package checked

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"holdfast/test/history"
)

// Outcome is what a client knows of what it has asked for.
type Outcome = history.Outcome

const Done, Refused, Unknown = history.Done, history.Refused, history.Unknown

// Conn is a client's way to one node. A reply is nil, an int64, a string, or a list of
// replies.
type Conn interface {
	// Run runs one command, or several at once if multi is set, and returns as many
	// replies if it is Done. It sets the client's Call and End. An answer that no client
	// should get is for it to tell.
	Run(c *Client, multi bool, commands ...[]string) ([]any, Outcome)
	Close()
}

// Book is what clients of a cluster have in common. Clients may use it at the same time.
type Book struct {
	Start time.Time
	Seed  uint64
	// Skew is by how much a deadline may be early or late, as it is of the clock of the leader
	// that set it and passes by that of another. It counts when all is judged.
	Skew time.Duration
	// Find is told what must not be.
	Find func(format string, args ...any)
	// Asked counts questions, Open those of an unknown outcome.
	Asked, Open atomic.Int64

	numbers atomic.Int64
}

// At is a moment in microseconds since the start.
func (b *Book) At(t time.Time) int64 { return t.Sub(b.Start).Microseconds() }

// Client asks one question at a time, of one node.
type Client struct {
	*Book
	Node string // its name
	Name string // of the client
	ID   int64  // at first the name; another one after each Unknown, as that may end later

	Call, End int64 // of the last question, in microseconds since the start

	conn   Conn
	dice   *rand.Rand
	napped bool // it has just been silent for a while: it reads, where it can
}

// NewClient returns one whose dice depend on the seed and on how many there were before.
func (b *Book) NewClient(node string, conn Conn) *Client {
	id := b.numbers.Add(1)
	return &Client{Book: b, Node: node, Name: fmt.Sprint(id), ID: id, conn: conn, dice: rand.New(rand.NewPCG(b.Seed, 1000+uint64(id)))}
}

// Do runs a command.
func (c *Client) Do(args ...string) (any, Outcome) {
	replies, out := c.run(false, args)
	if out != Done {
		return nil, out
	}
	return replies[0], Done
}

// transaction runs commands in one MULTI and returns their replies.
func (c *Client) transaction(commands ...[]string) ([]any, Outcome) {
	return c.run(true, commands...)
}

func (c *Client) run(multi bool, commands ...[]string) ([]any, Outcome) {
	replies, out := c.conn.Run(c, multi, commands...)
	if out == Unknown {
		c.Open.Add(1)
		c.ID = c.numbers.Add(1)
	}
	return replies, out
}

// mustTime is how long a command may have no answer although everything is mended.
const mustTime = 30 * time.Second

// Must runs a command that has to have an answer: everything is mended.
func (c *Client) Must(args ...string) (any, error) {
	for deadline := time.Now().Add(mustTime); ; {
		reply, out := c.Do(args...)
		if out == Done {
			return reply, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%q has no answer within %v although everything is mended", args, mustTime)
		}
	}
}

// Close ends the client's connection.
func (c *Client) Close() { c.conn.Close() }

// list is a reply that is an array of texts.
func list(reply any) []string {
	elements, _ := reply.([]any)
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i], _ = element.(string)
	}
	return texts
}
