package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// docker-compose.yml, as somebody uses it who has just checked it out: up, a container
// killed, containers that come back with other addresses, down and up again.
func TestCompose(t *testing.T) {
	t.Parallel()
	docker, err := harness.OpenDocker()
	check(t, err)
	t.Cleanup(func() { check(t, docker.Close()) })
	stack, err := harness.NewStack(docker, binary, t.TempDir())
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range stack.Cluster.Nodes {
				t.Logf("log of %s:\n%s", n.Name, stack.Log(n.Name))
			}
		}
		check(t, stack.Close())
	})

	check(t, stack.Compose(nil, "up", "--build", "--detach"))
	check(t, stack.WaitHealthy(time.Minute))
	c := composeTest{t, stack}
	c.anyNodeAnswers()
	c.notRoot()
	c.killLeader()
	c.comeBackElsewhere()
	c.downAndUp()
	c.password()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type composeTest struct {
	*testing.T
	stack *harness.Stack
}

func (c composeTest) check(err error) {
	c.Helper()
	check(c.T, err)
}

func (c composeTest) do(n *harness.Node, args ...string) any {
	c.Helper()
	reply, err := n.Do(args...)
	if err != nil {
		c.Fatalf("%s at %s: %v", strings.Join(args, " "), n.Name, err)
	}
	return reply
}

func (c composeTest) leader() *harness.Node {
	c.Helper()
	leader, err := c.stack.Cluster.Leader()
	c.check(err)
	return leader
}

// anyNodeAnswers writes through every published port and reads through all of them.
func (c composeTest) anyNodeAnswers() {
	for _, writer := range c.stack.Cluster.Nodes {
		c.do(writer, "SET", "from:"+writer.Name, writer.Name, "EX", "3600")
		for _, reader := range c.stack.Cluster.Nodes {
			if got := c.do(reader, "GET", "from:"+writer.Name); got != writer.Name {
				c.Errorf("set at %s: %v at %s", writer.Name, got, reader.Name)
			}
			// Others are told addresses that mean something beyond the container.
			if nodes := c.do(reader, "CLUSTER", "NODES").(string); !strings.Contains(nodes, fmt.Sprintf(" %s:6379@16379,", writer.Name)) {
				c.Errorf("CLUSTER NODES at %s does not tell where %s is:\n%s", reader.Name, writer.Name, nodes)
			}
		}
	}
}

func (c composeTest) notRoot() {
	if user, err := c.stack.Inspect("n1", "{{.Config.User}} {{.HostConfig.Privileged}}"); err != nil || user != "65532:65532 false" {
		c.Errorf("the container runs as %q (%v)", user, err)
	}
}

// killLeader is `docker kill` of the leader while clients of all nodes write: those of
// the others see a pause and no error, and the node comes back.
func (c composeTest) killLeader() {
	load := c.load("kill")
	time.Sleep(500 * time.Millisecond)
	leader := c.end(load, "kill")
	c.comeBack(leader)
	load.Up(leader.Addr)
	c.verify(load)
}

// comeBackElsewhere stops the leader and gives its address away before it is started
// again. What has the address then is a node as well, of another cluster.
func (c composeTest) comeBackElsewhere() {
	load := c.load("move")
	before := map[string]string{}
	for _, n := range c.stack.Cluster.Nodes {
		before[n.Name] = c.ip(n)
	}
	leader := c.end(load, "stop")
	release, err := c.stack.Occupy(before[leader.Name])
	c.check(err)
	defer func() { c.check(release()) }()

	c.comeBack(leader)
	load.Up(leader.Addr)
	if after := c.ip(leader); after == before[leader.Name] {
		c.Fatalf("%s has come back with the same address %s", leader.Name, after)
	}
	c.verify(load)
}

