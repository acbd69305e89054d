package history

import (
	"testing"
	"time"

	"holdfast/test/harness"
)

// One redis-server is one keyspace that does one thing at a time: the model must have
// an explanation for whatever it answers.
func TestRedisIsLinearizable(t *testing.T) {
	server, err := harness.StartRedis(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	recorder := Recorder{Addrs: []string{server.Addr, server.Addr, server.Addr, server.Addr, server.Addr, server.Addr}, Keys: 3, Turn: 500 * time.Millisecond, Rest: time.Millisecond, Seed: uint64(time.Now().UnixNano())}
	stop := make(chan struct{})
	time.AfterFunc(3*time.Second, func() { close(stop) })
	operations, err := recorder.Run(stop)
	if err != nil {
		t.Fatal(err)
	}
	if len(operations) < 1000 {
		t.Fatalf("only %d operations", len(operations))
	}
	if err := Check(operations, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations", len(operations))
}
