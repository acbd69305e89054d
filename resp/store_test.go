package resp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"holdfast/fsm"
)

// memoryStore is a cluster of one without a log: a Machine that entries go into at once.
type memoryStore struct {
	mu      sync.Mutex
	machine *fsm.Machine
	index   uint64
	seq     uint64
	buf     []byte

	groups [][]int // commands in each request of each group written
	reads  []int   // commands answered in each batch read
	most   int     // bytes of the replies of a batch read
	local  int     // batches read by ReadLocal
	gate   chan struct{}
	status Status

	listener *Server
}

func newMemoryStore() *memoryStore {
	s := &memoryStore{machine: fsm.New(), status: Status{NodeID: "n1", ClusterID: "test", Role: "leader", LeaderID: "n1",
		Term: 3, Voters: 1, Members: []Member{{ID: "n1", Bus: "127.0.0.1:17001", Client: "127.0.0.1:7001", Voter: true, Leader: true, Self: true, Reachable: true}}}}
	s.apply(fsm.AppendFormed(nil, 1, "test"))
	s.apply(fsm.AppendRegistration(nil, 1, "n1", 1, 0))
	return s
}

func (s *memoryStore) apply(entry []byte) []fsm.Result {
	s.index++
	results := s.machine.Apply(s.index, entry)
	if s.listener != nil {
		s.listener.Events(s.machine.Events())
	}
	return results
}

func (s *memoryStore) Write(ctx context.Context, group []fsm.Request) ([]fsm.Reply, error) {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.buf[:0]
	var sizes []int
	for _, r := range group {
		s.seq++
		s.buf = fsm.AppendRequest(s.buf, s.seq, r)
		sizes = append(sizes, len(r.Calls))
	}
	s.groups = append(s.groups, sizes)
	section := fsm.Section{Incarnation: 2, LowWater: s.seq - uint64(len(group)), Count: len(group), Requests: s.buf}
	results := s.apply(fsm.AppendEntry(nil, fsm.Millis(time.Now().UnixMilli()), 1, []fsm.Section{section}))
	replies := make([]fsm.Reply, len(results))
	for i, r := range results {
		replies[i] = r.Reply
	}
	return replies, nil
}

func (s *memoryStore) Read(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := fsm.Millis(time.Now().UnixMilli())
	replies, due := s.machine.ReadSome(now, 1, calls, limit)
	if due != 0 {
		s.apply(fsm.AppendEntry(nil, now, 1, nil))
		replies, _ = s.machine.ReadSome(now, 1, calls, limit)
	}
	s.reads = append(s.reads, len(replies))
	s.most = max(s.most, total(replies))
	return replies, nil
}

func total(replies []fsm.Reply) (bytes int) {
	for _, reply := range replies {
		bytes += len(reply)
	}
	return bytes
}

func (s *memoryStore) ReadLocal(ctx context.Context, calls []fsm.Call, limit int) ([]fsm.Reply, error) {
	s.mu.Lock()
	s.local++
	s.mu.Unlock()
	return s.Read(ctx, calls, limit)
}

func (s *memoryStore) Wait(ctx context.Context, replicas int) (int, error) {
	if replicas > 0 {
		<-ctx.Done()
	}
	return 0, nil
}

func (s *memoryStore) Save(ctx context.Context) error { return nil }

func (s *memoryStore) Snapshot(ctx context.Context) (*fsm.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Snapshot(), nil
}

func (s *memoryStore) Digest(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := s.machine.Snapshot()
	defer snapshot.Release()
	return snapshot.Digest(), nil
}

func (s *memoryStore) Settle(context.Context) error         { return nil }
func (s *memoryStore) Lead(context.Context) error           { return nil }
func (s *memoryStore) Forget(context.Context, string) error { return nil }
func (s *memoryStore) Users() *fsm.Users                    { return s.machine.Users() }

func (s *memoryStore) Broadcast(_ context.Context, message []byte) [][]byte {
	return [][]byte{s.listener.Receive(message)}
}

func (s *memoryStore) Setting(name string) (string, bool) { return s.machine.Setting(name) }

func (s *memoryStore) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.CommitIndex, status.AppliedIndex, status.Counts = s.index, s.index, s.machine.Counts()
	for db := range fsm.Databases {
		if keys, expires := s.machine.Keys(db); keys > 0 {
			status.Keys = append(status.Keys, KeyCount{DB: db, Keys: keys, Expires: expires})
		}
	}
	return status
}

// serve starts a server over store on a port of its own.
func serve(t testing.TB, cfg Config, store Store) (*Server, string) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg, store, slog.New(slog.DiscardHandler))
	if memory, ok := store.(*memoryStore); ok {
		memory.listener = s
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return s, l.Addr().String()
}
