package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// testClocks is one voter's view of three.
type testClocks struct {
	*clocks
	wall *int64
}

func newTestClocks() testClocks {
	wall := int64(1000 * hour)
	config := DefaultConfig()
	config.Clock = func() int64 { return wall }
	return testClocks{newClocks(&config), &wall}
}

// tell takes an answer of a peer whose clock is ahead of what this node's was at first.
func (c testClocks) tell(id string, ahead int64, trip time.Duration) {
	now := c.elapsed()
	c.ask(id)
	c.start = c.start.Add(-trip)
	*c.wall += trip.Milliseconds()
	c.answer(id, now, 1000*hour+(now+trip/2).Milliseconds()+ahead, nil)
}

func (c testClocks) compareThree() bool {
	servers := []raft.Server{{ID: "n1"}, {ID: "n2"}, {ID: "n3"}, {ID: "n4", Suffrage: raft.Nonvoter}}
	return c.compare("n1", servers, fsm.Millis(1000*hour))
}

// Nothing is stamped before a majority's clocks are known; then they limit the own one.
func TestClockIsLimited(t *testing.T) {
	c := newTestClocks()
	within := func(want int64) {
		t.Helper()
		if got := int64(c.now()) - 1000*hour; got < want-20 || got > want+200 {
			t.Errorf("it is %d ms later than at first, want %d", got, want)
		}
	}
	c.tell("n4", hour, 0)
	if c.compareThree() || c.known() || c.now() != 0 {
		t.Errorf("the own clock and that of a non-voter are taken for the voters'")
	}
	c.tell("n2", 0, 0)
	if !c.compareThree() || !c.known() {
		t.Fatal("two of three do not suffice")
	}
	within(0)
	c.tell("n3", 10, 0)
	if c.compareThree() {
		t.Error("the second median is called the first one")
	}
	for _, test := range []struct{ own, now int64 }{{hour, 500}, {-hour, -500}, {400, 400}, {-400, -400}} {
		*c.wall = 1000*hour + test.own
		within(test.now) // before anybody has compared,
		c.compareThree()
		within(test.now) // and after it
	}
}

// A leader that cannot ask the others for their clocks does not stamp anything, although raft
// would take it.
func TestNothingBeforeClocksAreKnown(t *testing.T) {
	t.Parallel()
	network := newNetwork()
	c := newCluster(t, 3, network.alter)
	for i := range c.nodes {
		c.stop(i)
	}
	network.slow(func(_, _ string, kind byte) time.Duration {
		if kind == linkConn {
			return -1
		}
		return 0
	})
	for i := range c.nodes {
		c.start(i)
	}
	n := c.nodes[c.leader()]
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := n.Write(ctx, []fsm.Request{{Calls: []fsm.Call{call("SET a 1")}}}); err == nil {
		t.Error("a write is stamped before the time is known")
	}
	network.slow(nil)
	c.write(0, "SET a 2")
}

// A node is off if its clock is surely further from the median than half of the bound.
func TestSkew(t *testing.T) {
	c := newTestClocks()
	off := func(id string, want bool) {
		t.Helper()
		if by, off, ok := c.skew(id, "n1"); !ok || off != want {
			t.Errorf("%s: off %v by %v (known: %v), want %v", id, off, by, ok, want)
		}
	}
	if _, _, ok := c.skew("n1", "n1"); ok {
		t.Error("it is known without another node's clock")
	}
	c.tell("n2", 0, 0)
	c.tell("n3", 700, 490*time.Millisecond)
	c.compareThree()
	off("n1", false)
	off("n2", false)
	off("n3", false) // nobody knows: the answer took too long
	c.tell("n3", 900, 0)
	c.compareThree()
	off("n3", true)
	c.tell("n3", 0, time.Second) // held up
	c.compareThree()
	off("n3", true)
	*c.wall = 1000*hour - hour // moved since the last comparison
	off("n1", true)
	off("n2", false)

	if !c.warns("n3", true) || c.warns("n3", true) {
		t.Error("it is not warned of once")
	}
	if !c.warns("n3", false) || c.warns("n3", false) {
		t.Error("that it is right again is not said once")
	}
}
