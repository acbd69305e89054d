package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/test/workload"
)

// report is what a drill found.
type report struct {
	pauses    map[string]workload.Pauses
	faults    []fault
	moments   []workload.Moment
	findings  workload.Findings
	differ    error // nil when all nodes came to the same state
	lasted    time.Duration
	settings  settings
	shortened string // why it ended early, "" if it did not
	states    map[string]state
	load      bool // clients did not rest at all
	stored    int  // sessions
}

// row is the pauses at one kind of fault, or at one kind of return.
type row struct {
	name string
	workload.Pauses
}

// rows are those that have pauses, in the order of the kinds.
func (r *report) rows() (rows []row) {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	for _, name := range append(names, returns...) {
		if p := r.pauses[name]; len(p) > 0 {
			rows = append(rows, row{name, p})
		}
	}
	return rows
}

// good reports whether every promise was kept.
func (r *report) good() bool { return !r.findings.Bad() && r.differ == nil }

// verdict is the outcome as a sentence for somebody who reads nothing else.
func (r *report) verdict() string {
	if !r.good() {
		return "A promise was broken: " + strings.Join(r.broken(), ", ")
	}
	return "Every promise was kept: no error, no lost write, no duplicated increment, no stale read"
}

func (r *report) broken() (list []string) {
	f := r.findings
	for _, count := range []struct {
		n    int
		what string
	}{
		{f.Errors, "errors at surviving nodes"}, {f.Lost, "acknowledged writes lost"},
		{f.Duplicated, "duplicated increments"}, {f.Stale, "stale reads"},
	} {
		if count.n > 0 {
			list = append(list, fmt.Sprintf("%s %s", thousands(count.n), count.what))
		}
	}
	if r.differ != nil {
		list = append(list, "the states of the nodes differ")
	}
	return list
}

// goals are what the pauses of each kind had to reach, and what they depend on.
// There are none for a drill with sessions of its own.
func (r *report) goals() (lines []string) {
	for _, k := range kinds {
		pauses := r.pauses[k.name]
		if len(pauses) == 0 {
			continue
		}
		if text := judged(k.name, r.load, pauses); text != "" && r.stored == 0 {
			lines = append(lines, fmt.Sprintf("%-18s goal: %s", k.name, text))
		}
		if m, ok := r.states[k.name]; ok {
			lines = append(lines, fmt.Sprintf("%-18s %s", k.name, m))
		}
	}
	return lines
}

// worst is the fault after which a client of a surviving node waited longest.
func (r *report) worst() (name string, pause time.Duration) {
	for _, row := range r.rows() {
		if longest := row.Percentile(100); row.name != calm && longest > pause {
			name, pause = row.name, longest
		}
	}
	return name, pause
}

// summary is how much was done, and the worst of it.
func (r *report) summary() string {
	text := fmt.Sprintf("%s faults in %s; %s commands answered", thousands(len(r.faults)), length(r.lasted), thousands(r.findings.Writes+r.findings.Reads))
	if name, pause := r.worst(); name != "" {
		text += fmt.Sprintf("; the longest pause %s ms (%s)", ms(pause), name)
	}
	if r.shortened != "" {
		text += "; " + r.shortened
	}
	return text
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\npause: the longest that any client of a surviving node waited for a reply, in ms\n\n")
	printRows(w, "fault", r.rows())
	for i, line := range r.goals() {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, line)
	}

	f := r.findings
	fmt.Fprintf(w, "\n%d writes and %d reads answered in %.0f s, %.0f a second; at nodes that were down %d errors and %d writes without an answer\n\n",
		f.Writes, f.Reads, r.lasted.Seconds(), float64(f.Writes+f.Reads)/r.lasted.Seconds(), f.Excused, f.Unknown)
	equal := "yes"
	if r.differ != nil {
		equal = "NO: " + r.differ.Error()
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"errors at surviving nodes", f.Errors},
		{"lost writes", f.Lost},
		{"duplicated increments", f.Duplicated},
		{"stale reads", f.Stale},
		{"final state equal on all nodes", equal},
	} {
		fmt.Fprintf(w, "%-32s %v\n", row.name, row.value)
	}
	for _, detail := range f.Details {
		fmt.Fprintln(w, detail)
	}
	grade := "PASS"
	if !r.good() {
		grade = "FAIL"
	}
	fmt.Fprintf(w, "\n%s. %s.\n%s.\n", grade, r.verdict(), r.summary())
}

// printRows prints a table of pauses, with their distribution drawn.
func printRows(w io.Writer, title string, rows []row) {
	fmt.Fprintf(w, "%-18s %5s %8s %8s %8s %8s %8s   %s\n", title, "n", "min", "p50", "p90", "p99", "max", "  1ms   10ms  100ms 1s    10s")
	for _, row := range rows {
		fmt.Fprintf(w, "%-18s %5d", row.name, len(row.Pauses))
		for _, percent := range []int{0, 50, 90, 99, 100} {
			fmt.Fprintf(w, " %8s", ms(row.Percentile(percent)))
		}
		fmt.Fprint(w, "   ")
		for _, bar := range row.Bars() { // twice as wide, to leave room for the scale above
			fmt.Fprintf(w, "%c%c", bar, bar)
		}
		fmt.Fprintln(w)
	}
}

// length is a duration for people.
func length(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

// thousands writes a number in groups of three digits.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
