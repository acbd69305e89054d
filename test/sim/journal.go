package sim

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// journal is what nodes log and what is done to them, the last of it.
type journal struct {
	start time.Time
	find  func(format string, args ...any)

	mu    sync.Mutex
	lines []string
	terms map[string]string // term -> who has led in it
}

const journalLines = 3000

func newJournal(find func(format string, args ...any)) *journal {
	return &journal{start: time.Now(), find: find, terms: map[string]string{}}
}

func (j *journal) add(who, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 2*journalLines {
		j.lines = append(j.lines[:0], j.lines[journalLines:]...)
	}
	j.lines = append(j.lines, fmt.Sprintf("%12.6f %s %s", time.Since(j.start).Seconds(), who, text))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-journalLines):], "\n")
}

// failovers is how often leadership has changed hands.
func (j *journal) failovers() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return max(0, len(j.terms)-1)
}

// lead takes note of who leads in a term: there is one leader in each.
func (j *journal) lead(term, leader string) {
	j.mu.Lock()
	before, known := j.terms[term]
	j.terms[term] = leader
	j.mu.Unlock()
	if known && before != leader {
		j.find("%s and %s lead in term %s", before, leader, term)
	}
}

func (j *journal) logger() *slog.Logger { return slog.New(&handler{journal: j}) }

// handler is a node's way into the journal.
type handler struct {
	journal *journal
	node    string
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	values := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value.String()
		fmt.Fprintf(&b, " %s=%s", a.Key, values[a.Key])
		return true
	})
	if r.Message == "leader" && values["leader"] != "" {
		h.journal.lead(values["term"], values["leader"])
	}
	h.journal.add(h.node, b.String())
	if strings.HasPrefix(r.Message, "states differ") {
		h.journal.find("%s: %s", h.node, b.String())
	}
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == "node" {
			return &handler{h.journal, a.Value.String()}
		}
	}
	return h
}

func (h *handler) WithGroup(string) slog.Handler { return h }
