package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/workload"
)

// sample is ten seconds in which a leader is killed at 2.5 s; for six tenths of a second
// nobody gets a reply. A follower is cut off at 7 s.
func sample() *report {
	r := &report{
		pauses: map[string]workload.Pauses{"kill-leader": {600 * time.Millisecond}, "cut-follower": {20 * time.Millisecond}, "restart": {5 * time.Millisecond}},
		faults: []fault{
			{"kill-leader", "n2", 2500 * time.Millisecond, 3500 * time.Millisecond, 600 * time.Millisecond, 5 * time.Millisecond},
			{"cut-follower", "n1", 7 * time.Second, 8250 * time.Millisecond, 20 * time.Millisecond, 0},
		},
		findings: workload.Findings{Writes: 9000, Reads: 1234, Excused: 3},
		lasted:   10 * time.Second,
	}
	r.settings.add("Further flags of nodes", "--snapshot-bytes 1 <b>")
	for i := range 100 {
		m := workload.Moment{Replies: 150, P50: time.Millisecond, P99: 10 * time.Millisecond}
		if i >= 25 && i < 31 {
			m = workload.Moment{}
		}
		r.moments = append(r.moments, m)
	}
	return r
}

// sampleComparison is one fault of each store.
func sampleComparison() *comparisonReport {
	r := &comparisonReport{results: map[result]*outcome{}, faults: map[string]int{"Holdfast": 1}, lasted: 20 * time.Second}
	for i, crowd := range crowdNames {
		r.results[result{"kill-leader", crowd}] = &outcome{pauses: workload.Pauses{time.Duration(i+1) * 100 * time.Millisecond}, findings: workload.Findings{Writes: 10}}
	}
	return r
}

func write(t *testing.T, p page) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := writePage(file, p); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The report is well formed and asks for nothing that is not in it.
func TestPage(t *testing.T) {
	bad := sample()
	bad.findings.Lost, bad.differ = 3, errors.New("the digests differ")
	bad.findings.Details = []string{"GET <count> was 3"}
	for name, p := range map[string]page{
		"good": sample().page(), "bad": bad.page(), "empty": (&report{}).page(), "peers": sampleComparison().page(),
	} {
		text := write(t, p)
		if reference := regexp.MustCompile(`(?i)https?:|//\w|\b(src|href|action|data)\s*=|url\(|@import|<script|<link|<iframe`).FindString(text); reference != "" {
			t.Errorf("%s: there is %q in the page", name, reference)
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "<b>\"") {
			t.Errorf("%s: the page has what is no value", name)
		}
		if err := wellFormed(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(text, "prefers-color-scheme: dark") || !strings.Contains(text, "<title>"+p.Title) {
			t.Errorf("%s: no dark colours or no title", name)
		}
	}
	if text := write(t, sample().page()); !strings.Contains(text, "PASSED") || !strings.Contains(text, "2 faults in 10 s; 10,234 commands answered; the longest pause 600.0 ms (kill-leader)") {
		t.Error("the good report does not say so")
	}
	text := write(t, bad.page())
	for _, want := range []string{"FAILED", "A promise was broken: 3 acknowledged writes lost, the states of the nodes differ", "GET &lt;count&gt; was 3", "--snapshot-bytes 1 &lt;b&gt;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the bad report does not say %q", want)
		}
	}
}

