package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/test/checked"
)

// token is a key with a TTL, and when it was set: between two moments.
type token struct {
	key       string
	call, end time.Time
}

const tokenTTL = 3 * time.Second

// holds reports what is wrong with a token, nil if it is there as long as it may be and no
// longer.
func (k token) holds(c *checked.Client, bound time.Duration) error {
	asked := time.Now()
	reply, err := c.Must("GET", k.key)
	switch {
	case err != nil:
		return err
	case reply == nil && time.Since(k.call) < tokenTTL-bound:
		return fmt.Errorf("%s has ended %v after it was set", k.key, time.Since(k.call))
	case reply != nil && asked.Sub(k.end) > tokenTTL+bound:
		return fmt.Errorf("%s is there %v after it was set", k.key, asked.Sub(k.end))
	}
	return nil
}

// ask sets a token and asks for earlier ones, at one node after another, until a duration
// has passed.
func ask(w *world, hosts []*host, duration, bound time.Duration) {
	over := token{key: "over", call: time.Now().Add(-tokenTTL), end: time.Now().Add(-time.Hour)}
	var tokens []token
	for i, began := 0, time.Now(); time.Since(began) < duration; i++ {
		c := w.newClient(hosts[i%len(hosts)])
		k := token{key: fmt.Sprintf("token:%d", i), call: time.Now()}
		if _, err := c.Must("SET", k.key, "1", "PX", fmt.Sprint(tokenTTL.Milliseconds())); err != nil {
			w.find("%v", err)
			return
		}
		k.end = time.Now()
		tokens = append(tokens, k)
		for _, k := range []token{over, tokens[0], tokens[len(tokens)*3/5], tokens[len(tokens)*4/5]} {
			if err := k.holds(c, bound); err != nil {
				w.find("%v", err)
			}
		}
		if time.Since(tokens[0].end) > tokenTTL+2*bound {
			tokens = tokens[1:]
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A clock that is an hour off ends no key early, keeps none, and brings none back. Its node
// does not go on leading, and leadership does not wander.
func TestWrongClock(t *testing.T) {
	tests := []struct {
		name     string
		nodes    int
		follower bool // it is a follower's clock, else the leader's
		down     bool // another follower is down
		by       time.Duration
		moves    int // of leadership
	}{
		{name: "the leader's, ahead", nodes: 3, by: time.Hour, moves: 1},
		{name: "the leader's, behind", nodes: 3, by: -time.Hour, moves: 1},
		{name: "the leader's of five, ahead", nodes: 5, by: time.Hour, moves: 1},
		{name: "the leader's of five, behind", nodes: 5, by: -time.Hour, moves: 1},
		{name: "a follower's, ahead", nodes: 3, by: time.Hour, follower: true},
		{name: "a follower's, behind", nodes: 3, by: -time.Hour, follower: true},
		{name: "the leader's, ahead, a follower is down", nodes: 3, by: time.Hour, down: true, moves: 1},
		{name: "the leader's, behind, a follower is down", nodes: 3, by: -time.Hour, down: true, moves: 1},
		{name: "the leader's, as far as it may be", nodes: 3, by: 490 * time.Millisecond},
		{name: "the leader's, further than it may be", nodes: 3, by: -510 * time.Millisecond, moves: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, test.nodes, plants{})
				defer w.close()
				for _, h := range w.hosts {
					h.run()
				}
				w.ready()
				leader := w.leader(0)
				running := append([]*host{leader}, w.others(leader)...)
				if test.down {
					w.others(leader)[1].kill(false)
					running = running[:2]
				}
				const bound = time.Second // MaxClockSkew
				w.newClient(leader).Must("SET", "over", "1", "PX", "1")
				ask(w, running, 5*time.Second, 50*time.Millisecond)

				before := w.log.failovers()
				if test.follower {
					running[1].mislead(test.by)
				} else {
					leader.mislead(test.by)
				}
				ask(w, running, 2*time.Second, bound)
				if moves := w.log.failovers() - before; moves != test.moves {
					t.Errorf("leadership moved %d times within two seconds, want %d", moves, test.moves)
				}
				ask(w, running, 15*time.Second, bound)
				if moves := w.log.failovers() - before; moves != test.moves {
					t.Errorf("leadership moved %d times in all, want %d", moves, test.moves)
				}
				for _, text := range w.found() {
					t.Error(text)
				}
			})
		})
	}
}
