package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/test/checked"
)

// question is a line of the history: what a client has asked for, and what came of it.
type question struct {
	call, end int64 // in microseconds since the start
	client    string
	node      string
	commands  [][]string
	replies   []any
	outcome   checked.Outcome
}

func (q question) String() string {
	words := make([]string, len(q.commands))
	for i, args := range q.commands {
		words[i] = strings.Join(args, " ")
	}
	line := fmt.Sprintf("%12.6f %12.6f client %s at %s: %s", float64(q.call)/1e6, float64(q.end)/1e6, q.client, q.node, strings.Join(words, "; "))
	switch q.outcome {
	case checked.Done:
		return fmt.Sprintf("%s -> %q", line, q.replies)
	case checked.Refused:
		return line + " -> did not run"
	}
	return line + " -> nobody knows"
}

// asked takes note of a question in the order of the answers.
func (w *world) asked(q question) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, q)
}

// keep writes what the clients have asked for, what the nodes have logged and what was done
// to them into a directory. An empty name stands for a new one.
func (w *world) keep(dir string) (string, error) {
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", fmt.Sprintf("holdfast-sim-%d-", w.seed)); err != nil {
			return "", err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var history strings.Builder
	for _, q := range w.history {
		fmt.Fprintln(&history, q)
	}
	return dir, errors.Join(
		os.WriteFile(filepath.Join(dir, "history"), []byte(history.String()), 0o600),
		os.WriteFile(filepath.Join(dir, "log"), []byte(w.log.String()), 0o600),
	)
}
