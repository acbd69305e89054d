package test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

// Each example runs as its README says, an instance at every node. A login goes on while
// the leader is killed, and after.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		name     string
		password string // of the cluster
		ttl      int64  // seconds that a session lasts
	}{
		{"express-login", "", 30 * 60},
		{"express-legacy", "secret", 60},
	} {
		t.Run(example.name, func(t *testing.T) {
			c := start(t, "--requirepass", example.password)
			apps := map[*harness.Node]string{}
			for _, n := range c.Nodes {
				n.Password = example.password
				apps[n] = startExample(t, example.name, n)
			}
			dying, err := c.Leader()
			if err != nil {
				t.Fatal(err)
			}
			survivors := c.Others(dying)

			b := newBrowser(t)
			b.post(apps[dying]+"/login", "user=ada&password=wrong", http.StatusUnauthorized)
			b.post(apps[dying]+"/login", "user=ada", http.StatusUnauthorized)
			b.post(apps[dying]+"/login", "user=nobody", http.StatusUnauthorized)
			b.post(apps[dying]+"/login", "user=ada&password=lovelace", http.StatusOK)
			for visit := 2; visit < 42; visit++ { // logging in led to the first
				if visit == 22 {
					go dying.Kill()
				}
				b.sees(apps[survivors[visit%2]], fmt.Sprintf("since you logged in: <b>%d</b>", visit))
			}
			dying.Kill() // it is dead by now, if it was not in time
			b.sees(apps[survivors[0]], "Hello ada", "<b>42</b>")

			conn, err := survivors[1].Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			keys := do(t, conn, "KEYS", "*").([]any)
			if len(keys) != 1 {
				t.Fatalf("keys %v, want that of the session", keys)
			}
			if ttl := do(t, conn, "TTL", keys[0].(string)).(int64); ttl > example.ttl || ttl < example.ttl-20 {
				t.Errorf("the session lasts for %d s, want %d", ttl, example.ttl)
			}

			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			b.sees(apps[dying], "<b>43</b>") // its client has connected again
			b.post(apps[dying]+"/logout", "", http.StatusOK)
			b.sees(apps[survivors[0]], "Log in")
			if keys := do(t, conn, "DBSIZE"); keys != int64(0) {
				t.Errorf("%v keys after the logout", keys)
			}
			agree(t, c)
		})
	}
}

// exampleSecret signs the cookies of all instances.
const exampleSecret = "of all instances"

// startExample starts an example at a node and returns its address.
func startExample(t *testing.T, name string, n *harness.Node) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", "app.js")
	command.Dir = filepath.Join(harness.Root(), "examples", name)
	node := "redis://" + n.Addr
	if n.Password != "" {
		node = "redis://default:" + n.Password + "@" + n.Addr
	}
	command.Env = append(os.Environ(), "PORT=0", "SESSION_SECRET="+exampleSecret, "REDIS_URL="+node)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errors strings.Builder
	command.Stderr = &errors
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Wait()
		if t.Failed() {
			t.Logf("%s at %s:\n%s", name, n.Name, errors.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !strings.HasPrefix(address, "http://") {
		t.Fatalf("%s says %q, %v", name, line, err)
	}
	return address
}

// browser follows redirections and keeps the cookies, which must be guarded ones.
type browser struct {
	*testing.T
	http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, http.Client{Jar: guarded{jar, t}, Timeout: 30 * time.Second}}
}

// guarded is a cookie jar that looks at what it is given.
type guarded struct {
	http.CookieJar
	*testing.T
}

func (g guarded) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, cookie := range cookies {
		if cookie.Value != "" && !(cookie.HttpOnly && cookie.SameSite == http.SameSiteLaxMode) {
			g.Errorf("scripts or other sites may use the cookie %v", cookie)
		}
	}
	g.CookieJar.SetCookies(u, cookies)
}

// has gives the browser a cookie that it got elsewhere.
func (b *browser) has(page string, cookie *http.Cookie) {
	b.Helper()
	u, err := url.Parse(page)
	if err != nil {
		b.Fatal(err)
	}
	b.Jar.(guarded).CookieJar.SetCookies(u, []*http.Cookie{cookie})
}

// sees checks that a page contains something.
func (b *browser) sees(page string, wants ...string) {
	b.Helper()
	body := b.get(page)
	for _, want := range wants {
		if !strings.Contains(body, want) {
			b.Fatalf("%s does not show %q:\n%s", page, want, body)
		}
	}
}

func (b *browser) get(page string) string {
	b.Helper()
	response, err := b.Get(page)
	return b.read(response, err, http.StatusOK)
}

func (b *browser) post(page, form string, status int) {
	b.Helper()
	response, err := b.Post(page, "application/x-www-form-urlencoded", strings.NewReader(form))
	b.read(response, err, status)
}

func (b *browser) read(response *http.Response, err error, status int) string {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		b.Fatalf("%s: %s, want %d, %v\n%s", response.Request.URL, response.Status, status, err, body)
	}
	return string(body)
}
