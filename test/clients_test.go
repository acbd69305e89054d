package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

// The scripts of test/clients use the clients of Node.js as applications do, on a
// cluster whose nodes they kill.
func TestNodeClients(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, script := range clientScripts(t) {
		if filepath.Base(script) != passwordScript {
			t.Run(filepath.Base(script), func(t *testing.T) { runScript(t, c, script) })
		}
	}
}

const passwordScript = "password.test.js"

func TestNodeClientsPassword(t *testing.T) {
	t.Parallel()
	c := start(t, "--requirepass", "secret")
	for _, n := range c.Nodes {
		n.Password = "secret"
	}
	runScript(t, c, filepath.Join(clientsDir(), passwordScript))
}

func clientsDir() string { return filepath.Join(harness.Root(), "test", "clients") }

func clientScripts(t *testing.T) []string {
	found, err := filepath.Glob(filepath.Join(clientsDir(), "*.test.js"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no scripts in %s: %v", clientsDir(), err)
	}
	return found
}

// summary is what Node's test runner ends with.
var summary = regexp.MustCompile(`(?m)^# pass [1-9]\d*\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0$`)

// runScript runs one file of tests, all of which must pass, and checks what it left.
func runScript(t *testing.T, c *harness.Cluster, script string) {
	t.Helper()
	begun := time.Now()
	breaks := httptest.NewServer(breaker(c))
	defer breaks.Close()
	command := exec.CommandContext(t.Context(), "node", "--test-reporter=tap", script)
	command.Dir = filepath.Dir(script)
	command.Env = append(os.Environ(), "NODES="+strings.Join(c.Addrs(), ","), "CONTROL="+breaks.URL)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	timeout := time.AfterFunc(2*time.Minute, func() { command.Cancel() })
	defer timeout.Stop()
	out, err := command.CombinedOutput()
	if err != nil || !summary.Match(out) {
		t.Errorf("%s, after %v: %v\n%s", script, time.Since(begun), err, out)
	}
	if err := c.Start(); err != nil { // a script that failed may have left a node dead
		t.Fatal(err)
	}
	agree(t, c)
}

// breaker lets a script ask which node leads (GET /leader), and kill and start nodes
// (POST /kill/I, POST /start/I). It answers when that is done.
func breaker(c *harness.Cluster) http.Handler {
	node := func(do func(*harness.Node) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			i, err := strconv.Atoi(r.PathValue("node"))
			if err == nil {
				err = do(c.Nodes[i])
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /kill/{node}", node((*harness.Node).Kill))
	mux.HandleFunc("POST /start/{node}", node(func(n *harness.Node) error {
		if err := n.Start(); err != nil {
			return err
		}
		return n.WaitReady(20 * time.Second)
	}))
	mux.HandleFunc("GET /leader", func(w http.ResponseWriter, r *http.Request) {
		leader, err := c.Leader()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for i, n := range c.Nodes {
			if n == leader {
				fmt.Fprint(w, i)
			}
		}
	})
	return mux
}
