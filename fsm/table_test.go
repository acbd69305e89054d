package fsm_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/fsm"
	"holdfast/test/talk"
)

// conversations are the scripts that every data type has one of.
func conversations(t *testing.T) (scripts []*talk.Script) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		script, err := talk.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, script)
	}
	return scripts
}

// The conversations, on a bare machine and in virtual time.
func TestConversations(t *testing.T) {
	for _, script := range conversations(t) {
		t.Run(filepath.Base(script.Name), func(t *testing.T) { script.Run(t, talk.NewMachine()) })
	}
}

// What the type of a row cannot say.
func TestTable(t *testing.T) {
	used := map[string]bool{}
	for _, script := range conversations(t) {
		for _, step := range script.Steps {
			var args [][]byte
			for _, arg := range step.Args {
				args = append(args, []byte(arg))
			}
			if cmd, err := fsm.Lookup(args); err == nil && cmd.Accepts(len(args)) {
				used[cmd.FullName()] = true
			}
		}
	}
	for _, row := range rows() {
		name := row.FullName()
		complain := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s: "+format, append([]any{name}, args...)...)
		}
		write, read := row.Flags&fsm.Write != 0, row.Flags&fsm.ReadOnly != 0
		if write && read {
			complain("both Write and ReadOnly")
		}
		if !write && !read && row.Keys != (fsm.KeySpec{}) {
			complain("it has keys, and neither Write nor ReadOnly")
		}
		if row.Flags&fsm.DenyOOM != 0 && !write {
			complain("DenyOOM without Write")
		}
		if least := max(row.Arity, -row.Arity); row.Keys.First >= least || row.Keys.Last >= least {
			complain("keys %v of %d arguments", row.Keys, least)
		}
		if k := row.Keys; k.First < 0 || k.First > 0 && (k.Step < 1 || k.Last >= 0 && k.Last < k.First) {
			complain("keys %v", k)
		}
		if strings.ToUpper(row.Name) != row.Name {
			complain("the name is not upper case")
		}
		if row.Summary == "" || !strings.HasSuffix(row.Summary, ".") {
			complain("the summary %q is no sentence", row.Summary)
		}
		if row.Group == "" || row.Since == "" || row.Cost == "" {
			complain("group %q, since %q, cost %q", row.Group, row.Since, row.Cost)
		}
		if least := max(row.Arity, -row.Arity); (least > 1 && row.Container == "" || least > 2) && row.Syntax == "" {
			complain("no syntax")
		}
		if row.Run == nil {
			complain("no handler")
		}
		if !used[name] {
			complain("no conversation in testdata uses it")
		}
	}
}

// rows are those of all commands that clients send, with subcommands in the place of
// their containers.
func rows() (rows []fsm.Command) {
	for _, row := range fsm.Commands() {
		if row.Subcommands != nil {
			rows = slices.Concat(rows, row.Subcommands)
		} else {
			rows = append(rows, row)
		}
	}
	return rows
}
