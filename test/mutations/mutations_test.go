package main

import (
	"os"
	"path/filepath"
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
