package transfer

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// all reads a source to its end, and writes down what it gave: "db key deadline value",
// or what is wrong.
func all(t *testing.T, source Source) (lines []string, items []Item) {
	t.Helper()
	defer source.Close()
	for range 1000 {
		item, err := source.Next()
		var skip *Skip
		switch {
		case err == io.EOF:
			if done, total := source.Progress(); done != total {
				t.Errorf("at the end, %d of %d are done", done, total)
			}
			return lines, items
		case errors.As(err, &skip):
			lines = append(lines, skip.Error())
		case err != nil:
			return append(lines, "end: "+err.Error()), items
		default:
			lines, items = append(lines, string(item.Key)+" "+string(item.Value)), append(items, item)
		}
	}
	t.Fatal("the source does not end")
	return nil, nil
}

func TestFileStore(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.json":         `{"cookie":{"originalMaxAge":9,"expires":"2026-11-24T20:35:31.906Z","path":"/"},"user":"ada","__lastAccess":1795552471906}`,
		"b.json":         "{\n  \"__lastAccess\": 1000,\n  \"cookie\": {\"expires\": null}\n}\n",
		"c.json":         `{"cookie":{"originalMaxAge":9,"expi`,
		"d.json":         `{"hmac":"\u0001","ct":"\u0002","iv":{"type":"Buffer","data":[1]}}`,
		"e.json":         `{"user":"ada","__lastAccess":1000}`,
		"f.json":         `{"cookie":{},"__lastAccess":"now"}`,
		"g.json":         ``,
		"h.json.3172842": `{"cookie":{},"__lastAccess":1000}`, // left by a crash
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "i.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	source, err := OpenFileStore(dir, ".json", 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	lines, items := all(t, source)
	want := []string{
		`a {"cookie":{"originalMaxAge":9,"expires":"2026-11-24T20:35:31.906Z","path":"/"},"user":"ada"}`,
		`b {"cookie":{"expires":null}}`,
		`c.json: unreadable: unexpected EOF`,
		`d.json: encrypted`,
		`e.json: unreadable: no cookie`,
		`f.json: unreadable: no time of its last use`,
		`g.json: unreadable: EOF`,
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if items[0].Deadline != 1795552531906 || items[1].Deadline != 3000 {
		t.Errorf("deadlines %d and %d", items[0].Deadline, items[1].Deadline)
	}
}

// A session may end between the listing of the folder and its turn.
func TestFileStoreSessionEnds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`{"cookie":{},"__lastAccess":1000}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := OpenFileStore(dir, "", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if lines, _ := all(t, source); len(lines) != 1 || lines[0] != `b {"cookie":{}}` {
		t.Errorf("got %q", lines)
	}
}
