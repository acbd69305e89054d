package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every load has a row for every target, each with figures, and a ratio wherever there
// is something to compare with. What the figures are is not for a test to judge.
func TestTable(t *testing.T) { testTable(t, options{keys: 1000}) }

// So has every command of every type.
func TestTypes(t *testing.T) { testTable(t, options{types: true}) }

func testTable(t *testing.T, o options) {
	t.Parallel()
	var out strings.Builder
	o.rounds, o.duration, o.warmUp, o.others, o.dir = 1, 50*time.Millisecond, 1, 1e9, t.TempDir()
	if err := run(o, &out); err != nil {
		t.Fatal(err)
	}
	loads, targets := o.plan().loads, o.plan().targets
	blocks := strings.Split(strings.TrimSpace(out.String()), "\n\n")[1:] // behind the heading
	if len(blocks) != len(loads) {
		t.Fatalf("%d blocks for %d loads:\n%s", len(blocks), len(loads), out.String())
	}
	figures := `\s+[1-9]\d*(\s+\d+\.\d+){3}`
	compared := `\s+\d+\.\d\d \(\d+\.\d\d \.\. \d+\.\d\d\) of `
	for i, block := range blocks {
		lines := strings.Split(block, "\n")
		if len(lines) != 1+len(targets) || !strings.HasPrefix(lines[0], title(loads[i])) {
			t.Errorf("block of %s:\n%s", title(loads[i]), block)
			continue
		}
		for k, to := range targets {
			row := regexp.QuoteMeta(to.String()) + figures
			if goal, ok := goalOf(benchmark{loads[i], to}); ok {
				row += compared + goal.of.String()
				if goal.share > 0 {
					row += `, to reach 0\.\d\d: (reached|missed)$`
				}
			}
			if !regexp.MustCompile(row).MatchString(lines[1+k]) {
				t.Errorf("row of %s, %s: %q", title(loads[i]), to, lines[1+k])
			}
		}
	}
}

// Every process has a row, and no session costs less than what is in it.
func TestMemory(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(options{memory: true, sessions: 20_000, dir: t.TempDir()}, &out); err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^(n[123]|redis).* 20000 +\d+ +(\d+) +\d+\.\d\d$`).FindAllStringSubmatch(out.String(), -1)
	if len(rows) != 4 {
		t.Fatalf("want rows of three nodes and redis:\n%s", out.String())
	}
	for _, row := range rows {
		if bytes, err := strconv.Atoi(row[2]); err != nil || bytes < 329 {
			t.Errorf("%s holds a session of 329 bytes in %s", row[1], row[2])
		}
	}
}

// Every outage has a row with figures, and the time of a return.
func TestOutages(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(options{outages: true, rounds: 1, duration: 50 * time.Millisecond, sessions: 500, only: regexp.MustCompile("P16"), dir: t.TempDir()}, &out); err != nil {
		t.Fatal(err)
	}
	row := ` +[1-9]\d* +[1-9]\d* +(\d+\.\d)? +\d+\.\d\d \(\d+\.\d\d \.\. \d+\.\d\d\), to reach 0\.[89]0: (reached|missed)\n`
	for _, event := range outages {
		rows := regexp.MustCompile(event.name+row).FindAllStringSubmatch(out.String(), -1)
		if len(rows) != 1 || event.behind != nil && rows[0][1] == "" {
			t.Errorf("rows of %q are missing:\n%s", event.name, out.String())
		}
	}
}

// Every type has a row for every size, and no element costs less than what is in it.
func TestElements(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	// What else grows and shrinks, some 100 KB, is a byte of an element here.
	o := options{perElement: true, elements: 100_000, sizes: []int{10, 1000}, dir: t.TempDir()}
	if err := run(o, &out); err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^[A-Z]+ +\d+ +(\d+)\.\d +(\d+)\.\d +\d+\.\d\d$`).FindAllStringSubmatch(out.String(), -1)
	if len(rows) != len(filled)*len(o.sizes) {
		t.Fatalf("rows are missing:\n%s", out.String())
	}
	for _, row := range rows {
		for _, cost := range row[1:] {
			if bytes, err := strconv.Atoi(cost); err != nil || bytes < 20 {
				t.Errorf("an element of 20 bytes is held in %s: %s", cost, row[0])
			}
		}
	}
}
