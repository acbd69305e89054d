package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
)

// localCluster runs scripts/cluster in a directory and on ports of its own.
type localCluster struct {
	t    *testing.T
	dir  string
	base int
}

// newLocalCluster takes the ports of a cluster that is laid out and never started.
func newLocalCluster(t *testing.T) *localCluster {
	t.Helper()
	reserved, err := harness.New(harness.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &localCluster{t, t.TempDir(), reserved.Base}
	t.Cleanup(func() {
		s.run("down")
		reserved.Close()
	})
	return s
}

// run returns what the script prints, and its exit status.
func (s *localCluster) run(args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(harness.Root(), "scripts", "cluster"), args...)
	command.Env = append(os.Environ(), fmt.Sprint("HOLDFAST_BASE=", s.base), "HOLDFAST_DIR="+s.dir, "HOLDFAST_BIN="+binary)
	out, err := command.CombinedOutput()
	if err != nil && command.ProcessState == nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), command.ProcessState.ExitCode()
}

// must is run for a command that has to succeed.
func (s *localCluster) must(args ...string) string {
	s.t.Helper()
	out, status := s.run(args...)
	if status != 0 {
		s.t.Fatalf("scripts/cluster %s: status %d: %s", strings.Join(args, " "), status, out)
	}
	return out
}

// refused is run for a command that has to fail with a sentence.
func (s *localCluster) refused(sentence string, args ...string) {
	s.t.Helper()
	if out, status := s.run(args...); status == 0 || !strings.Contains(out, sentence) {
		s.t.Errorf("scripts/cluster %s: status %d: %q, want %q", strings.Join(args, " "), status, out, sentence)
	}
}

func (s *localCluster) pid(i string) int {
	s.t.Helper()
	pid, err := strconv.Atoi(s.must("pid", i))
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// at runs a command on a node.
func (s *localCluster) at(i string, args ...string) any {
	s.t.Helper()
	number, _ := strconv.Atoi(i)
	c, err := harness.Dial(fmt.Sprintf("127.0.0.1:%d", s.base+number))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return do(s.t, c, args...)
}

// others are the nodes without one.
func others(i string) []string {
	switch i {
	case "1":
		return []string{"2", "3"}
	case "2":
		return []string{"1", "3"}
	}
	return []string{"1", "2"}
}

// state is the letter that the kernel has for a process, "" when it is gone. One that
// nobody waits for stays as a zombie, "Z".
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

func alive(pid int) bool { return state(pid) != "" && state(pid) != "Z" }

func TestScriptsCluster(t *testing.T) {
	t.Parallel()
	s := newLocalCluster(t)
	s.refused("no node runs", "wait")
	if out := s.must("up"); !strings.Contains(out, fmt.Sprint("redis-cli -p ", s.base+1)) {
		t.Errorf("up: %q", out)
	}
	s.must("up") // nothing to do
	s.refused("runs already", "start", "1")
	s.refused("want a node", "kill", "4")

	leader := s.must("leader")
	status := strings.Split(s.must("status"), "\n")
	if len(status) != 4 || strings.Count(strings.Join(status, "\n"), "leader") != 1 || strings.Count(strings.Join(status, "\n"), "follower") != 2 {
		t.Errorf("status: %q", status)
	}
	for i, line := range status[1:] {
		if words := strings.Fields(line); words[0] != fmt.Sprint("n", i+1) || words[1] != fmt.Sprint(s.pid(fmt.Sprint(i+1))) || (words[2] == "leader") != (leader == fmt.Sprint(i+1)) {
			t.Errorf("status of node %d: %q", i+1, line)
		}
	}

	s.at(leader, "SET", "session", "v", "EX", "100")
	killed := s.pid(leader)
	s.must("kill", leader)
	if alive(killed) {
		t.Errorf("kill left process %d", killed)
	}
	s.refused("does not run", "pid", leader)
	s.refused("does not run", "kill", leader)
	if status := s.must("status"); !strings.Contains(status, "down") {
		t.Errorf("status after kill: %q", status)
	}
	next := s.must("leader")
	if next == leader {
		t.Errorf("node %s leads after it was killed", leader)
	}
	for _, i := range others(leader) {
		if got := s.at(i, "GET", "session"); got != "v" {
			t.Errorf("GET at node %s: %v", i, got)
		}
	}
	s.must("start", leader)
	s.must("wait")
	if got := s.at(leader, "GET", "session"); got != "v" {
		t.Errorf("GET at node %s after its return: %v", leader, got)
	}

	s.must("pause", next)
	if got := state(s.pid(next)); got != "T" {
		t.Errorf("pause left a process in state %q", got)
	}
	if status := s.must("status"); !strings.Contains(status, "no answer") {
		t.Errorf("status after pause: %q", status)
	}
	if third := s.must("leader"); third == next {
		t.Errorf("node %s leads while it is paused", next)
	}
	s.must("resume", next)
	s.must("wait")

	stopped := s.pid(next)
	s.must("stop", next)
	if alive(stopped) {
		t.Errorf("stop left process %d", stopped)
	}
	s.must("pause", others(next)[0]) // down ends paused nodes too
	pids := []int{s.pid(others(next)[0]), s.pid(others(next)[1])}
	s.must("down")
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("down left process %d", pid)
		}
	}
	s.must("down") // nothing to do
}

