package sim

import (
	"fmt"
	"sync"
	"time"
)

// sessions are tokens that are set once with a TTL and asked for by everybody until well
// after their end. None may end early by more than the clocks are apart, and none may come
// back or stay.
type sessions struct {
	mu     sync.Mutex
	last   int
	tokens []*token
}

// token is one session, with what is known of it. Times are microseconds since the start.
type token struct {
	key              string
	value            int64
	earliest, latest int64 // of its end; latest is 0 while nobody knows that it has been set
	gone             int64 // when somebody was first answered that it is, 0 if nobody was
}

const (
	tokensAtATime = 10
	minTokenTTL   = 300 * time.Millisecond
	maxTokenTTL   = 8 * time.Second
	afterlife     = 4 * time.Second

	// maxSkew is how far two clocks are apart at most. A deadline is of the clock of the
	// leader that set it, and passes by that of another.
	maxSkew = 200 * time.Millisecond
	slack   = int64(maxSkew/time.Microsecond) + 2000 // and nodes count in milliseconds
)

func (s *sessions) step(c *client) {
	t, fresh := s.choose(c)
	if fresh {
		ttl := minTokenTTL + time.Duration(c.dice.Int64N(int64(maxTokenTTL-minTokenTTL)))
		ttl = ttl.Truncate(time.Millisecond)
		_, out := c.do("SET", t.key, fmt.Sprint(t.value), "PX", fmt.Sprint(ttl.Milliseconds()))
		s.mu.Lock()
		defer s.mu.Unlock()
		t.earliest = c.call + ttl.Microseconds()
		if out == done {
			t.latest = c.end + ttl.Microseconds()
		}
		s.tokens = append(s.tokens, t)
		return
	}
	s.ask(c, t)
}

// ask reads a token and compares the answer with what is known.
func (s *sessions) ask(c *client, t *token) {
	s.mu.Lock()
	gone := t.gone // before the question
	s.mu.Unlock()
	reply, out := c.do("GET", t.key)
	if out != done {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case reply != nil && reply != fmt.Sprint(t.value):
		c.world.find("sessions: %s is %v, want %d", t.key, reply, t.value)
	case t.latest == 0: // it may be set yet, or never
	case reply == nil && c.end < t.earliest-slack:
		c.world.find("sessions: %s is gone %d µs before its end, as %s says", t.key, t.earliest-c.end, c.host.name)
	case reply != nil && gone != 0:
		c.world.find("sessions: %s is there again, as %s says, and was gone %d µs before", t.key, c.host.name, c.call-gone)
	case reply != nil && c.call > t.latest+slack:
		c.world.find("sessions: %s is there %d µs after its end, as %s says", t.key, c.call-t.latest, c.host.name)
	case reply == nil && t.gone == 0:
		t.gone = c.end
	}
}

// choose returns a token to ask for, or a fresh one to set.
func (s *sessions) choose(c *client) (t *token, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.world.now()
	var asked []*token
	for _, t := range s.tokens[max(0, len(s.tokens)-5*tokensAtATime):] {
		if now < max(t.earliest, t.latest)+afterlife.Microseconds() {
			asked = append(asked, t)
		}
	}
	if len(asked) >= tokensAtATime && c.dice.IntN(20) > 0 {
		return asked[c.dice.IntN(len(asked))], false
	}
	s.last++
	return &token{key: fmt.Sprintf("session:%d", s.last), value: int64(s.last)}, true
}

func (s *sessions) judge(c *client) {
	for _, t := range s.tokens {
		s.ask(c, t)
	}
}
