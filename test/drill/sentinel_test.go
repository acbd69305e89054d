package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/test/harness"
)

// A primary that was replaced comes back only once no sentinel sends clients to it any more.
func TestMendWaitsForSentinels(t *testing.T) {
	t.Parallel()
	store, _, err := startSentinel(t.TempDir())
	if store != nil {
		defer store.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s := store.(*sentinelStore)
	old, err := s.leader()
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Kill(); err != nil {
		t.Fatal(err)
	}
	// The one that brings about the failover knows of it before the others.
	knows := func(n *harness.Node) bool {
		addr, err := s.primary(n)
		return err == nil && addr != old.Addr
	}
	for deadline := time.Now().Add(30 * time.Second); !slices.ContainsFunc(s.sentinels, knows); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no sentinel knows of another primary")
		}
	}
	err = s.mend(old, func() error {
		for _, n := range s.sentinels {
			if !knows(n) {
				return fmt.Errorf("%s sends clients to %s", n.Name, old.Name)
			}
		}
		return old.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
	if lead, err := s.leader(); err != nil || lead == old {
		t.Fatalf("the primary is %+v, %v", lead, err)
	}
}
