package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/test/workload"
)

// A drawing has a coordinate system of its own, and is stretched to the width that there
// is: x in columns, y from 0 at the top to drawingHeight. Words stand beside it, placed in
// per cent.
const drawingHeight = 100

// maxColumns bounds a drawing: a long run has several moments in a column.
const maxColumns = 900

// chart is a stretch of time, drawn.
type chart struct {
	Title, Subtitle string
	Columns         int
	Replies         string // an area: replies a second
	Errors          []mark // columns with errors at nodes that were not down
	P50, P99        string // lines
	Faults          []mark
	Times           []tick // along the axis
	Rates           []tick
	Waits           []tick
}

// mark is a stretch of a chart.
type mark struct {
	X, Width float64
	Class    string // leader or follower
	Verb     string // kill, pause, cut, stop or failover
	Title    string
}

// tick is a word on an axis.
type tick struct {
	At   float64 // per cent from the left, or from the top
	Text string
}

// newChart draws the moments from one to another, and the faults among them. Faults are in
// the clock of the moments.
func newChart(moments []workload.Moment, from, to int, faults []fault, topRate float64) chart {
	from, to = max(0, from), min(to, len(moments))
	each := max(1, (to-from+maxColumns-1)/maxColumns) // moments in a column
	var rates, p50, p99 []float64
	c := chart{}
	for first := from; first < to; first += each {
		group := moments[first:min(first+each, to)]
		replies, errors := 0, 0
		var halves, worst time.Duration
		var medians []time.Duration
		for _, m := range group {
			replies, errors = replies+m.Replies, errors+m.Errors
			worst = max(worst, m.P99)
			if m.P50 > 0 {
				medians = append(medians, m.P50)
			}
		}
		if len(medians) > 0 {
			slices.Sort(medians)
			halves = medians[len(medians)/2]
		}
		rates = append(rates, float64(replies)/(float64(len(group))*workload.Tick.Seconds()))
		p50 = append(p50, waitHeight(halves))
		p99 = append(p99, waitHeight(worst))
		if errors > 0 {
			c.Errors = append(c.Errors, mark{X: float64(len(rates) - 1), Width: 1, Title: fmt.Sprintf("%d errors", errors)})
		}
	}
	c.Columns = len(rates)
	c.Replies = area(rates, topRate)
	c.P50, c.P99 = steps(p50), steps(p99)
	column := func(at time.Duration) float64 {
		return (float64(at)/float64(workload.Tick) - float64(from)) / float64(each)
	}
	for _, f := range faults {
		begin, end := max(0, column(f.at)), min(float64(c.Columns), column(f.back))
		if end <= 0 || begin >= float64(c.Columns) || end < begin {
			continue
		}
		verb, _, _ := strings.Cut(f.kind, "-")
		class := f.kind[strings.LastIndexByte(f.kind, '-')+1:]
		c.Faults = append(c.Faults, mark{begin, end - begin, class, verb,
			fmt.Sprintf("%s, %s, at %.1f s: pause %s ms", f.kind, f.victim, f.at.Seconds(), ms(f.pause))})
	}
	for i := range 3 {
		rate := topRate * float64(2-i) / 2
		c.Rates = append(c.Rates, tick{float64(i) * 50, thousands(int(rate))})
	}
	for _, wait := range []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second} {
		c.Waits = append(c.Waits, tick{waitHeight(wait), shortDuration(wait)})
	}
	return c
}

// timeAxis labels a chart with the seconds since some moment.
func (c *chart) timeAxis(from, to, zero time.Duration) {
	span := to - from
	if span <= 0 {
		return
	}
	step := time.Hour
	for _, s := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute} {
		if span/s <= 7 {
			step = s
			break
		}
	}
	for at := (from - zero).Truncate(step); at <= to-zero; at += step {
		if place := float64(at+zero-from) / float64(span) * 100; place >= 0 && place <= 100 {
			c.Times = append(c.Times, tick{place, shortDuration(at)})
		}
	}
}

func shortDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d.Abs() < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d.Abs() < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%g s", d.Seconds())
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}

// waitHeight is where a wait is on an axis by decades from 0.1 ms, below, to 10 s. No wait
// is below the axis.
func waitHeight(wait time.Duration) float64 {
	if wait <= 0 {
		return math.NaN()
	}
	return min(max(drawingHeight*(1-scale(wait)), 0), drawingHeight)
}

// scale is a wait's share of the way from 0.1 ms to 10 s, by decades.
func scale(wait time.Duration) float64 {
	return math.Log10(max(float64(wait)/float64(100*time.Microsecond), 1)) / 5
}

// area is a path over the columns, closed along the axis.
func area(values []float64, top float64) string {
	var path strings.Builder
	fmt.Fprintf(&path, "M0,%d", drawingHeight)
	for i, value := range values {
		fmt.Fprintf(&path, "V%sH%d", number(drawingHeight*(1-min(1, value/top))), i+1)
	}
	fmt.Fprintf(&path, "V%dZ", drawingHeight)
	return path.String()
}

// steps is a path of heights, one for each column, with gaps where there is none.
func steps(heights []float64) string {
	var path strings.Builder
	drawing := false
	for i, y := range heights {
		switch {
		case math.IsNaN(y):
			drawing = false
			continue
		case drawing:
			fmt.Fprintf(&path, "V%s", number(y))
		default:
			fmt.Fprintf(&path, "M%d,%s", i, number(y))
		}
		fmt.Fprintf(&path, "H%d", i+1)
		drawing = true
	}
	return path.String()
}

// number is short.
func number(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.1f", x), "0"), ".")
}

// topRate is a round number that is not below any rate.
func topRate(moments []workload.Moment) float64 {
	most := 1.0
	for _, m := range moments {
		most = max(most, float64(m.Replies)/workload.Tick.Seconds())
	}
	decade := math.Pow(10, math.Floor(math.Log10(most)))
	for _, factor := range []float64{1, 1.2, 1.6, 2, 3, 4, 5, 6, 8} {
		if decade*factor >= most {
			return decade * factor
		}
	}
	return decade * 10
}
