package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settings are what was run, and on what: lines of a name and a value.
type settings []setting

type setting struct{ Name, Value string }

func (s *settings) add(name, format string, args ...any) {
	*s = append(*s, setting{name, fmt.Sprintf(format, args...)})
}

func newSettings(o *options, binary string) settings {
	var s settings
	s.add("Command", "scripts/drill %s", strings.Join(os.Args[1:], " "))
	s.add("Began", "%s", time.Now().Format("2006-01-02 15:04 MST"))
	s.add("Holdfast", "%s, %s/%s", output(binary, "version"), runtime.GOOS, runtime.GOARCH)
	flags := os.Getenv("HOLDFAST_FLAGS")
	if flags == "" {
		flags = "none; all settings have their defaults"
	}
	s.add("Further flags of nodes", "%s", flags)
	help := output(binary, "serve", "--help")
	for _, flag := range []struct{ name, what string }{
		{"election-timeout", "Election timeout"}, {"commit-timeout", "Commit timeout"},
	} {
		if value := defaultOf(flag.name, help); value != "" && !strings.Contains(flags, "--"+flag.name) {
			s.add(flag.what, "%s", value)
		}
	}
	s.add("Clients", "%d at each of three nodes, %s", o.clients, o.pace())
	s.add("Seed", "%d", o.seed)
	s.add("Machine", "%s", machine())
	return s
}

// network says where the nodes were.
func (s *settings) network(own bool) {
	if own {
		s.add("Network", "a network namespace for each node, cables to a bridge")
	} else {
		s.add("Network", "loopback")
	}
}

// defaultOf reads a flag's default out of a node's --help.
func defaultOf(flag, help string) string {
	found := regexp.MustCompile(`--` + flag + `=(\S+)`).FindStringSubmatch(help)
	if found == nil {
		return ""
	}
	return found[1]
}

// output is the first line of what a program prints, or all of its help.
func output(program string, args ...string) string {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // without HOLDFAST_BIN, which is no setting of a node
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(out))
	if args[len(args)-1] == "--help" {
		return text
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func machine() string {
	cpu := "CPU unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := regexp.MustCompile(`(?m)^model name\s*: (.+)$`).FindSubmatch(info); found != nil {
			cpu = string(found[1])
		}
	}
	text := fmt.Sprintf("%d × %s", runtime.NumCPU(), cpu)
	var memory unix.Sysinfo_t
	if unix.Sysinfo(&memory) == nil {
		text += fmt.Sprintf(", %.0f GiB", float64(memory.Totalram)*float64(memory.Unit)/(1<<30))
	}
	var system unix.Utsname
	if unix.Uname(&system) == nil {
		text += ", Linux " + unix.ByteSliceToString(system.Release[:])
	}
	return text + "; nodes and clients share it"
}
