package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/test/workload"
)

// comparisonReport is what a comparison found.
type comparisonReport struct {
	kinds     []kind
	results   map[result]*outcome
	faults    map[string]int // of each store
	states    map[string]state
	load      bool
	differ    []error
	lasted    time.Duration
	settings  settings
	shortened string
}

// crowdNames are all groups of clients, in the order of the table.
var crowdNames = []string{
	"Holdfast, clients of surviving nodes", "Holdfast, clients of the broken node",
	sentinelName + ", all clients",
	"etcd, clients of surviving members", "etcd, clients of the broken member",
}

// survivors reports whether a group has no client at the broken node.
func survivors(crowd string) bool { return strings.Contains(crowd, "surviving") }

func own(crowd string) bool { return strings.HasPrefix(crowd, "Holdfast") }

// comparedKinds are those that were made, with a title.
func (r *comparisonReport) comparedKinds() (titles []titledKind) {
	for _, k := range []titledKind{
		{calm, "No fault", "A second in which nothing happens: what clients wait anyway."},
		{"kill-leader", "kill -9 of the leader", "The process that leads, or the primary, is gone without a word of its own."},
		{"kill-loaded-leader", "kill -9 of the leader under full load", "As before, and no client rests between its commands."},
		{"pause-leader", "The leader stands still", "The process is stopped by SIGSTOP: connections stay open and nobody answers. It wakes when all clients are served again."},
		{"cut-leader", "The leader is cut off", "Every packet between it and the other nodes is lost without a word. Not compared."},
		{"stop-leader", "Planned stop of the leader", "Holdfast and etcd get SIGTERM; Redis gets it after SENTINEL FAILOVER has made another primary."},
		{"failover-leader", "Planned change of leader", "CLUSTER FAILOVER at a follower; no process ends. All clients are counted. Not compared."},
	} {
		for _, crowd := range crowdNames {
			if r.results[result{k.name, crowd}] != nil {
				titles = append(titles, k)
				break
			}
		}
	}
	return titles
}

type titledKind struct{ name, title, text string }

// good reports whether Holdfast kept its promises. What its clients try again by
// themselves, at the node that broke, is theirs: it may count twice.
func (r *comparisonReport) good() bool { return len(r.broken()) == 0 }

func (r *comparisonReport) broken() (list []string) {
	var errors, duplicated, lost, stale int
	for at, o := range r.results {
		if !own(at.crowd) {
			continue
		}
		lost, stale = lost+o.findings.Lost, stale+o.findings.Stale
		if survivors(at.crowd) {
			errors, duplicated = errors+o.findings.Errors, duplicated+o.findings.Duplicated
		}
	}
	var differ error
	for _, err := range r.differ {
		differ = err
	}
	all := report{findings: workload.Findings{Errors: errors, Lost: lost, Duplicated: duplicated, Stale: stale}, differ: differ}
	return all.broken()
}

func (r *comparisonReport) verdict() string {
	if broken := r.broken(); len(broken) > 0 {
		return "Holdfast broke a promise: " + strings.Join(broken, ", ")
	}
	return "Holdfast kept every promise: no lost write, no stale read; at surviving nodes no error and no duplicated increment"
}

func (r *comparisonReport) summary() string {
	commands := 0
	for _, o := range r.results {
		commands += o.findings.Writes + o.findings.Reads
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		faults = append(faults, fmt.Sprintf("%s of %s", thousands(r.faults[name]), name))
	}
	text := fmt.Sprintf("Faults in %s: %s; %s commands answered", length(r.lasted), strings.Join(faults, ", "), thousands(commands))
	if r.shortened != "" {
		text += "; " + r.shortened
	}
	return text
}

// rowsOf are the groups of clients that saw a kind of fault.
func (r *comparisonReport) rowsOf(kind string) (rows []row, outcomes []*outcome) {
	for _, crowd := range crowdNames {
		if o := r.results[result{kind, crowd}]; o != nil {
			rows, outcomes = append(rows, row{crowd, o.pauses}), append(outcomes, o)
		}
	}
	return rows, outcomes
}

