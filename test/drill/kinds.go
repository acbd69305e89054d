package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/test/harness"
)

// kind is a way to break a node and to mend it.
type kind struct {
	name    string
	leader  bool // the node that leads is broken, otherwise one that follows
	breaks  func(*drill, *harness.Node) error
	mends   func(*drill, *harness.Node) error
	silent  bool // while it is broken it still takes questions, to answer them afterwards
	cut     bool // it needs a network that can be cut
	loaded  bool // clients do not rest meanwhile
	planned bool // the node only leads no longer: it goes on, and nothing is to be mended
}

// calm is no fault at all: what clients see anyway, to compare with.
const calm = "nothing"

var kinds = []kind{
	{name: calm},
	{name: "kill-leader", leader: true, breaks: process((*harness.Node).Kill), mends: process((*harness.Node).Start)},
	{name: "kill-loaded-leader", leader: true, breaks: process((*harness.Node).Kill), mends: process((*harness.Node).Start), loaded: true},
	{name: "kill-follower", breaks: process((*harness.Node).Kill), mends: process((*harness.Node).Start)},
	{name: "pause-leader", leader: true, breaks: process((*harness.Node).Pause), mends: process((*harness.Node).Resume), silent: true},
	{name: "pause-follower", breaks: process((*harness.Node).Pause), mends: process((*harness.Node).Resume), silent: true},
	{name: "cut-leader", leader: true, breaks: (*drill).cut, mends: (*drill).join, silent: true, cut: true},
	{name: "cut-follower", breaks: (*drill).cut, mends: (*drill).join, silent: true, cut: true},
	{name: "stop-leader", leader: true, breaks: process((*harness.Node).Stop), mends: process((*harness.Node).Start)},
	{name: "stop-follower", breaks: process((*harness.Node).Stop), mends: process((*harness.Node).Start)},
	{name: "failover-leader", leader: true, breaks: (*drill).failover, planned: true},
}

// process is what happens to a node's process alone.
func process(do func(*harness.Node) error) func(*drill, *harness.Node) error {
	return func(_ *drill, n *harness.Node) error { return do(n) }
}

// verb is what is done to the node, whichever it is.
func (k kind) verb() string {
	verb, _, _ := strings.Cut(k.name, "-")
	return verb
}

// back names the row of pauses at a node's return.
func (k kind) back() string {
	switch {
	case k.cut:
		return "rejoin"
	case k.silent:
		return "resume"
	}
	return "restart"
}

// returns are the rows that back names.
var returns = []string{"restart", "resume", "rejoin"}

// lasts is about how long a fault takes, from one to the next.
func (k kind) lasts() time.Duration {
	switch {
	case k.name == calm:
		return watch
	case k.planned:
		return watch + settle
	case k.silent:
		return 2*watch + watch/4 + settle + 600*time.Millisecond
	}
	return 2*watch + settle + 300*time.Millisecond
}

func needCut(chosen []kind) bool {
	return slices.ContainsFunc(chosen, func(k kind) bool { return k.cut })
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
		for _, word := range []string{k.name, k.verb()} {
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
