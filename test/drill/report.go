package main

import (
	"fmt"
	"io"
	"time"

	"holdfast/test/workload"
)

// report is what a drill found.
type report struct {
	pauses   map[string]workload.Pauses
	findings workload.Findings
	differ   error // nil when all nodes came to the same state
	lasted   time.Duration
}

// good reports whether every promise was kept.
func (r *report) good() bool { return !r.findings.Bad() && r.differ == nil }

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\npause: the longest that any client of a surviving node waited for a reply\n\n")
	fmt.Fprintf(w, "%-16s %5s %10s %10s %10s\n", "fault", "n", "p50 ms", "p99 ms", "max ms")
	var rows []string
	for _, k := range kinds {
		rows = append(rows, k.name)
	}
	for _, name := range append(rows, "restart", "resume") {
		if p := r.pauses[name]; len(p) > 0 {
			fmt.Fprintf(w, "%-16s %5d %10s %10s %10s\n", name, len(p), ms(p.Percentile(50)), ms(p.Percentile(99)), ms(p.Percentile(100)))
		}
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
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
