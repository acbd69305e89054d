package test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/test/harness"
)

// goClient is a client library, connected to one node as the user "default" with the
// name "app" to database 3, which sends nothing a second time by itself.
type goClient interface {
	commands(ctx context.Context) error // checks what the library is there for
	incr(ctx context.Context, key string) (int64, error)
	pipeline(ctx context.Context, key string, times int) error // INCRs in one pipeline
	info(ctx context.Context) (string, error)                  // CLIENT INFO
	close()
}

var goClients = []struct {
	name     string
	protocol int
	open     func(addr, password string, protocol int) (goClient, error)
}{
	{"go-redis", 2, openGoRedis},
	{"go-redis", 3, openGoRedis},
	{"redigo", 2, openRedigo},
	{"rueidis", 2, openRueidis},
	{"rueidis", 3, openRueidis},
}

// clientPatience is long: how long a pause is, is another test's subject.
const clientPatience = 20 * time.Second

// The clients of Go do their handshake and their commands at every node, with user and
// password, and count exactly while the leader is killed.
func TestGoClients(t *testing.T) {
	t.Parallel()
	const password = "secret"
	c := start(t, "--requirepass", password)
	for _, n := range c.Nodes {
		n.Password = password
	}
	for _, library := range goClients {
		t.Run(fmt.Sprintf("%s RESP%d", library.name, library.protocol), func(t *testing.T) {
			clients := map[*harness.Node]goClient{}
			for _, n := range c.Nodes {
				client, err := library.open(n.Addr, password, library.protocol)
				if err != nil {
					t.Fatalf("%s: %v", n.Name, err)
				}
				defer client.close()
				clients[n] = client
				info, err := client.info(t.Context())
				if want := fmt.Sprintf(" resp=%d ", library.protocol); err != nil || !strings.Contains(info, want) ||
					!strings.Contains(info, " name=app ") || !strings.Contains(info, " db=3 ") {
					t.Errorf("%s: CLIENT INFO %q, %v", n.Name, info, err)
				}
				if err := client.commands(t.Context()); err != nil {
					t.Errorf("%s: %v", n.Name, err)
				}
			}
			if client, err := library.open(c.Nodes[0].Addr, "wrong", library.protocol); err == nil {
				if _, err = client.info(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
					t.Errorf("with a wrong password: %v", err)
				}
				client.close()
			} else if !strings.Contains(err.Error(), "WRONGPASS") {
				t.Errorf("with a wrong password: %v", err)
			}
			countThroughKill(t, c, clients)
		})
	}
	agree(t, c)
}

// countThroughKill counts through clients of the survivors while the leader is killed,
// and starts it again.
func countThroughKill(t *testing.T, c *harness.Cluster, clients map[*harness.Node]goClient) {
	dying, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	const rounds, pipeline = 20, 15 // rounds before the kill, and of each worker after it
	var done, acknowledged atomic.Int64
	var dead atomic.Bool
	enough := make(chan struct{})
	work, ctx := errgroup.WithContext(t.Context())
	key := fmt.Sprintf("counter:%d", time.Now().UnixNano())
	for _, n := range c.Others(dying) {
		for range 2 {
			work.Go(func() error {
				for left := rounds; left > 0; {
					if dead.Load() {
						left--
					}
					if _, err := clients[n].incr(ctx, key); err != nil {
						return fmt.Errorf("INCR at %s: %w", n.Name, err)
					}
					if err := clients[n].pipeline(ctx, key, pipeline); err != nil {
						return fmt.Errorf("pipeline at %s: %w", n.Name, err)
					}
					acknowledged.Add(1 + pipeline)
					if done.Add(1) == rounds {
						close(enough)
					}
				}
				return nil
			})
		}
	}
	work.Go(func() error {
		defer dead.Store(true)
		select {
		case <-enough:
			return dying.Kill()
		case <-ctx.Done():
			return nil
		}
	})
	if err := work.Wait(); err != nil {
		t.Error(err)
	}
	for _, n := range c.Others(dying) {
		if count, err := clients[n].incr(t.Context(), key); err != nil || count != acknowledged.Add(1) {
			t.Errorf("the counter is %d at %s, want %d, %v", count, n.Name, acknowledged.Load(), err)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
}

// checks collects what is not as it should be.
type checks []error

func (c *checks) equal(what string, got, want any, err error) {
	if fmt.Sprint(got) != fmt.Sprint(want) || err != nil {
		*c = append(*c, fmt.Errorf("%s: got %v, want %v, %v", what, got, want, err))
	}
}

// left checks a TTL in seconds that may have run for a while.
func (c *checks) left(what string, got, want int64, err error) {
	if got > want || got < want-10 || err != nil {
		*c = append(*c, fmt.Errorf("%s: %d s are left of %d, %v", what, got, want, err))
	}
}

// fails checks that an error is the server's.
func (c *checks) fails(what string, err error, want string) {
	if err == nil || err.Error() != want {
		*c = append(*c, fmt.Errorf("%s: error %v, want %s", what, err, want))
	}
}

const errNotInteger = "ERR value is not an integer or out of range"

// manyKeys are more than one page of SCAN, in order.
func manyKeys() []string {
	var keys []string
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("many:%d", i))
	}
	slices.Sort(keys)
	return keys
}