func (r *comparisonReport) print(w io.Writer) {
	fmt.Fprintf(w, "\npause: the longest that any client was without a successful reply, in ms; an error and what follows it is part of the pause\n")
	for _, k := range r.comparedKinds() {
		fmt.Fprintf(w, "\n%s\n%-40s %4s %8s %8s %8s %8s %8s %10s %8s\n", k.title, "", "n", "p50", "p99", "max", "errors", "lost", "duplicated", "stale")
		rows, outcomes := r.rowsOf(k.name)
		for i, row := range rows {
			f := outcomes[i].findings
			fmt.Fprintf(w, "%-40s %4d %8s %8s %8s %8d %8d %10d %8d\n", row.name, len(row.Pauses),
				ms(row.Percentile(50)), ms(row.Percentile(99)), ms(row.Percentile(100)), f.Errors, f.Lost, f.Duplicated, f.Stale)
			for _, line := range r.goals(k.name, row) {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	fmt.Fprintln(w)
	for _, detail := range r.details() {
		fmt.Fprintln(w, detail)
	}
	grade := "PASS"
	if !r.good() {
		grade = "FAIL"
	}
	fmt.Fprintf(w, "\n%s. %s.\n%s.\n", grade, r.verdict(), r.summary())
}

// goals are what clients of Holdfast's surviving nodes had to see, and what this depends on.
func (r *comparisonReport) goals(kind string, at row) (lines []string) {
	if !own(at.name) || !survivors(at.name) {
		return nil
	}
	if text := judged(kind, r.load, at.Pauses); text != "" {
		lines = append(lines, "goal: "+text)
	}
	if m, ok := r.states[kind]; ok {
		lines = append(lines, m.String())
	}
	return lines
}

// details are the first broken promises of each group but errors of clients that lost
// their node.
func (r *comparisonReport) details() (list []string) {
	for _, k := range r.comparedKinds() {
		rows, outcomes := r.rowsOf(k.name)
		for i, o := range outcomes {
			for _, detail := range o.findings.Details[:min(3, len(o.findings.Details))] {
				list = append(list, fmt.Sprintf("%s, %s: %s", rows[i].name, k.name, strings.TrimSpace(detail)))
			}
		}
	}
	return list
}

// page is the comparison for a browser.
func (r *comparisonReport) page() page {
	p := page{
		Title: "Failover: Holdfast, Redis with Sentinel, and etcd", Good: r.good(), Verdict: r.verdict(), Summary: r.summary(),
		Settings: r.settings, Details: r.details(),
		Notes: []string{
			"A pause is the longest that any client of the group was without a successful reply after a fault. When a command fails, the pause lasts until one succeeds.",
			"Errors are commands that failed for the application, after all that the client tried by itself. After an error the application rests for 10 ms and goes on.",
			"Lost are acknowledged writes that were not there later, increments, keys and registers alike. Duplicated are increments that counted more often than they were asked for. Stale are reads that were behind what somebody had been told before.",
			"Clients of Holdfast and of etcd have a node of their own, and know all three: those of the broken one are shown apart. Clients of Redis are all at the primary.",
			"go-redis tries a command again by itself after a lost connection, although it may have run: an increment of a client whose node broke may so count twice, whatever the store. Applications that cannot have that switch it off (MaxRetries: -1).",
			"The stores take turns on the same machine, with new clients for each fault. Those that wait for their turn have no clients.",
		},
	}
	for _, k := range r.comparedKinds() {
		table := peerTable{Title: k.title, Text: k.text, Columns: []string{"n", "p50 ms", "p99 ms", "max ms", "errors", "lost", "duplicated", "stale"}}
		g := group{Title: k.title}
		rows, outcomes := r.rowsOf(k.name)
		for i, row := range rows {
			f := outcomes[i].findings
			cells := []cell{{Text: fmt.Sprint(len(row.Pauses))}}
			for _, percent := range []int{50, 99, 100} {
				cells = append(cells, cell{Text: ms(row.Percentile(percent))})
			}
			for _, n := range []int{f.Errors, f.Lost, f.Duplicated, f.Stale} {
				cells = append(cells, cell{thousands(n), n > 0})
			}
			table.Goals = append(table.Goals, r.goals(k.name, row)...)
			table.Rows = append(table.Rows, peerRow{row.name, own(row.name), cells})
			g.Rows = append(g.Rows, newPauseRow(row))
		}
		table.Pauses = g
		p.Peers = append(p.Peers, table)
	}
	return p
}

// peerTable sets groups of clients side by side.
type peerTable struct {
	Title, Text string
	Columns     []string
	Rows        []peerRow
	Goals       []string
	Pauses      group
}

type peerRow struct {
	Name  string
	Own   bool
	Cells []cell
}

type cell struct {
	Text string
	Bad  bool
}
