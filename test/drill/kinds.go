package main

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/test/harness"
)

// kind is a way to break a node and to mend it.
type kind struct {
	name   string
	leader bool // the node that leads is broken, otherwise one that follows
	breaks func(*harness.Node) error
	mends  func(*harness.Node) error
	paused bool // while it is broken it still takes questions, to answer them afterwards
}

// calm is no fault at all: what clients see anyway, to compare with.
const calm = "nothing"

var kinds = []kind{
	{name: calm},
	{name: "kill-leader", leader: true, breaks: (*harness.Node).Kill, mends: (*harness.Node).Start},
	{name: "kill-follower", breaks: (*harness.Node).Kill, mends: (*harness.Node).Start},
	{name: "pause-leader", leader: true, breaks: (*harness.Node).Pause, mends: (*harness.Node).Resume, paused: true},
	{name: "pause-follower", breaks: (*harness.Node).Pause, mends: (*harness.Node).Resume, paused: true},
	{name: "stop-leader", leader: true, breaks: (*harness.Node).Stop, mends: (*harness.Node).Start},
	{name: "stop-follower", breaks: (*harness.Node).Stop, mends: (*harness.Node).Start},
}

// back names the row of pauses at a node's return.
func (k kind) back() string {
	if k.paused {
		return "resume"
	}
	return "restart"
}

func kindNames() string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return strings.Join(names, ",")
}

// parseKinds returns the kinds of a list, in the order of the table above.
func parseKinds(list string) ([]kind, error) {
	if list == "all" {
		return kinds, nil
	}
	words := strings.Split(list, ",")
	var chosen []kind
	used := map[string]bool{}
	for _, k := range kinds {
		verb, _, _ := strings.Cut(k.name, "-")
		for _, word := range []string{k.name, verb} {
			if slices.Contains(words, word) {
				used[word] = true
				if len(chosen) == 0 || chosen[len(chosen)-1].name != k.name {
					chosen = append(chosen, k)
				}
			}
		}
	}
	for _, word := range words {
		if !used[word] {
			return nil, fmt.Errorf("%q is no kind of fault; there are %s", word, kindNames())
		}
	}
	return chosen, nil
}