// A pid alone does not make a process ours: pids are used again.
func TestScriptsClusterLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s := newLocalCluster(t)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stranger.Process.Kill()
		stranger.Wait()
	}()
	pid := stranger.Process.Pid
	for _, stale := range []string{fmt.Sprint(pid, " 1"), fmt.Sprint(pid), "-1", "nonsense", ""} {
		if err := os.WriteFile(filepath.Join(s.dir, "n1.pid"), []byte(stale+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"stop", "kill", "pause", "resume", "pid"} {
			s.refused("does not run", command, "1")
		}
		if status := s.must("status"); !strings.Contains(status, "down") {
			t.Errorf("status with pid file %q: %q", stale, status)
		}
		s.must("down")
	}
	if got := state(pid); got != "S" {
		t.Errorf("the stranger is in state %q, want S", got)
	}
	s.must("up") // and the stale file is no obstacle
	if s.pid("1") == pid {
		t.Error("node 1 is the stranger")
	}
}

// drill runs scripts/drill and returns what it prints, and its exit status.
func drill(t *testing.T, flags string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(harness.Root(), "scripts", "drill"), args...)
	command.Env = append(os.Environ(), "HOLDFAST_BIN="+binary, "HOLDFAST_FLAGS="+flags, "TMPDIR="+t.TempDir())
	out, err := command.CombinedOutput()
	if err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), command.ProcessState.ExitCode()
}

// The drill passes on a cluster that keeps its promises. One that gives commands up before
// a silent leader is replaced must not pass.
func TestScriptsDrill(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "drill.html")
	out, status := drill(t, "", "--rounds", "1", "--clients", "4", "--kinds", "kill-leader,stop-follower,cut-leader", "--report", page)
	if status != 0 {
		t.Errorf("status %d", status)
	}
	for _, row := range []string{"kill-leader +1", "stop-follower +1", "cut-leader +1", "restart +2", "rejoin +1",
		"lost writes +0", "duplicated increments +0", "final state equal on all nodes +yes",
		"drill: about 10 s, at most 81 s", "PASS. Every promise was kept"} {
		if !regexp.MustCompile(`(?m)^\s*` + row + `\b`).MatchString(out) {
			t.Errorf("no row %q in:\n%s", row, out)
		}
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "PASSED") || strings.Count(string(text), `class="band cut leader"`) != 4 {
		t.Errorf("the report: %v:\n%s", err, text) // each panel of the run and of the close-up has the cut
	}
	out, status = drill(t, "--commit-timeout 100ms", "--rounds", "1", "--clients", "4", "--kinds", "pause-leader", "--report", page)
	if status != 1 || strings.Contains(out, "errors at surviving nodes        0") || !strings.Contains(out, "the outcome was not known in time") || !strings.Contains(out, "FAIL. A promise was broken") {
		t.Errorf("a drill with impatient nodes: status %d:\n%s", status, out)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "FAILED") {
		t.Errorf("the report of impatient nodes: %v:\n%s", err, text)
	}
	if out, status = drill(t, "", "--kinds", "nonsense"); status != 2 {
		t.Errorf("a drill without sense: status %d:\n%s", status, out)
	}
	if out, status = drill(t, "", "--rounds", "100", "--kinds", "nothing", "--limit", "1500ms"); status != 0 || !strings.Contains(out, "ended by its limit of time") {
		t.Errorf("a drill with a limit: status %d:\n%s", status, out)
	}
}

// The same clients meet the same fault at three stores, and each has figures.
func TestScriptsDrillPeers(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "peers.html")
	out, status := drill(t, "", "--peers", "--rounds", "1", "--clients", "2", "--kinds", "kill-leader", "--report", page)
	if status != 0 || !strings.Contains(out, "PASS. Holdfast kept every promise") {
		t.Errorf("status %d:\n%s", status, out)
	}
	for _, crowd := range []string{"Holdfast, clients of surviving nodes", "Holdfast, clients of the broken node", "Redis with Sentinel, all clients",
		"etcd, clients of surviving members", "etcd, clients of the broken member"} {
		if !regexp.MustCompile(`(?m)^` + crowd + ` +1( +[1-9]\d*\.\d){3}( +\d+){4}$`).MatchString(out) {
			t.Errorf("no figures of %s in:\n%s", crowd, out)
		}
	}
	// The sentinels wait for a second before they do anything.
	if found := regexp.MustCompile(`(?m)^Redis with Sentinel, all clients +1 +(\d+)`).FindStringSubmatch(out); found == nil || len(found[1]) < 4 {
		t.Errorf("the primary of Redis was not broken:\n%s", out)
	}
	if text, err := os.ReadFile(page); err != nil || strings.Count(string(text), "<td>etcd, clients of surviving members</td>") != 1 {
		t.Errorf("the report: %v:\n%s", err, text)
	}
}
