package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// parse reads a command line as main does.
func parse(t *testing.T, args ...string) (settings, error) {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.DefaultEnvars("HOLDFAST"), kong.Configuration(configFile), defaults(),
		kong.Exit(func(int) { t.Error("the command line ended the program") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return c.Serve.settings, err
}

// A flag comes before the environment, and that before the file.
func TestSettingsFromEverywhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "holdfast.conf")
	text := "# settings\nid from-file\ndir /from/file\ncommit-timeout 3s\nmax-bulk-bytes 2mb\njoin a,b\njoin c\nrequirepass \"two words\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOLDFAST_ID", "from-env")
	t.Setenv("HOLDFAST_DIR", "/from/env")
	s, err := parse(t, "--config", file, "--dir", "/from/flag")
	if err != nil {
		t.Fatal(err)
	}
	if s.Dir != "/from/flag" || s.ID != "from-env" || s.CommitTimeout != 3*time.Second || s.MaxBulkBytes != 2<<20 ||
		strings.Join(s.Join, " ") != "a b c" || s.Requirepass != "two words" {
		t.Errorf("got %+v", s)
	}
	c, r, err := s.configs()
	if err != nil {
		t.Fatal(err)
	}
	if c.Bus != "127.0.0.1:16379" || c.Join[2] != "c:16379" || c.BootstrapExpect != 3 || r.Port != 6379 {
		t.Errorf("got %+v and %+v", c, r)
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, test := range []struct{ file, flag, want string }{
		{"nosuch 1", "", "nosuch in the settings file is no setting"},
		{"prefix sess:", "", "prefix in the settings file is no setting"},
		{"id", "", "has no value"},
		{"id a\nid b", "", "is there twice"},
		{`id "a`, "", "is not closed"},
		{"id a", "--max-bulk-bytes=lots", "is no size"},
		{"id a", "--log-store=paper", "log-store"},
		{"id a", "--commit-timeout=1ms", "commit-timeout"},
		{"id a", "--listen=nowhere", "listen"},
		{"id a", "--listen=:60000", "give --bus"},
		{"id a", "--bootstrap-expect=3", "needs join"},
	} {
		file := filepath.Join(t.TempDir(), "holdfast.conf")
		if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"--config", file}
		if test.flag != "" {
			args = append(args, test.flag)
		}
		s, err := parse(t, args...)
		if err == nil {
			_, _, err = s.configs()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %s: got %v, want %q", test.file, test.flag, err, test.want)
		}
	}
}

// What only looks like a setting is told, whichever command is run.
func TestUnknownEnvironment(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.DefaultEnvars("HOLDFAST"), defaults())
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{"HOME=/", "HOLDFAST_ID=a", "HOLDFAST_TO=redis://a", "HOLDFAST_BASE=7000", "HOLDFAST_DRY_RUN=true", "HOLDFAST_IDD=a"}
	if got := strings.Join(unknownEnvironment(parser.Model, environment), " "); got != "HOLDFAST_DRY_RUN HOLDFAST_IDD" {
		t.Errorf("got %s", got)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "512": 512, "1kb": 1 << 10, "64MB": 64 << 20, "2gb": 2 << 30, "7b": 7} {
		var s size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		var again size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%d is written %s", s, s)
		}
	}
	for _, text := range []string{"", "x", "-1", "1tb", "9999999999gb"} {
		if err := new(size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}
