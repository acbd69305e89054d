package main

import (
	"errors"
	"strings"
	"testing"

	"holdfast/test/workload"
)

func TestParseKinds(t *testing.T) {
	for list, want := range map[string]string{
		"all":                        kindNames(),
		"kill":                       "kill-leader,kill-follower",
		"stop-leader,kill-leader":    "kill-leader,stop-leader",
		"pause,pause-leader,nothing": "nothing,pause-leader,pause-follower",
		"":                           "",
		"kill,burn":                  "",
	} {
		chosen, err := parseKinds(list)
		var names []string
		for _, k := range chosen {
			names = append(names, k.name)
		}
		if got := strings.Join(names, ","); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %s, %v, want %s", list, got, err, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		report report
		good   bool
	}{
		{"promises kept, errors at nodes that were down", report{findings: workload.Findings{Excused: 1, Unknown: 1}}, true},
		{"an error at a surviving node", report{findings: workload.Findings{Errors: 1}}, false},
		{"a lost write", report{findings: workload.Findings{Lost: 1}}, false},
		{"a duplicated increment", report{findings: workload.Findings{Duplicated: 1}}, false},
		{"a stale read", report{findings: workload.Findings{Stale: 1}}, false},
		{"states that differ", report{differ: errors.New("the digests differ")}, false},
	}
	for _, test := range tests {
		if got := test.report.good(); got != test.good {
			t.Errorf("%s: good is %v", test.name, got)
		}
	}
}
