package test

import (
	"os/exec"
	"strings"
	"testing"

	"holdfast/test/harness"
)

// Dependencies point one way: cmd/node -> resp, cluster -> fsm. Whoever trips over a
// row will ask why, so it says why. A package stands for itself, and as the second
// word for all below it too.
var forbidden = []struct{ from, to, why string }{
	{"holdfast/fsm", "github.com/hashicorp", "state must not know how it is replicated"},
	{"holdfast/fsm", "holdfast/cluster", "state must not know how it is replicated"},
	{"holdfast/fsm", "holdfast/resp", "state must not know who asks for it"},
	{"holdfast/fsm", "net", "a state machine that talks is not deterministic"},
	{"holdfast/fsm", "os", "nor is one that looks at its machine"},
	{"holdfast/fsm", "time", "nor is one that asks what time it is: see Tx.Now"},
	{"holdfast/fsm", "math/rand", "nor is one that rolls its own dice: see Tx.Rand"},
	{"holdfast/fsm", "crypto/rand", "nor is one that rolls its own dice: see Tx.Rand"},
	{"holdfast/fsm", "log", "what to say of a reply is up to those who asked"},
	{"holdfast/resp", "holdfast/cluster", "connections use the Store interface they declare"},
	{"holdfast/resp", "github.com/hashicorp", "connections use the Store interface they declare"},
	{"holdfast/cluster", "holdfast/resp", "replication does not care about the client protocol"},
	{"holdfast/cluster", "github.com/tidwall/redcon", "replication does not care about the client protocol"},
	{"holdfast/cmd", "holdfast/test", "what is shipped does not need what tests it"},
}

func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = harness.Root()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		packages[words[0]] = true
		for _, to := range words[1:] {
			for _, rule := range forbidden {
				if in(words[0], rule.from) && (to == rule.to || strings.HasPrefix(to, rule.to+"/")) {
					t.Errorf("%s imports %s: %s", words[0], to, rule.why)
				}
			}
		}
	}
	for _, rule := range forbidden { // a rule about a package that is gone protects nothing
		if !packages[rule.from] && rule.from != "holdfast/cmd" {
			t.Errorf("there is no package %s", rule.from)
		}
	}
}

// in leaves out what lies below fsm: runners of its tests, which do talk.
func in(path, from string) bool {
	return path == from || from == "holdfast/cmd" && strings.HasPrefix(path, from+"/")
}
