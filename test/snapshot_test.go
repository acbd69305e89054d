package test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/harness"
)

var snapshotKeys = flag.Int("snapshot-keys", 100_000, "how many keys the snapshot of TestSnapshot has")

// Clients write through every node while the leader takes a snapshot. They go on being
// answered, and a redis-server that is given the file has the same keys, values and
// deadlines: those that nobody touched meanwhile as they are, those of the clients as
// they were at one moment of the snapshot's time.
func TestSnapshot(t *testing.T) {
	c := start(t)
	lead, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Fill(lead.Addr, *snapshotKeys, storedKey); err != nil {
		t.Fatal(err)
	}
	if err := c.Agree(); err != nil { // every node has it
		t.Fatal(err)
	}
	waitSaved(t, lead)

	writers := startWriters(t, c)
	const calm = 2 * time.Second
	time.Sleep(calm)
	before, calmStall := writers.stored(), writers.takeStall()
	begun := time.Now()
	if reply, err := lead.Do("SAVE"); err != nil || reply != "OK" {
		t.Fatalf("SAVE: %v, %v", reply, err)
	}
	took := time.Since(begun)
	after, stall := writers.stored(), writers.takeStall()
	writers.stop()
	files := lead.Snapshots()
	file := files[len(files)-1]
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}

	wrote, wroteCalmly := sum(after)-sum(before), sum(before)
	t.Logf("%d keys of %d bytes: file of %d bytes in %v; longest wait of a client %v during the snapshot, %v in %v before it; %d writes/s during the snapshot, %d before",
		*snapshotKeys, len(storedValue), info.Size(), took.Round(time.Millisecond), stall.Round(time.Millisecond/10), calmStall.Round(time.Millisecond/10), calm,
		int(float64(wrote)/took.Seconds()), int(float64(wroteCalmly)/calm.Seconds()))
	// A snapshot that stops the world would leave its whole time without a write.
	if wrote < int64(len(after)) {
		t.Errorf("%d writes of %d clients in the %v of the snapshot", wrote, len(after), took)
	}
	if stall > took/2 && stall > 4*calmStall && stall > 100*time.Millisecond {
		t.Errorf("a client waited for %v of a snapshot that took %v; without one the longest wait was %v", stall, took, calmStall)
	}

	agree(t, c)

	redis := loadIntoRedis(t, file)
	compareStored(t, lead, redis)
	for i, low := range before {
		reply, err := redis.Do("GET", writerKey(i))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := reply.(string)
		if got, err := strconv.ParseInt(text, 10, 64); err != nil || got < low || got > after[i]+1 {
			t.Errorf("%s is %v in the snapshot, want %d to %d", writerKey(i), reply, low, after[i]+1)
		}
	}
	if keys, err := redis.Do("DBSIZE"); err != nil || keys != int64(*snapshotKeys+len(before)) {
		t.Errorf("redis-server has %v keys (%v), want %d", keys, err, *snapshotKeys+len(before))
	}
}

// storedKey sets the i-th key that the snapshot must have: nine of ten have a deadline.
func storedKey(i int) []string {
	command := []string{"SET", storedName(i), fmt.Sprintf("%d %s", i, storedValue[len(strconv.Itoa(i))+1:])}
	if i%10 != 0 {
		command = append(command, "PX", strconv.Itoa(86_400_000+7919*i))
	}
	return command
}

func storedName(i int) string { return fmt.Sprintf("stored:%d", i) }

var storedValue = strings.Repeat("v", 300)

// waitSaved returns when the node writes no snapshot of its own accord, as it does after
// so many bytes of log.
func waitSaved(t *testing.T, n *harness.Node) {
	t.Helper()
	for range 3000 {
		info, err := n.Info("persistence")
		if err != nil {
			t.Fatal(err)
		}
		if info["rdb_bgsave_in_progress"] == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the node does not finish its snapshot")
}

// writers are clients, four at each node, that count a key of their own up.
type writers struct {
	counts []atomic.Int64
	waits  []wait
	ending chan struct{}
	once   sync.Once
	failed chan error
}

// wait is what a client waits for. The longest wait includes the one that goes on.
type wait struct{ since, longest atomic.Int64 }

var clock = time.Now()

func (w *wait) begin() { w.since.Store(int64(time.Since(clock))) }

func (w *wait) end() { w.longest.Store(max(w.longest.Load(), int64(time.Since(clock))-w.since.Load())) }

func writerKey(i int) string { return fmt.Sprintf("writer:%d", i) }

func startWriters(t *testing.T, c *harness.Cluster) *writers {
	const clients = 12
	w := &writers{counts: make([]atomic.Int64, clients), waits: make([]wait, clients), ending: make(chan struct{}), failed: make(chan error, clients)}
	for i := range clients {
		conn, err := c.Nodes[i%len(c.Nodes)].Dial()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer conn.Close()
			w.failed <- w.write(i, conn)
		}()
	}
	t.Cleanup(func() {
		w.stop()
		for range clients {
			if err := <-w.failed; err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

func (w *writers) write(i int, conn *harness.Conn) error {
	for {
		select {
		case <-w.ending:
			return nil
		default:
		}
		w.waits[i].begin()
		if _, err := conn.Do("SET", writerKey(i), strconv.FormatInt(w.counts[i].Load()+1, 10)); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		w.waits[i].end()
		w.counts[i].Add(1)
	}
}

func (w *writers) stop() { w.once.Do(func() { close(w.ending) }) }

// stored is what was acknowledged to each client.
func (w *writers) stored() []int64 {
	counts := make([]int64, len(w.counts))
	for i := range counts {
		counts[i] = w.counts[i].Load()
	}
	return counts
}

// takeStall is the longest wait of any client since the last call.
func (w *writers) takeStall() (longest time.Duration) {
	for i := range w.waits {
		now := int64(time.Since(clock)) - w.waits[i].since.Load()
		longest = max(longest, time.Duration(w.waits[i].longest.Swap(0)))
		if now > int64(longest) { // not answered yet, or not asked again yet
			longest = time.Duration(now)
		}
	}
	return longest
}

func sum(counts []int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// loadIntoRedis starts a redis-server whose dump.rdb is a copy of file.
func loadIntoRedis(t *testing.T, file string) *harness.Node {
	t.Helper()
	dir := t.TempDir()
	from, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	redis, err := harness.StartRedis(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Kill() })
	return redis
}

// compareStored wants every key of storedKey on both sides, with its value and one
// deadline.
func compareStored(t *testing.T, nodes ...*harness.Node) {
	t.Helper()
	var conns []*harness.Conn
	for _, n := range nodes {
		conn, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	const pipeline = 500
	for first := 0; first < *snapshotKeys; first += pipeline {
		last := min(first+pipeline, *snapshotKeys)
		var questions [][]string
		for i := first; i < last; i++ {
			questions = append(questions, []string{"GET", storedName(i)}, []string{"PEXPIRETIME", storedName(i)})
		}
		var answers [][]any
		for _, conn := range conns {
			replies, err := conn.Pipeline(questions...)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, replies)
		}
		for i := first; i < last; i++ {
			k := 2 * (i - first)
			value, deadline := answers[0][k], answers[0][k+1]
			if value != storedKey(i)[2] || (deadline == int64(-1)) != (i%10 == 0) {
				t.Fatalf("%s has value %v and deadline %v", storedName(i), value, deadline)
			}
			if answers[1][k] != value || answers[1][k+1] != deadline {
				t.Fatalf("%s in redis-server: value %v and deadline %v, want %v and %v", storedName(i), answers[1][k], answers[1][k+1], value, deadline)
			}
		}
	}
}
