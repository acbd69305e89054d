package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"holdfast/cluster"
	"holdfast/fsm"
)

// health serves /healthz, the process lives; /readyz, it has a leader and has caught
// up (a node that is not ready says why); /status, lines "name:value" about it; and
// /metrics, the same and more for Prometheus.
func health(node *cluster.Node, profiling bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := node.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		s, keys := node.Status(), 0
		for db := range fsm.Databases {
			n, _ := node.Keys(db)
			keys += n
		}
		fmt.Fprintf(w, "id:%s\nrole:%s\nleader:%s\nterm:%d\napplied:%d\nkeys:%d\n", s.NodeID, s.Role, s.LeaderID, s.Term, s.AppliedIndex, keys)
	})
	mux.Handle("GET /metrics", serveMetrics(node))
	if profiling {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// healthCommand is for health checks where there is no shell and no curl.
type healthCommand struct {
	Address string        `arg:"" help:"The node's --http address." placeholder:"HOST:PORT"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"2s"`
}

func (h *healthCommand) Run() error {
	client := http.Client{Timeout: h.Timeout}
	response, err := client.Get("http://" + h.Address + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}
