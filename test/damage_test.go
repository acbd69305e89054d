package test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// A node whose log ends in a torn write comes back by itself. One whose log or snapshot
// is damaged says so and does not start, and comes back once its directory is emptied,
// as it advises. Package cluster has all the kinds of damage.
func TestDamagedDisk(t *testing.T) {
	t.Parallel()
	c := start(t, "--trailing-logs", "16")
	leader, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	victim := c.Others(leader)[0]
	load := letLoose(t, c, c.Addrs(), workload.Options{Clients: 2, Interval: time.Millisecond})
	time.Sleep(500 * time.Millisecond)
	if _, err := victim.Do("SAVE"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)

	load.Down(victim.Addr)
	segment := func() string {
		files, _ := filepath.Glob(filepath.Join(victim.Dir, "raft", "wal", "*.wal"))
		return slices.Max(files)
	}
	written := func(data []byte) int { return len(bytes.TrimRight(data, "\x00")) }
	back := func() {
		t.Helper()
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		if err := victim.WaitReady(30 * time.Second); err != nil {
			t.Fatal(err)
		}
	}

	// The log loses the end of its last batch.
	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	change(t, segment(), func(data []byte) []byte { clear(data[written(data)-6:]); return data })
	back()
	if !strings.Contains(victim.Log(), "cut off what an interrupted write has left of the log") {
		t.Error("the log of the node does not mention the torn write")
	}

	for _, damage := range []struct {
		file   func() string
		change func([]byte) []byte
	}{
		{segment, func(data []byte) []byte { data[written(data)/2] ^= 1; return data }},
		{func() string { return slices.Max(victim.Snapshots()) }, func(data []byte) []byte { return data[:len(data)/2] }},
	} {
		if err := victim.Kill(); err != nil {
			t.Fatal(err)
		}
		change(t, damage.file(), damage.change)
		wantRefusal(t, victim, damage.file(), "at offset", "empty the node's data directory and let the node join anew")
		if err := victim.Wipe(); err != nil {
			t.Fatal(err)
		}
		back()
		if _, err := victim.Do("SAVE"); err != nil { // so that there is something to damage again
			t.Fatal(err)
		}
	}
	load.Stop()
	findings, err := load.Verify(victim.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(findings)
	if findings.Bad() {
		t.Error("promises were broken")
	}
	agree(t, c)
}

func change(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantRefusal starts a node that has to end with status 1 and a sentence of its own, in
// which some words stand.
func wantRefusal(t *testing.T, n *harness.Node, words ...string) {
	t.Helper()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	status, err := n.Wait(15 * time.Second)
	if err != nil {
		n.Kill()
		t.Fatalf("%v; its log:\n%s", err, n.Log())
	}
	log := n.Log()
	if status != 1 {
		t.Errorf("%s ended with status %d, want 1; its log:\n%s", n.Name, status, log)
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	sentence := lines[len(lines)-1]
	for _, word := range append(words, "holdfast: ") {
		if !strings.Contains(sentence, word) {
			t.Errorf("%s ended with %q, want %q in it", n.Name, sentence, word)
		}
	}
}