// downAndUp removes the containers and their network, and makes new ones in such an
// order that every node has an address that was another's.
func (c composeTest) downAndUp() {
	before := map[string]string{}
	var order []string
	for _, n := range c.stack.Cluster.Nodes {
		before[n.Name] = c.ip(n)
		order = append(order, n.Name)
	}
	slices.SortFunc(order, func(a, b string) int { return strings.Compare(before[a], before[b]) })
	c.check(c.stack.Compose(nil, "down"))
	for _, node := range append(order[1:], order[0]) {
		c.check(c.stack.Compose(nil, "up", "--detach", node))
	}
	c.check(c.stack.WaitHealthy(time.Minute))
	for _, n := range c.stack.Cluster.Nodes {
		if after := c.ip(n); after == before[n.Name] {
			c.Errorf("%s still has the address %s", n.Name, after)
		}
	}
	c.kept(c.stack.Cluster.Nodes[0].Do)
	c.verify(c.load("down"))
}

// password sets one in the environment, which makes new containers.
func (c composeTest) password() {
	c.check(c.stack.Compose([]string{"HOLDFAST_REQUIREPASS=hush"}, "up", "--detach"))
	c.check(c.stack.WaitHealthy(time.Minute))
	for _, n := range c.stack.Cluster.Nodes {
		conn, err := n.Dial()
		c.check(err)
		defer conn.Close()
		if reply, err := conn.Do("GET", "from:n1"); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
			c.Errorf("%s without the password: %v, %v", n.Name, reply, err)
		}
		if reply, err := conn.Do("AUTH", "hush"); reply != "OK" {
			c.Errorf("AUTH at %s: %v, %v", n.Name, reply, err)
		}
		c.kept(conn.Do)
	}
}

// kept reads what anyNodeAnswers has written.
func (c composeTest) kept(do func(...string) (any, error)) {
	for _, n := range c.stack.Cluster.Nodes {
		if got, err := do("GET", "from:"+n.Name); got != n.Name {
			c.Errorf("what was set at %s is %v (%v)", n.Name, got, err)
		}
		if ttl, err := do("TTL", "from:"+n.Name); err != nil || ttl.(int64) <= 0 || ttl.(int64) > 3600 {
			c.Errorf("what was set at %s has the TTL %v (%v)", n.Name, ttl, err)
		}
	}
}

// end ends the leader's container with a command of docker compose, and measures the
// pause at the other nodes. It is far below what a client waits for a reply.
func (c composeTest) end(load *workload.Load, command string) *harness.Node {
	c.Helper()
	leader := c.leader()
	load.Down(leader.Addr)
	pause, err := load.Measure(2*time.Second, func() error { return c.stack.Compose(nil, command, leader.Name) })
	c.check(err)
	c.Logf("docker %s of the leader: a pause of %v for the clients of the other nodes", command, pause)
	if pause > 5*time.Second {
		c.Errorf("a pause of %v", pause)
	}
	return leader
}

func (c composeTest) ip(n *harness.Node) string {
	c.Helper()
	ip, err := c.stack.IP(n.Name)
	c.check(err)
	return ip
}

func (c composeTest) comeBack(n *harness.Node) {
	start := time.Now()
	c.check(c.stack.Compose(nil, "start", n.Name))
	c.check(c.stack.WaitHealthy(time.Minute))
	c.Logf("%s was healthy %v after its start", n.Name, time.Since(start).Round(time.Millisecond))
}

func (c composeTest) load(prefix string) *workload.Load {
	return workload.Start(c.stack.Cluster.Addrs(), workload.Options{Clients: 4, Interval: time.Millisecond, Prefix: prefix})
}

// verify ends a load after a while and compares all nodes with what it was told.
func (c composeTest) verify(load *workload.Load) {
	c.Helper()
	time.Sleep(time.Second)
	load.Stop()
	for _, n := range c.stack.Cluster.Nodes {
		findings, err := load.Verify(n.Addr)
		c.check(err)
		if findings.Bad() || findings.Writes == 0 {
			c.Fatalf("%v", findings)
		}
		if n == c.stack.Cluster.Nodes[0] {
			c.Log(findings)
		}
	}
	c.check(c.stack.Cluster.Agree())
}
