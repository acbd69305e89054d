// Mutations breaks the program on purpose, one promise at a time, and shows that a test
// notices: each change is made to a copy of the tree, in which the test that is named for
// it has to pass before and to fail after.
//
//	go run ./test/mutations            # all of them
//	go run ./test/mutations low fsync  # those with one of the words in their name
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"holdfast/test/harness"
)

func main() {
	var chosen []mutation
	for _, m := range mutations {
		if m.named(os.Args[1:]) {
			chosen = append(chosen, m)
		}
	}
	caught, err := run(chosen, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
	if !caught {
		os.Exit(1)
	}
}

// run tries some mutations, and writes what came of each.
func run(chosen []mutation, out io.Writer) (caught bool, err error) {
	dir, err := os.MkdirTemp("", "holdfast-mutations-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(dir); err != nil {
		return false, err
	}
	caught = true
	passed := map[string]error{} // tests in the tree as it is, by package and name
	fmt.Fprintf(out, "%-56s %-50s %s\n", "what is broken", "test", "verdict")
	for _, m := range chosen {
		test := m.pkg + " " + m.test
		if _, known := passed[test]; !known {
			passed[test] = m.try(dir)
		}
		verdict, ok := m.judge(dir, passed[test])
		caught = caught && ok
		fmt.Fprintf(out, "%-56s %-50s %s\n", m.name, test, verdict)
	}
	return caught, nil
}

func (m mutation) named(words []string) bool {
	for _, word := range words {
		if strings.Contains(m.name, word) {
			return true
		}
	}
	return len(words) == 0
}

// judge breaks the tree, runs the test and mends the tree.
func (m mutation) judge(dir string, before error) (verdict string, caught bool) {
	if before != nil {
		return fmt.Sprintf("the test fails without it: %.300v", before), false
	}
	path := filepath.Join(dir, m.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		return err.Error(), false
	}
	broken, err := m.apply(string(whole))
	if err == nil {
		err = os.WriteFile(path, []byte(broken), 0o600)
	}
	if err != nil {
		return err.Error(), false
	}
	defer os.WriteFile(path, whole, 0o600)
	begun := time.Now()
	var failure *exec.ExitError
	switch err := m.try(dir); {
	case err == nil:
		return "NOT CAUGHT", false
	case !errors.As(err, &failure) || !strings.Contains(err.Error(), "FAIL: "+m.test) && !strings.Contains(err.Error(), "panic: "):
		return fmt.Sprintf("the test did not run: %.1000v", err), false
	}
	return fmt.Sprintf("caught after %.1f s", time.Since(begun).Seconds()), true
}

// apply makes the change, for which there has to be exactly one place.
func (m mutation) apply(text string) (string, error) {
	if count := strings.Count(text, m.old); count != 1 {
		return "", fmt.Errorf("%s has %d places like %q, want 1", m.file, count, m.old)
	}
	return strings.Replace(text, m.old, m.new, 1), nil
}

const timeout = 10 * time.Minute

// try runs the mutation's test; an error has what it printed.
func (m mutation) try(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-run", "^"+m.test+"$", "./"+m.pkg)
	cmd.Dir = dir
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HOLDFAST_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// copyTree copies what the repository has, changes that are not committed included.
func copyTree(dir string) error {
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = harness.Root()
	names, err := list.Output()
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(names)) {
		name = strings.TrimSpace(name)
		data, err := os.ReadFile(filepath.Join(harness.Root(), name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
