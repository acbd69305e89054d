package test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"holdfast/test/harness"
)

// Each promise of the README names the test that would fail if it were broken: they exist.
func TestPromisesHaveTests(t *testing.T) {
	declared := map[string]bool{}
	for _, pattern := range []string{"*/*_test.go", "*/*/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(harness.Root(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
				declared[string(found[1])] = true
			}
		}
	}
	for _, page := range []string{"README.md", "docs/architecture.md"} {
		text, err := os.ReadFile(filepath.Join(harness.Root(), page))
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(text, -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", page)
		}
		for _, name := range named {
			if !declared[string(name[1])] {
				t.Errorf("%s names %s, which does not exist", page, name[1])
			}
		}
	}
}
