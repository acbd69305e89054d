package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/test/harness"
)

// Every mutation still has its place in the program.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations {
		text, err := os.ReadFile(filepath.Join(harness.Root(), m.file))
		if err == nil {
			_, err = m.apply(string(text))
		}
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// Each run of the tests breaks one promise in fsm and one in cluster, by chance, and wants
// both noticed. All of them take too long for that: go run ./test/mutations.
func TestSomeMutations(t *testing.T) {
	byPackage := map[string][]mutation{}
	for _, m := range mutations {
		byPackage[m.pkg] = append(byPackage[m.pkg], m)
	}
	var chosen []mutation
	for _, pkg := range []string{"fsm", "cluster"} {
		of := byPackage[pkg]
		chosen = append(chosen, of[rand.IntN(len(of))])
	}
	var out strings.Builder
	caught, err := run(chosen, &out)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !caught {
		t.Error("nobody noticed; the names say how to try it again: go run ./test/mutations WORD")
	}
}

// A mutation that breaks nothing is not caught, and one whose test fails anyway neither.
func TestMutationsThatProveNothing(t *testing.T) {
	harmless := mutation{
		name: "nothing", file: "test/mutations/mutations.go", old: "package main\n", new: "package main \n",
		pkg: "test/mutations", test: "TestMutationsApply",
	}
	failing := harmless
	failing.test = "TestThatDoesNotCompile("
	for want, m := range map[string]mutation{"NOT CAUGHT": harmless, "the test fails without it": failing} {
		var out strings.Builder
		if caught, err := run([]mutation{m}, &out); caught || err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s %s: caught %v, %v, want %q:\n%s", m.pkg, m.test, caught, err, want, out.String())
		}
	}
}
