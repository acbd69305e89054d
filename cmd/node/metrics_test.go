package main

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/cluster"
	"holdfast/fsm"
)

func TestMetrics(t *testing.T) {
	config := cluster.DefaultConfig()
	config.ID, config.Dir, config.Bus = "n1", t.TempDir(), "127.0.0.1:0"
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	node, err := cluster.Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	set := []fsm.Request{{Calls: []fsm.Call{{DB: 3, Args: [][]byte{[]byte("SET"), []byte("k"), []byte("v")}}}}}
	for {
		_, err := node.Write(ctx, set)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}

	answer := httptest.NewRecorder()
	health(node, false).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, line := range []string{
		"holdfast_leads 1", "holdfast_has_leader 1", "holdfast_voters 1", "holdfast_pending_writes 0",
		"holdfast_digest_index 0", "holdfast_diverged 0", "holdfast_disputed 0",
		`holdfast_keys{db="0"} 0`, `holdfast_keys{db="3"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	// Two clocks are read one after the other, in milliseconds.
	if !regexp.MustCompile(`(?m)^holdfast_clock_skew_seconds{member="n1"} (0|-?0\.001)$`).MatchString(text) {
		t.Errorf("no skew of the only clock, or too much, in\n%s", text)
	}
}
