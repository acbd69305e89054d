package resp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/fsm"
)

// TestPipelineGroups sends one pipeline in one piece and looks at what the Store got.
func TestPipelineGroups(t *testing.T) {
	store := newMemoryStore()
	_, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	var b strings.Builder
	for i := range 40 {
		b.WriteString(command("SET", fmt.Sprint("k", i), fmt.Sprint("v", i)))
	}
	for i := range 16 {
		b.WriteString(command("GET", fmt.Sprint("k", i)))
	}
	b.WriteString(command("INCR", "n"))
	b.WriteString(command("GET", "n"))
	b.WriteString(command("PING"))
	b.WriteString(command("GET", "n"))
	b.WriteString(command("GET", "n", "too many"))
	b.WriteString(command("DEL", "n"))
	c.send(b.String())
	for range 40 {
		wantReply(t, c, "+OK\r\n")
	}
	for i := range 16 {
		v := fmt.Sprint("v", i)
		wantReply(t, c, fmt.Sprintf("$%d\r\n%s\r\n", len(v), v))
	}
	for _, want := range []string{":1\r\n", "$1\r\n1\r\n", "+PONG\r\n", "$1\r\n1\r\n",
		"-ERR wrong number of arguments for 'get' command\r\n", ":1\r\n"} {
		wantReply(t, c, want)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	var groups []int
	for _, group := range store.groups {
		groups = append(groups, len(group))
	}
	if want := []int{40, 1, 1}; !slices.Equal(groups, want) {
		t.Errorf("groups written: %v, want %v", groups, want)
	}
	if want := []int{16, 1, 1}; !slices.Equal(store.reads, want) {
		t.Errorf("batches read: %v, want %v", store.reads, want)
	}
}

func wantReply(t *testing.T, c *testClient, want string) {
	t.Helper()
	if got := c.reply(); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestPipelineBounds: a pipeline without end reaches the Store in groups that are bounded
// by commands and by bytes.
func TestPipelineBounds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.GroupCommands, cfg.GroupBytes = 10, 1024
	store := newMemoryStore()
	_, address := serve(t, cfg, store)
	c := dial(t, address)
	long := strings.Repeat("x", 400)
	c.send(strings.Repeat(command("SET", "k", "v"), 25) + strings.Repeat(command("SET", "k", long), 5) +
		command("SET", "k", strings.Repeat("x", 3000)))
	for range 31 {
		wantReply(t, c, "+OK\r\n")
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	for _, group := range store.groups {
		if len(group) > 10 {
			t.Errorf("a group of %d commands", len(group))
		}
	}
	if last := store.groups[len(store.groups)-1]; len(last) != 1 {
		t.Errorf("the command longer than a group went with %d others", len(last)-1)
	}
}

// TestLongReplies: no more replies are made than can be written soon, even where a
// thousand short ones came before.
func TestLongReplies(t *testing.T) {
	store := newMemoryStore()
	_, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	c.want("+OK\r\n", "SET", "k", strings.Repeat("x", 1<<20))
	go c.Write([]byte(strings.Repeat(command("GET", "none"), 1000) + strings.Repeat(command("GET", "k"), 200)))
	for range 1000 {
		wantReply(t, c, "$-1\r\n")
	}
	for range 200 {
		if n := len(c.reply()); n != 1<<20+12 {
			t.Fatalf("a reply of %d bytes", n)
		}
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if store.most > 3<<20 {
		t.Errorf("%d bytes of replies were made at once", store.most)
	}
}

// SORT is a read unless it stores: it does not go through the log.
func TestSortReads(t *testing.T) {
	store := newMemoryStore()
	_, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	c.do("RPUSH", "l", "2", "1")
	before := store.Status().AppliedIndex
	const sorted = "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
	c.want(sorted, "SORT", "l")
	c.want("*2\r\n$1\r\n2\r\n$1\r\n1\r\n", "SORT", "l", "GET", "#", "BY", "store")
	c.want("+OK\r\n", "MULTI")
	c.want("+QUEUED\r\n", "SORT", "l")
	c.want("*1\r\n"+sorted, "EXEC")
	c.want("-ERR syntax error\r\n", "SORT", "l", "STORE")
	if after := store.Status().AppliedIndex; after != before {
		t.Errorf("entry %d after entry %d", after, before)
	}
	c.want(":2\r\n", "SORT", "l", "store", "d")
	if after := store.Status().AppliedIndex; after == before {
		t.Error("SORT with STORE has left no entry")
	}
}

func TestReadOnly(t *testing.T) {
	store := newMemoryStore()
	_, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	local := func() int { store.mu.Lock(); defer store.mu.Unlock(); return store.local }
	c.want("+OK\r\n", "SET", "k", "v")
	c.want("$1\r\nv\r\n", "GET", "k")
	if local() != 0 {
		t.Error("a read was local without READONLY")
	}
	c.want("+OK\r\n", "READONLY")
	c.want("$1\r\nv\r\n", "GET", "k")
	if local() != 1 {
		t.Error("a read was not local after READONLY")
	}
	c.want("+OK\r\n", "READWRITE")
	c.want("$1\r\nv\r\n", "GET", "k")
	if local() != 1 {
		t.Error("a read was local after READWRITE")
	}
}

func TestDatabases(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	c := dial(t, address)
	c.send(command("SET", "k", "0") + command("SELECT", "1") + command("SET", "k", "1") + command("GET", "k") +
		command("SELECT", "0") + command("GET", "k"))
	for _, want := range []string{"+OK\r\n", "+OK\r\n", "+OK\r\n", "$1\r\n1\r\n", "+OK\r\n", "$1\r\n0\r\n"} {
		wantReply(t, c, want)
	}
	if info := c.do("INFO", "keyspace"); !strings.Contains(info, "db0:keys=1,expires=0,avg_ttl=0\r\ndb1:keys=1,") {
		t.Errorf("INFO keyspace: %q", info)
	}
}

// brokenStore fails every call with an error.
type brokenStore struct {
	*memoryStore
	err error
}

func (s brokenStore) Write(context.Context, []fsm.Request) ([]fsm.Reply, error)  { return nil, s.err }
func (s brokenStore) Read(context.Context, []fsm.Call, int) ([]fsm.Reply, error) { return nil, s.err }

type codedError struct{ code, text string }

func (e codedError) Code() string  { return e.code }
func (e codedError) Error() string { return e.text }

func TestStoreErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{codedError{"CLUSTERDOWN", "no leader"}, "-CLUSTERDOWN no leader\r\n"},
		{fmt.Errorf("write: %w", codedError{"UNCERTAIN", "too\r\nlate"}), "-UNCERTAIN write: too  late\r\n"},
		{fsm.NewError("CLUSTERDOWN", "no leader"), "-CLUSTERDOWN no leader\r\n"},
		{errors.New("disk on fire"), "-ERR disk on fire\r\n"},
	} {
		_, address := serve(t, DefaultConfig(), brokenStore{newMemoryStore(), test.err})
		c := dial(t, address)
		c.send(command("SET", "k", "v") + command("SET", "k", "v") + command("GET", "k"))
		for range 3 {
			if got := c.reply(); got != test.want {
				t.Errorf("%v: got %q, want %q", test.err, got, test.want)
			}
		}
	}
}

// TestPanic: a panic ends its own connection and no other.
func TestPanic(t *testing.T) {
	s, address := serve(t, DefaultConfig(), panickyStore{newMemoryStore()})
	c := dial(t, address)
	c.send(command("SET", "k", "v"))
	if rest := c.rest(); rest != "" {
		t.Errorf("got %q", rest)
	}
	wantServed(t, address)
	if n := s.stats.panics.Load(); n != 1 {
		t.Errorf("counted %d panics", n)
	}
}

type panickyStore struct{ *memoryStore }

func (panickyStore) Write(context.Context, []fsm.Request) ([]fsm.Reply, error) { panic("a bug") }

// TestShutdown: a command in flight is answered, an idle connection is closed, a new one
// is not accepted.
func TestShutdown(t *testing.T) {
	store := newMemoryStore()
	store.gate = make(chan struct{})
	s, address := serve(t, DefaultConfig(), store)
	busy, idle := dial(t, address), dial(t, address)
	idle.want("+PONG\r\n", "PING")
	busy.send(command("PING") + command("SET", "k", "v") + command("GET", "k"))
	waitForWrite(t, s)
	done := make(chan error)
	go func() { done <- s.Shutdown(t.Context()) }()
	if rest := idle.rest(); rest != "" {
		t.Errorf("the idle connection got %q", rest)
	}
	if _, err := dialError(address); err == nil {
		t.Error("a connection was accepted during the shutdown")
	}
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v while a command was in flight", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(store.gate)
	if got, want := busy.rest(), "+PONG\r\n+OK\r\n$1\r\nv\r\n"; got != want {
		t.Errorf("the busy connection got %q, want %q", got, want)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown returned %v", err)
	}
}

// TestShutdownCrossing: a command that crosses the end of its connection is not run, and
// its client reads that end, not a reset that could have been anything.
func TestShutdownCrossing(t *testing.T) {
	store := newMemoryStore()
	store.gate = make(chan struct{})
	s, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	c.send(command("SET", "k", "1"))
	waitForWrite(t, s)
	done := make(chan error)
	go func() { done <- s.Shutdown(t.Context()) }()
	waitFor(t, "the shutdown to begin", s.stopping.Load)
	c.send(command("SET", "k", "2"))
	close(store.gate)
	if got := c.rest(); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Errorf("Shutdown returned %v", err)
	}
}

// TestShutdownTimeout: what does not end in time is ended.
func TestShutdownTimeout(t *testing.T) {
	store := newMemoryStore()
	store.gate = make(chan struct{})
	s, address := serve(t, DefaultConfig(), store)
	c := dial(t, address)
	c.send(command("SET", "k", "v"))
	waitForWrite(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
}

// waitForWrite waits until the first client's last command is a SET.
func waitForWrite(t *testing.T, s *Server) {
	t.Helper()
	waitFor(t, "the write to begin", func() bool {
		list := s.clients()
		return len(list) > 0 && list[0].lastName() == "set"
	})
}
