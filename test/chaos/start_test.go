package chaos

import (
	"testing"

	"holdfast/test/harness"
)

// start makes an arena of three nodes that runs. It ends with the test, which fails with
// all that was found in it.
func start(t *testing.T, flags ...string) *arena {
	t.Helper()
	dir := t.TempDir()
	binary, err := harness.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openArena(dir, binary, 3, 1, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		for _, text := range a.found() {
			t.Error(text)
		}
		if t.Failed() {
			for _, n := range a.Nodes {
				t.Logf("log of %s:\n%s", n.Name, n.Log())
			}
		}
	})
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	return a
}
