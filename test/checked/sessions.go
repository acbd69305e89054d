package checked

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/test/history"
)

// sessions are tokens that are set once with a TTL, prolonged now and then, and asked for
// by everybody until well after their end. None may end early, and none may come back.
type sessions struct {
	mu         sync.Mutex
	last       int64
	alive      []token
	operations []porcupine.Operation
}

type token struct {
	key     string
	value   int64
	dropped time.Time // when nobody asks for it any more
}

// MaxTTL is the longest of a key that clients leave behind.
const MaxTTL = 12 * time.Second

const (
	tokensAtATime = 30
	minTokenTTL   = 300 * time.Millisecond
	afterlife     = 4 * time.Second
)

func (s *sessions) step(c *Client) {
	ttl := minTokenTTL + time.Duration(c.dice.Int64N(int64(MaxTTL-minTokenTTL)))
	op := history.Op{TTL: ttl.Milliseconds() * 1000}
	t := s.choose(c)
	switch n := c.dice.IntN(100); {
	case t == nil:
		op.Name = "SET"
		t = s.issue(ttl)
		op.Value = t.value
	case n < 70 || c.napped:
		op.Name = "GET"
	case n < 90:
		op.Name = "PTTL"
	default:
		op.Name = "PEXPIRE"
		s.prolong(t.key, ttl)
	}
	op.Key = t.key
	operation, ok := keep(c, op)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.operations = append(s.operations, operation)
}

// choose returns a token to ask for, nil if it is time for another one.
func (s *sessions) choose(c *Client) *token {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.alive[:0]
	for _, t := range s.alive {
		if time.Now().Before(t.dropped) {
			kept = append(kept, t)
		}
	}
	s.alive = kept
	if len(s.alive) < tokensAtATime {
		return nil
	}
	t := s.alive[c.dice.IntN(len(s.alive))]
	return &t
}

func (s *sessions) issue(ttl time.Duration) *token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	t := token{fmt.Sprintf("session:%d", s.last), s.last * 1000, time.Now().Add(ttl + afterlife)}
	s.alive = append(s.alive, t)
	return &t
}

func (s *sessions) prolong(key string, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.alive {
		if s.alive[i].key == key {
			s.alive[i].dropped = time.Now().Add(ttl + afterlife)
		}
	}
}

func (s *sessions) judge(c *Client) error {
	// Everybody who was ever there is asked for once more.
	for i := int64(1); i <= s.last; i++ {
		if operation, ok := keep(c, history.Op{Name: "GET", Key: fmt.Sprintf("session:%d", i)}); ok {
			s.operations = append(s.operations, operation)
		}
	}
	if err := history.CheckSkewed(s.operations, c.Skew, checkTime); err != nil {
		c.Find("sessions: %v", err)
	}
	return nil
}
