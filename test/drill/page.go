package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/test/workload"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is what an HTML report shows. It loads nothing from anywhere.
type page struct {
	Title    string
	Good     bool
	Verdict  string
	Summary  string
	Tiles    []tile
	Timeline *chart
	Closeups []chart
	Groups   []group // pauses
	Goals    []string
	Peers    []peerTable
	Settings settings
	Details  []string
	Notes    []string // how to read it
}

// tile is a figure that is to be seen first.
type tile struct {
	Name, Value string
	Bad         bool
}

// group is rows of pauses under a title.
type group struct {
	Title string
	Rows  []pauseRow
}

// pauseRow is the pauses of one kind, as words and as marks along a scale by decades.
type pauseRow struct {
	Name                    string
	N                       int
	Min, P50, P90, P99, Max string
	Marks                   []float64 // per cent from the left
	Middle                  float64
}

func newPauseRow(r row) pauseRow {
	p := pauseRow{Name: r.name, N: len(r.Pauses), Middle: 100 * scale(r.Percentile(50))}
	for _, at := range []struct {
		percent int
		text    *string
	}{{0, &p.Min}, {50, &p.P50}, {90, &p.P90}, {99, &p.P99}, {100, &p.Max}} {
		*at.text = ms(r.Percentile(at.percent))
	}
	for _, pause := range r.Pauses {
		p.Marks = append(p.Marks, min(100, 100*scale(pause)))
	}
	return p
}

// Scale are the words under the marks.
func (group) Scale() (ticks []tick) {
	for _, wait := range []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second} {
		ticks = append(ticks, tick{100 * scale(wait), shortDuration(wait)})
	}
	return ticks
}

func writePage(file string, p page) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pageTemplate.Execute(f, p); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

// page is the report for a browser.
func (r *report) page() page {
	f := r.findings
	p := page{
		Title: "Holdfast failover drill", Good: r.good(), Verdict: r.verdict(), Summary: r.summary(),
		Tiles: []tile{
			{"errors at surviving nodes", thousands(f.Errors), f.Errors > 0},
			{"acknowledged writes lost", thousands(f.Lost), f.Lost > 0},
			{"duplicated increments", thousands(f.Duplicated), f.Duplicated > 0},
			{"stale reads", thousands(f.Stale), f.Stale > 0},
		},
		Settings: r.settings, Details: f.Details, Goals: r.goals(),
		Notes: []string{
			"A pause is the longest that any client of a surviving node waited for a reply after a fault. A command that was on its way counts from the fault on.",
			"kill is SIGKILL, pause is SIGSTOP, stop is SIGTERM; cut takes a node from the others so that every packet is lost without a word. failover is CLUSTER FAILOVER at a follower: the leader only leads no longer, and no node's clients are left out. kill-loaded-leader comes while clients do not rest between their commands. The leader is the node that all writes go through, a follower one of the other two. \"nothing\" is a second without any fault: what clients wait anyway.",
			"restart, resume and rejoin are the pauses while the broken node comes back.",
			"Each client increments a counter, sets a register, leaves keys with a deadline behind, and reads the counter of another client, which must not be behind what that client had been told. At the end every counter, register and key is compared with what was acknowledged, and the nodes' states with each other.",
			"Errors and missing answers at the broken node itself are expected and not counted: its clients have to connect elsewhere.",
		},
	}
	equal := tile{"final states of the nodes", "equal", false}
	if r.differ != nil {
		equal.Value, equal.Bad = "DIFFER", true
		p.Details = append(p.Details, r.differ.Error())
	}
	p.Tiles = append(p.Tiles, equal)
	if _, pause := r.worst(); pause > 0 {
		p.Tiles = append(p.Tiles, tile{"longest pause", ms(pause) + " ms", false})
	}

	rates := topRate(r.moments)
	if len(r.moments) > 0 {
		c := newChart(r.moments, 0, len(r.moments), r.faults, rates)
		c.timeAxis(0, time.Duration(len(r.moments))*workload.Tick, 0)
		p.Timeline = &c
	}
	for _, k := range kinds {
		if f, ok := r.typical(k.name); ok {
			p.Closeups = append(p.Closeups, r.closeup(f, rates))
		}
	}
	groups := []group{{Title: "While a node breaks"}, {Title: "While it comes back"}}
	for _, row := range r.rows() {
		i := 0
		if slices.Contains(returns, row.name) {
			i = 1
		}
		groups[i].Rows = append(groups[i].Rows, newPauseRow(row))
	}
	for _, g := range groups {
		if len(g.Rows) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
	return p
}

// typical is a kind's fault with the median pause.
func (r *report) typical(kind string) (middle fault, ok bool) {
	median := r.pauses[kind].Percentile(50)
	for _, f := range r.faults {
		if f.kind == kind && (!ok || (f.pause-median).Abs() < (middle.pause-median).Abs()) {
			middle, ok = f, true
		}
	}
	return middle, ok
}

const (
	closeupBefore = 500 * time.Millisecond
	closeupAfter  = 2500 * time.Millisecond
)

// closeup is a fault from shortly before it until after.
func (r *report) closeup(f fault, rates float64) chart {
	from, to := int((f.at-closeupBefore)/workload.Tick), int((f.at+closeupAfter)/workload.Tick)
	c := newChart(r.moments, from, to, []fault{f}, rates)
	c.Title = f.kind
	c.Subtitle = fmt.Sprintf("pause %s ms", ms(f.pause))
	begin := time.Duration(max(0, from)) * workload.Tick
	c.timeAxis(begin, begin+time.Duration(c.Columns)*workload.Tick, f.at)
	return c
}

// verbs are the kinds of fault in a chart, for its legend.
func (c chart) Verbs() (list []string) {
	for _, f := range c.Faults {
		if !slices.Contains(list, f.Verb) {
			list = append(list, f.Verb)
		}
	}
	slices.Sort(list)
	return list
}

// Few reports whether there is room for a word at each fault.
func (c chart) Few() bool { return len(c.Faults) <= 8 }

// Percent is a column's place from the left.
func (c chart) Percent(x float64) string {
	return number(100*x/float64(max(1, c.Columns))) + "%"
}

// Label is a fault's name in few letters.
func (m mark) Label() string {
	kind, _, _ := strings.Cut(m.Title, ",")
	return strings.ReplaceAll(kind, "-", " ")
}
