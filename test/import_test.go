package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"holdfast/cmd/node/transfer"
	"holdfast/test/harness"
)

// login is one that stores.js made in an application on another store.
type login struct {
	Source, User, ID, Cookie string
	Encrypted, Ends          bool
}

// fillStores has applications fill the stores that people come from.
func fillStores(t *testing.T, dir string) (logins []login) {
	t.Helper()
	fill := exec.CommandContext(t.Context(), "node", "imports/stores.js", dir)
	fill.Dir = clientsDir()
	fill.Env = append(os.Environ(), "SESSION_SECRET="+exampleSecret)
	out, err := fill.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("%v\n%s", err, exit.Stderr)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var l login
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		logins = append(logins, l)
	}
	return logins
}

// holdfast runs the binary to its end and returns what it printed.
func holdfast(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// Logins of session-file-store and of connect-mongo, imported, are the same logins for
// an application on connect-redis, with the cookies that the browsers have.
func TestImportSessions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logins := fillStores(t, dir)
	broken := filepath.Join(dir, "files", "broken.json")
	if err := os.WriteFile(broken, []byte(`{"cookie":{"orig`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t)
	var apps []string
	for _, n := range c.Nodes {
		apps = append(apps, startExample(t, "express-login", n))
	}
	time.Sleep(2 * time.Second) // the logins that end have ended

	for _, test := range []struct {
		source string // of the logins
		args   []string
		broken string // named beside those that are encrypted
	}{
		{"files", []string{"file-store", filepath.Join(dir, "files"), "--ttl", "30m"}, "broken.json"},
		{"strings", []string{"mongo-dump", filepath.Join(dir, "strings.bson")}, ""},
		{"strings", []string{"mongo-dump", filepath.Join(dir, "strings.json")}, ""},
		{"documents", []string{"mongo-dump", filepath.Join(dir, "documents.bson.gz")}, ""},
		{"documents", []string{"mongo-dump", filepath.Join(dir, "documents.array.json")}, ""},
	} {
		t.Run(strings.Join(test.args[:1], " ")+" "+filepath.Base(test.args[1]), func(t *testing.T) {
			conn, err := c.Nodes[0].Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			do(t, conn, "FLUSHALL")
			empty := do(t, conn, "DEBUG", "DIGEST")
			args := append([]string{"import"}, append(test.args, "--to", "redis://"+c.Nodes[1].Addr, "--prefix", "login:")...)

			importsAs(t, append(args, "--dry-run"), "2 would be taken", test.broken, logins, test.source)
			if digest := do(t, conn, "DEBUG", "DIGEST"); digest != empty {
				t.Error("a dry run wrote something")
			}
			importsAs(t, args, "2 taken", test.broken, logins, test.source)
			if keys := do(t, conn, "DBSIZE"); keys != int64(2) {
				t.Errorf("%v keys, want 2", keys)
			}
			sessionsLast(t, conn, logins, test.source)
			visits := func(visit int) {
				for _, l := range logins {
					if l.Source == test.source && !l.Encrypted && !l.Ends {
						b := newBrowser(t)
						b.has(apps[visit%3], &http.Cookie{Name: "login", Value: url.QueryEscape(l.Cookie)})
						b.sees(apps[visit%3], "Hello "+l.User, fmt.Sprintf("<b>%d</b>", 41+visit))
					}
				}
			}
			for visit := 1; visit < 4; visit++ {
				visits(visit)
			}
			importsAs(t, args, "2 left out: there already", test.broken, logins, test.source)
			visits(4) // what the application wrote since is still there
			importsAs(t, append(args, "--replace"), "2 taken", test.broken, logins, test.source)
			visits(1)
			agree(t, c)
		})
	}
}

// importsAs runs an import, which must say this, and name what it cannot take.
func importsAs(t *testing.T, args []string, says, broken string, logins []login, source string) {
	t.Helper()
	out, errs, status := holdfast(t, args...)
	named := []string{"of 4 were left out"}
	if broken != "" {
		named = []string{"of 5 were left out", "left out: " + broken + ": unreadable: unexpected EOF\n"}
	}
	for _, l := range logins {
		if l.Source == source && l.Encrypted {
			named = append(named, l.ID)
		}
	}
	for _, want := range named {
		if !strings.Contains(errs, want) {
			t.Errorf("%v: does not say %q:\n%s", args, want, errs)
		}
	}
	for _, want := range []string{says, "1 left out: expired", "1 left out: encrypted"} {
		if !strings.Contains(out, want) {
			t.Errorf("%v: does not say %q:\n%s", args, want, out)
		}
	}
	if status != 1 { // something was left out that should not have been
		t.Errorf("%v: status %d", args, status)
	}
}

// sessionsLast checks deadlines: that of the cookie if it has one, to the millisecond,
// else 30 minutes after the last use, as both stores were told.
func sessionsLast(t *testing.T, conn *harness.Conn, logins []login, source string) {
	t.Helper()
	for _, l := range logins {
		if l.Source != source || l.Encrypted || l.Ends {
			continue
		}
		var session struct {
			Cookie struct {
				Expires *time.Time
			}
			LastAccess *int64 `json:"__lastAccess"`
		}
		text := do(t, conn, "GET", "login:"+l.ID).(string)
		if err := json.Unmarshal([]byte(text), &session); err != nil || session.LastAccess != nil {
			t.Fatalf("%s: %v", text, err)
		}
		deadline := do(t, conn, "PEXPIRETIME", "login:"+l.ID).(int64)
		if at := session.Cookie.Expires; at != nil {
			if l.User != "ada" || deadline != at.UnixMilli() {
				t.Errorf("%s ends at %d, its cookie at %d", text, deadline, at.UnixMilli())
			}
		} else if left := time.Until(time.UnixMilli(deadline)); l.User != "grace" || left > 30*time.Minute || left < 28*time.Minute {
			t.Errorf("%s ends in %v, want 30 minutes after its last use", text, left)
		}
	}
}

// A session that connect-mongo keeps as a document becomes the JSON that Node makes of it.
func TestImportDocumentsAsNode(t *testing.T) {
	file, seed := filepath.Join(t.TempDir(), "random.bson"), strconv.Itoa(rand.IntN(1<<31))
	t.Logf("seed %s", seed)
	write := exec.CommandContext(t.Context(), "node", "imports/documents.js", file, seed)
	write.Dir, write.Stderr = clientsDir(), os.Stderr
	out, err := write.Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := transfer.OpenMongoDump(file, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	documents := 0
	for want := range bytes.Lines(out) {
		item, err := source.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decoded(t, item.Value), decoded(t, want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s became %v, want %v", item.Key, got, want)
		}
		documents++
	}
	if _, err := source.Next(); err != io.EOF || documents != 500 {
		t.Errorf("%d documents, then %v", documents, err)
	}
}

// decoded is JSON with its numbers as they are written.
func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	if err := in.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// dumpOf writes a dump of so many live sessions, id-0 and so on.
func dumpOf(t *testing.T, sessions int) (file string) {
	t.Helper()
	var dump bytes.Buffer
	for i := range sessions {
		document, err := bson.Marshal(bson.D{
			{Key: "_id", Value: fmt.Sprintf("id-%d", i)},
			{Key: "session", Value: fmt.Sprintf(`{"cookie":{"originalMaxAge":null,"expires":null},"number":%d}`, i)},
			{Key: "expires", Value: bson.NewDateTimeFromTime(time.Now().Add(time.Hour))},
		})
		if err != nil {
			t.Fatal(err)
		}
		dump.Write(document)
	}
	file = filepath.Join(t.TempDir(), "sessions.bson")
	if err := os.WriteFile(file, dump.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An import waits for a majority that is gone, and gives up when its patience ends.
func TestImportWaits(t *testing.T) {
	t.Parallel()
	file := dumpOf(t, 1000)
	c := start(t, "--commit-timeout", "1s")
	there := c.Nodes[0]
	for _, n := range c.Others(there) {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, status := holdfast(t, "import", "mongo-dump", file, "--to", "redis://"+there.Addr, "--patience", "2s")
	if status != 1 || out != "" || !strings.Contains(errs, "CLUSTERDOWN") && !strings.Contains(errs, "UNCERTAIN") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	started := make(chan error, 1)
	go func() {
		time.Sleep(3 * time.Second) // some attempts fail before
		started <- c.Start()
	}()
	out, errs, status = holdfast(t, "import", "mongo-dump", file, "--to", "redis://"+there.Addr)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if keys, err := there.Do("DBSIZE"); status != 0 || keys != int64(1000) || err != nil {
		t.Errorf("status %d, %v keys, %v\n%s%s", status, keys, err, out, errs)
	}
	agree(t, c)
}

// An import goes on through the death of the node that it talks to, when it knows another.
func TestImportNodeDies(t *testing.T) {
	t.Parallel()
	const sessions = 12000
	file := dumpOf(t, sessions)
	c := start(t)
	dying, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	survivor := c.Others(dying)[0]
	conn, err := survivor.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	killed := make(chan int64, 1)
	go func() {
		defer close(killed)
		for range 10000 {
			keys, err := conn.Do("DBSIZE")
			if err != nil {
				return
			}
			if keys := keys.(int64); keys > sessions/20 {
				dying.Kill()
				killed <- keys
				return
			}
		}
	}()
	out, errs, status := holdfast(t, "import", "mongo-dump", file, "--batch", "32",
		"--to", "redis://"+dying.Addr, "--to", "redis://"+survivor.Addr)
	before, ok := <-killed
	if !ok || before == sessions {
		t.Fatalf("the node was not killed during the import: %d keys", before)
	}
	if status != 0 || errs != "" || !strings.Contains(out, fmt.Sprintf("%d taken", sessions)) {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if keys := do(t, conn, "DBSIZE"); keys != int64(sessions) {
		t.Errorf("%v keys, want %d", keys, sessions)
	}
	for _, i := range []int{0, sessions / 2, sessions - 1} {
		if text := do(t, conn, "GET", fmt.Sprintf("sess:id-%d", i)); !strings.Contains(fmt.Sprint(text), fmt.Sprintf(`"number":%d}`, i)) {
			t.Errorf("session %d is %v", i, text)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	agree(t, c)
	t.Logf("killed at %d keys\n%s", before, out)
}

// What an import cannot do it says at once, and writes nothing.
func TestImportRefused(t *testing.T) {
	t.Parallel()
	c := start(t, "--requirepass", "secret")
	for _, n := range c.Nodes {
		n.Password = "secret"
	}
	dir := t.TempDir()
	to := func(user string) string { return "redis://" + user + c.Nodes[0].Addr }
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"file-store", dir, "--to", to("")}, "NOAUTH"},
		{[]string{"file-store", dir, "--to", to("default:wrong@")}, "WRONGPASS"},
		{[]string{"file-store", filepath.Join(dir, "none"), "--to", to("default:secret@")}, "no such file"},
		{[]string{"file-store", dir, "--to", "nowhere"}, "is no URL"},
		{[]string{"file-store", dir, "--to", "redis://default:wrong@%zz"}, "is no URL"},
		{[]string{"file-store", dir, "--to", "redis://127.0.0.1:1"}, "connection refused"},
		{[]string{"file-store", dir, "--to", to("default:secret@"), "--db", "99"}, "database 99"},
		{[]string{"mongo-dump", filepath.Join(dir, "none"), "--to", to("default:secret@")}, "no such file"},
	} {
		begun := time.Now()
		_, errs, status := holdfast(t, append([]string{"import"}, test.args...)...)
		if status != 1 || !strings.Contains(errs, test.says) || strings.Contains(errs, "wrong@") || time.Since(begun) > 10*time.Second {
			t.Errorf("%v: status %d after %v, want %q:\n%s", test.args, status, time.Since(begun), test.says, errs)
		}
	}
	if out, errs, status := holdfast(t, "import", "file-store", dir, "--to", to("default:secret@")); status != 0 || !strings.Contains(out, "0 taken") {
		t.Errorf("an empty folder: status %d\n%s%s", status, out, errs)
	}
}
