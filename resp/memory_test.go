package resp

import (
	"regexp"
	"strings"
	"testing"
)

// MEMORY STATS has the fields of Redis, but for the tables of databases and the links.
func TestMemoryStats(t *testing.T) {
	_, ours := serve(t, DefaultConfig(), newMemoryStore())
	names := func(c *testClient) string {
		c.do("SET", "k", "v")
		reply := regexp.MustCompile(`overhead.hashtable[a-z.-]+\r\n`).ReplaceAllString(c.do("MEMORY", "STATS"), "")
		reply = strings.Replace(reply, "$13\r\ncluster.links\r\n:0\r\n", "", 1)
		return strings.Join(regexp.MustCompile(`[a-z][a-z-]*\.?[a-z-]+\r\n`).FindAllString(reply, -1), "")
	}
	if got, want := names(dial(t, ours)), names(dial(t, startRedis(t))); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestMemoryWords(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	c := dial(t, address)
	if got := c.do("MEMORY", "DOCTOR"); len(got) < 40 {
		t.Errorf("MEMORY DOCTOR: %q", got)
	}
	if got := c.do("MEMORY", "MALLOC-STATS"); !regexp.MustCompile(`/memory/classes/heap/objects:bytes [1-9]\d+\n`).MatchString(got) {
		t.Errorf("MEMORY MALLOC-STATS: %q", got)
	}
	if got := c.do("MEMORY", "HELP"); !strings.Contains(got, "USAGE key [SAMPLES count]") || !strings.Contains(got, "PURGE") {
		t.Errorf("MEMORY HELP: %q", got)
	}
}