// wellFormed checks that every element is closed where it should be.
func wellFormed(text string) error {
	body, ok := strings.CutPrefix(text, "<!doctype html>")
	if !ok {
		return errors.New("no doctype")
	}
	d := xml.NewDecoder(strings.NewReader(body))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Gaps and faults stand where they were.
func TestChart(t *testing.T) {
	r := sample()
	c := newChart(r.moments, 0, 100, r.faults, 2000)
	if c.Columns != 100 {
		t.Fatalf("%d columns", c.Columns)
	}
	// Replies fall to the axis from column 25 to 31, and nowhere else.
	heights := drawn(t, c.Replies)
	for i, y := range heights {
		want := 25.0 // 1500 of 2000 a second
		if i >= 25 && i < 31 {
			want = drawingHeight
		}
		if y != want {
			t.Errorf("column %d is at %v, want %v", i, y, want)
		}
	}
	for name, path := range map[string]string{"p50": c.P50, "p99": c.P99} {
		if moves := regexp.MustCompile(`M\d+`).FindAllString(path, -1); !slices.Equal(moves, []string{"M0", "M31"}) {
			t.Errorf("%s begins at %v: %s", name, moves, path)
		}
		if !strings.Contains(path, "H25M31") {
			t.Errorf("%s does not end at the gap: %s", name, path)
		}
	}
	want := []mark{{X: 25, Width: 10, Class: "leader", Verb: "kill"}, {X: 70, Width: 12.5, Class: "follower", Verb: "cut"}}
	for i, m := range c.Faults {
		m.Title = ""
		if i >= len(want) || m != want[i] {
			t.Errorf("fault %d: %+v", i, m)
		}
	}
	text := write(t, r.page())
	for _, place := range []string{`<rect class="band kill leader" x="25.00" y="0" width="10.00"`, `<rect class="band cut follower" x="70.00" y="0" width="12.50"`, `style="left:25%">kill leader<`} {
		if !strings.Contains(text, place) {
			t.Errorf("the page has no %s", place)
		}
	}
}

// drawn reads an area back: the height over each column.
func drawn(t *testing.T, path string) (heights []float64) {
	t.Helper()
	for _, step := range regexp.MustCompile(`V([\d.]+)H(\d+)`).FindAllStringSubmatch(path, -1) {
		var y float64
		fmt.Sscan(step[1], &y)
		heights = append(heights, y)
		if step[2] != fmt.Sprint(len(heights)) {
			t.Fatalf("column %d ends at %s", len(heights), step[2])
		}
	}
	return heights
}

// A close-up has its fault half a second from its left.
func TestCloseup(t *testing.T) {
	r := sample()
	f, ok := r.typical("kill-leader")
	c := r.closeup(f, 2000)
	if !ok || c.Columns != 30 || len(c.Faults) != 1 || c.Faults[0].X != 5 || c.Faults[0].Width != 10 {
		t.Errorf("%v: %d columns, faults %+v", ok, c.Columns, c.Faults)
	}
	heights := drawn(t, c.Replies)
	if heights[4] == drawingHeight || heights[5] != drawingHeight || heights[10] != drawingHeight || heights[11] == drawingHeight {
		t.Errorf("the gap is elsewhere: %v", heights)
	}
	i := slices.IndexFunc(c.Times, func(t tick) bool { return t.Text == "0" })
	if i < 0 || c.Times[i].At < 16.6 || c.Times[i].At > 16.7 { // 5 of 30 columns
		t.Errorf("time 0 is not at the fault: %+v", c.Times)
	}
	if _, ok := r.typical("pause-leader"); ok {
		t.Error("a fault that never was")
	}
}

// An hour is drawn in as many columns as a page has room for, and a gap of one moment is
// not lost among those of its column: the longest wait is there, and the errors are.
func TestLongChart(t *testing.T) {
	moments := make([]workload.Moment, 36_000)
	for i := range moments {
		moments[i] = workload.Moment{Replies: 100, P50: time.Millisecond, P99: time.Millisecond}
	}
	moments[18_000].P99, moments[18_000].Errors = 10*time.Second, 1
	c := newChart(moments, 0, len(moments), []fault{{kind: "kill-leader", at: 30 * time.Minute, back: 30*time.Minute + time.Second}}, 1000)
	if c.Columns != maxColumns {
		t.Errorf("%d columns", c.Columns)
	}
	if !strings.Contains(c.P99, "V0H451") || len(c.Errors) != 1 || c.Errors[0].X != 450 || c.Faults[0].X != 450 {
		t.Errorf("errors %+v, faults %+v, p99 %s", c.Errors, c.Faults, c.P99)
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0", 100 * time.Microsecond: "0.1 ms", 10 * time.Millisecond: "10 ms", -500 * time.Millisecond: "-500 ms",
		1500 * time.Millisecond: "1.5 s", 2 * time.Minute: "2 min", 90 * time.Second: "1:30 min"} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v is %s", d, got)
		}
	}
	if got := topRate([]workload.Moment{{Replies: 131}, {Replies: 3}}); got != 1600 {
		t.Errorf("1310 a second fit below %v", got)
	}
	help := "  --election-timeout=500ms  How long ($HOLDFAST_ELECTION_TIMEOUT)."
	if got := defaultOf("election-timeout", help) + defaultOf("log-store", help); got != "500ms" {
		t.Errorf("the default is %q", got)
	}
}

// In a comparison Holdfast is judged, and the others are told of. What go-redis tries again
// at the node that broke is its own.
func TestComparison(t *testing.T) {
	tests := []struct {
		name  string
		crowd int
		f     workload.Findings
		good  bool
	}{
		{"nothing", 0, workload.Findings{}, true},
		{"an error at a surviving node", 0, workload.Findings{Errors: 1}, false},
		{"a duplicate at a surviving node", 0, workload.Findings{Duplicated: 1}, false},
		{"an error and a duplicate at the broken node", 1, workload.Findings{Errors: 1, Duplicated: 1}, true},
		{"a lost write at the broken node", 1, workload.Findings{Lost: 1}, false},
		{"a stale read at the broken node", 1, workload.Findings{Stale: 1}, false},
		{"everything in Redis", 2, workload.Findings{Errors: 1, Lost: 1, Duplicated: 1, Stale: 1}, true},
	}
	for _, test := range tests {
		r := sampleComparison()
		r.results[result{"kill-leader", crowdNames[test.crowd]}].findings = test.f
		if r.good() != test.good {
			t.Errorf("%s: good is %v", test.name, r.good())
		}
	}
	r := sampleComparison()
	r.differ = []error{errors.New("Holdfast: the digests differ")}
	if r.good() {
		t.Error("states that differ are good")
	}
	var out strings.Builder
	r.print(&out)
	for i, crowd := range crowdNames {
		if want := fmt.Sprintf("%-40s    1 %4d00.0", crowd, i+1); !strings.Contains(out.String(), want) {
			t.Errorf("no row %q in:\n%s", want, out.String())
		}
	}
}
