package test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// What is written at one node is read at once at the others, its deadline included.
func TestReadEverywhere(t *testing.T) {
	t.Parallel()
	c := start(t)
	var conns []*harness.Conn
	for _, n := range c.Nodes {
		conn, err := n.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	for round := range 1000 {
		value, ttl := fmt.Sprint("value", round), int64(100+10*round)
		do(t, conns[0], "SET", "s", value, "EX", fmt.Sprint(ttl))
		for i, conn := range conns[1:] {
			replies, err := conn.Pipeline([]string{"GET", "s"}, []string{"TTL", "s"})
			if err != nil {
				t.Fatal(err)
			}
			if replies[0] != value {
				t.Errorf("round %d: GET at n%d: %v", round, i+2, replies[0])
			}
			if got, ok := replies[1].(int64); !ok || got > ttl || got < ttl-9 {
				t.Errorf("round %d: TTL at n%d: %v, want %d", round, i+2, replies[1], ttl)
			}
		}
	}
	agree(t, c)
}

// watch is how long clients are watched after a fault, at least.
const watch = 300 * time.Millisecond

// crowd is ten clients at each of some nodes. They stay there: none of them may see an
// error, or be left without an answer.
func crowd(nodes []*harness.Node, name string) *workload.Load {
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	load := workload.Start(addrs, workload.Options{Clients: 10, Interval: 5 * time.Millisecond, Prefix: name})
	time.Sleep(watch)
	return load
}

// verify checks all promises to a crowd.
func verify(t *testing.T, load *workload.Load, addr string) {
	t.Helper()
	load.Stop()
	findings, err := load.Verify(addr)
	if err != nil {
		t.Fatal(err)
	}
	if findings.Bad() || findings.Excused+findings.Unknown > 0 {
		t.Errorf("clients of surviving nodes: %v", findings)
	}
}

// waits are the longest of a crowd, without a fault and through a planned one: clients wait a
// little on a busy machine anyway.
type waits struct{ calm, planned workload.Pauses }

func (w *waits) add(t *testing.T, load *workload.Load, plan func() error) {
	t.Helper()
	calm, err := load.Measure(watch, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	planned, err := load.Measure(watch, plan)
	if err != nil {
		t.Fatal(err)
	}
	w.calm, w.planned = append(w.calm, calm), append(w.planned, planned)
}

func (w *waits) judge(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s, the longest wait: %v; without a fault: %v", what, w.planned, w.calm)
	if p50, limit := w.planned.Percentile(50), 50*time.Millisecond+w.calm.Percentile(50); p50 > limit {
		t.Errorf("p50 %v, want at most %v", p50, limit)
	}
}

// Twenty clients write and read through the two nodes that survive when the leader is
// killed. HOLDFAST_TEST_KILLS says how often.
func TestKillLeader(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("HOLDFAST_TEST_KILLS"))
	if err != nil {
		kills = 5
	}
	c := start(t)
	var pauses workload.Pauses
	for i := range kills {
		leader, err := c.Leader()
		if err != nil {
			t.Fatal(err)
		}
		survivors := c.Others(leader)
		load := crowd(survivors, fmt.Sprintf("kill%d.", i))
		pause, err := load.Measure(watch, leader.Kill)
		if err != nil {
			t.Fatal(err)
		}
		pauses = append(pauses, pause)
		verify(t, load, survivors[i%2].Addr)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SIGKILL of the leader, longest wait of 20 clients: %v", pauses)
	if p50 := pauses.Percentile(50); p50 > time.Second {
		t.Errorf("p50 %v, want at most 1 s", p50)
	}
	agree(t, c)
}

// A leader that is asked to stop hands over first, so that the pause is that of a message
// and not of an election.
func TestStopLeader(t *testing.T) {
	c := start(t)
	var waits waits
	for i := range 7 {
		leader, err := c.Leader()
		if err != nil {
			t.Fatal(err)
		}
		survivors := c.Others(leader)
		load := crowd(survivors, fmt.Sprintf("stop%d.", i))
		waits.add(t, load, leader.Stop)
		verify(t, load, survivors[i%2].Addr)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	waits.judge(t, "SIGTERM of the leader, 20 clients")
	agree(t, c)
}

// Leadership moves to the node that CLUSTER FAILOVER is sent to. Clients of all nodes
// see no error.
func TestClusterFailover(t *testing.T) {
	c := start(t)
	var waits waits
	for i := range 7 {
		leader, err := c.Leader()
		if err != nil {
			t.Fatal(err)
		}
		heir := c.Others(leader)[i%2]
		load := crowd(c.Nodes, fmt.Sprintf("failover%d.", i))
		waits.add(t, load, func() error {
			reply, err := heir.Do("CLUSTER", "FAILOVER")
			if err == nil && reply != "OK" {
				err = fmt.Errorf("CLUSTER FAILOVER: %v", reply)
			}
			return err
		})
		verify(t, load, leader.Addr)
		if now, err := c.Leader(); err != nil || now != heir {
			t.Errorf("%v leads (%v), want %s", now, err, heir.Name)
		}
	}
	waits.judge(t, "CLUSTER FAILOVER, 30 clients")

	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	for option, want := range map[string]string{
		"":      "ERR You should send CLUSTER FAILOVER to a replica",
		"FORCE": "ERR FORCE is not supported: only a majority of the nodes makes a leader",
		"now":   "ERR syntax error",
	} {
		args := []string{"CLUSTER", "FAILOVER"}
		if option != "" {
			args = append(args, option)
		}
		if reply, err := leader.Do(args...); err == nil || err.Error() != want {
			t.Errorf("%v: %v, %v; want %s", args, reply, err, want)
		}
	}
	agree(t, c)
}

// Clients of a node that is asked to stop get the replies to what they have sent, or a
// clean end and nothing done. Under full load on all nodes nothing is lost meanwhile.
func TestStopLeaderWithClients(t *testing.T) {
	t.Parallel()
	c := start(t)
	load := workload.Start(c.Addrs(), workload.Options{Clients: 5, Prefix: "all"})
	for round := range 3 {
		leader, err := c.Leader()
		if err != nil {
			t.Fatal(err)
		}
		load.Down(leader.Addr)
		var clients sync.WaitGroup
		counted, ends := make([]int64, 10), make([]error, 10)
		for i := range counted {
			conn, err := leader.Dial()
			if err != nil {
				t.Fatal(err)
			}
			clients.Go(func() {
				defer conn.Close()
				for {
					reply, err := conn.Do("INCR", fmt.Sprintf("stop:%d:%d", round, i))
					if err != nil {
						ends[i] = err
						return
					}
					counted[i] = reply.(int64)
				}
			})
		}
		time.Sleep(watch)
		if err := leader.Stop(); err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		for i, err := range ends {
			if !errors.Is(err, io.EOF) {
				t.Errorf("round %d: client %d of the stopping leader: %v", round, i, err)
			}
			got, err := c.Others(leader)[0].Do("GET", fmt.Sprintf("stop:%d:%d", round, i))
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprint(counted[i]); got != want || counted[i] == 0 {
				t.Errorf("round %d: client %d was told %s, but there is %v", round, i, want, got)
			}
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		load.Up(leader.Addr)
	}
	load.Stop()
	findings, err := load.Verify(c.Nodes[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(findings)
	if findings.Bad() {
		t.Error("a promise was broken")
	}
	agree(t, c)
}
