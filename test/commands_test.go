package test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/test/harness"
)

// different tells of commands that are served, but not in all as Redis does.
var different = map[string]string{
	"acl|log":             "entries are those of the node that is asked",
	"bgsave":              "writes this node's snapshot",
	"client|list":         "lists the clients of the node that is asked",
	"client|pause":        "pauses the clients of the node that is asked",
	"cluster|info":        "tells of the nodes; there are no slots",
	"cluster|nodes":       "tells of the nodes; there are no slots",
	"config|get":          "parameters that mean nothing here are left out",
	"config|rewrite":      "does nothing: what CONFIG SET changes is kept at once, on every node",
	"config|set":          "changes the whole cluster; some parameters take no other value",
	"debug":               "DIGEST and SLEEP",
	"dump":                "collections are dumped in plain forms: other bytes, which Redis restores as well",
	"eval":                "no coroutines; limits count instructions and memory, and undo what went too far; the compiler's messages are its own",
	"eval_ro":             "does not make its script known",
	"evalsha":             "as EVAL",
	"hrandfield":          "at most 16777216 fields that may repeat",
	"info":                "a section raft; what is not measured is left out",
	"lastsave":            "of this node's newest snapshot",
	"latency|doctor":      "advice for this server",
	"latency|graph":       "drawn in columns",
	"monitor":             "shows the commands of the clients of the node that is asked, not those that scripts call; not inside MULTI",
	"cluster|forget":      "takes a node that does not run out of the whole cluster, by its id or its name",
	"cluster|failover":    "answers when this node leads; no FORCE, no TAKEOVER: only a majority makes a leader",
	"shutdown":            "as SIGTERM; the log has every write, so only SAVE takes a snapshot",
	"slowlog|get":         "of the node that is asked; times have replication in them",
	"object|encoding":     "what a Redis has that has just loaded the value",
	"object|idletime":     "always 0: it is not kept",
	"publish":             "counts the subscribers of all nodes that answer in time",
	"readonly":            "reads may be answered from this node's own, perhaps stale, copy",
	"restore":             "takes what Redis up to 7.4 has dumped, and only a value without anything behind it",
	"role":                "every node says that it is a master",
	"save":                "writes this node's snapshot",
	"script|kill":         "never has anything to do: scripts are ended by their limits",
	"sort":                "ALPHA compares bytes, whatever the locale; of elements with equal weights the first stays first",
	"sort_ro":             "as SORT",
	"spop":                "the dice are those of the log",
	"srandmember":         "at most 16777216 members that may repeat",
	"subscribe":           "not inside MULTI",
	"wait":                "counts voters that hold every write acknowledged before",
	"zadd":                "a small sorted set holds 0 for -0, also if it was large once",
	"zrandmember":         "at most 16777216 members that may repeat",
	"acl|save":            "a copy: users are kept without it",
	"psync":               "always sends a dump, and closes the connection behind it",
	"replconf":            "for dumps alone: rdb-only and capa",
	"sync":                "sends a dump, and closes the connection behind it",
	"psubscribe":          "not inside MULTI",
	"ssubscribe":          "not inside MULTI",
	"memory|doctor":       "advice for this server",
	"memory|malloc-stats": "what the Go runtime tells",
	"memory|purge":        "collects garbage",
	"memory|stats":        "of the Go heap; no db.N, since tables are not measured",
	"memory|usage":        "estimated for this server",
}

// refused tells why commands of Redis will not be served.
var refused = map[string]string{
	"asking": "there are no slots", "cluster": "there are no slots: INFO says cluster_enabled:0", "failover": "CLUSTER FAILOVER does it",
	"migrate": "there is one cluster, without slots to move", "module": "there are no modules",
	"replicaof": "replication is the nodes' own", "slaveof": "replication is the nodes' own",
	"restore-asking": "there are no slots", "pfdebug": "for the developers of Redis", "pfselftest": "for the developers of Redis",
	"bgrewriteaof": "the log is the nodes' own, and truncated by snapshots",
}

// planned are those among the refused containers' commands that will come.
var planned = []string{"cluster|meet"}

// docs/commands.md tells how every command of Redis 7.0 stands here. What is done is what
// a node lists; go test ./test -run TestCommandsPage -update writes the page.
func TestCommandsPage(t *testing.T) {
	c, err := harness.New(harness.Config{Binary: binary, Dir: t.TempDir(), Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ours, theirs := commandsOf(t, c.Nodes[0]), commandsOf(t, startRedis(t))
	page := commandsPage(ours, theirs)
	path := filepath.Join(harness.Root(), "docs", "commands.md")
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != page {
		t.Errorf("docs/commands.md is not what the tables of commands make (%v): run this test with -update and read the change", err)
	}
}

// commandsOf returns the group of each command and subcommand of a server, by full name.
func commandsOf(t *testing.T, n *harness.Node) map[string]string {
	t.Helper()
	reply, err := n.Do("COMMAND", "DOCS")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{}
	var add func(docs []any)
	add = func(docs []any) {
		for i := 0; i+1 < len(docs); i += 2 {
			name, fields := docs[i].(string), docs[i+1].([]any)
			for k := 0; k+1 < len(fields); k += 2 {
				switch fields[k] {
				case "group":
					groups[name] = fields[k+1].(string)
				case "subcommands":
					add(fields[k+1].([]any))
				}
			}
		}
	}
	add(reply.([]any))
	for name := range groups { // HELP is everywhere, and a container is its subcommands
		container, sub, _ := strings.Cut(name, "|")
		if sub == "help" {
			delete(groups, name)
		} else if sub != "" {
			delete(groups, container)
		}
	}
	return groups
}

func commandsPage(ours, theirs map[string]string) string {
	type line struct{ name, state, note string }
	byGroup := map[string][]line{}
	counts := map[string]int{}
	names := map[string]string{}
	maps.Copy(names, theirs)
	for name, group := range ours {
		if names[name] == "" {
			names[name] = group
		}
	}
	for name, group := range names {
		l := line{name: strings.ToUpper(strings.ReplaceAll(name, "|", " "))}
		container, _, _ := strings.Cut(name, "|")
		switch {
		case ours[name] != "" && theirs[name] == "":
			l.state, l.note = "done", cmp.Or(different[name], "came after Redis 7.0")
		case ours[name] != "" && different[name] != "":
			l.state, l.note = "different", different[name]
		case ours[name] != "":
			l.state = "done"
		case !slices.Contains(planned, name) && (refused[name] != "" || refused[container] != ""):
			l.state, l.note = "refused", cmp.Or(refused[name], refused[container])
		default:
			l.state = "planned"
		}
		counts[l.state]++
		byGroup[group] = append(byGroup[group], l)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\nHow each command of Redis 7.0 stands in Holdfast: %d done, %d different, %d planned, %d refused. A command that is not served\ngets Redis's own error for an unknown command. This page is made by a test from what a node and a Redis say of themselves.\n",
		counts["done"], counts["different"], counts["planned"], counts["refused"])
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		lines := byGroup[group]
		slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
		fmt.Fprintf(&b, "\n## %s\n\n| command | state | |\n| --- | --- | --- |\n", group)
		for _, l := range lines {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", l.name, l.state, l.note)
		}
	}
	return b.String()
}
