package test

import (
	"fmt"
	"os"
	"testing"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// binary is the node that the tests run, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "holdfast-test-")
	if err == nil {
		binary, err = harness.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// start brings up a cluster of three nodes that ends with the test.
func start(t *testing.T, flags ...string) *harness.Cluster {
	t.Helper()
	c, err := harness.New(harness.Config{Binary: binary, Dir: t.TempDir(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	endsWith(t, c)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// endsWith ends a cluster with the test, and shows what it logged if the test failed.
func endsWith(t *testing.T, c *harness.Cluster) {
	t.Cleanup(func() {
		c.Close()
		if t.Failed() {
			for _, n := range c.Nodes {
				t.Logf("log of %s:\n%s", n.Name, n.Log())
			}
		}
	})
}

// agree checks that all nodes have come to the same state.
func agree(t *testing.T, c *harness.Cluster) {
	t.Helper()
	if err := c.Agree(); err != nil {
		t.Error(err)
	}
}

// do runs a command that must not fail.
func do(t *testing.T, c *harness.Conn, args ...string) any {
	t.Helper()
	reply, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// letLoose lets a load loose on a cluster. It ends with the test, at the latest: the next
// test may get the same ports.
func letLoose(t *testing.T, c *harness.Cluster, addrs []string, options workload.Options) *workload.Load {
	load := workload.Start(addrs, options)
	t.Cleanup(func() {
		c.Close() // so that nobody waits for a node that is paused
		load.Stop()
	})
	return load
}
