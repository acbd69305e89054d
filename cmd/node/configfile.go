package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// fileSettings are the lines of a settings file, in the manner of redis.conf: a name
// and a value each, the value in double quotes if it has spaces around it, '#' for
// comments. A list (join) may be given with commas or on several lines.
type fileSettings map[string]string

// configFile fits kong.ConfigurationLoader.
func configFile(r io.Reader) (kong.Resolver, error) {
	values := fileSettings{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		if value == "" {
			return nil, fmt.Errorf("line %d: %q has no value", n, name)
		}
		if value[0] == '"' {
			if len(value) < 2 || value[len(value)-1] != '"' {
				return nil, fmt.Errorf("line %d: the quote of %s is not closed", n, name)
			}
			value = value[1 : len(value)-1]
		}
		if before, twice := values[name]; twice {
			if name != "join" {
				return nil, fmt.Errorf("line %d: %s is there twice", n, name)
			}
			value = before + "," + value
		}
		values[name] = value
	}
	return values, lines.Err()
}

// Validate refuses names that are no settings: a typing error must not pass for a
// default.
func (f fileSettings) Validate(app *kong.Application) error {
	for name := range f {
		known := slices.ContainsFunc(app.DefaultCmd.Flags, func(flag *kong.Flag) bool { return flag.Name == name })
		if !known || name == "config" {
			return fmt.Errorf("%s in the settings file is no setting", name)
		}
	}
	return nil
}

// Resolve gives a flag its value; the environment comes before the file.
func (f fileSettings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if value, ok := f[flag.Name]; ok {
		return value, nil
	}
	return nil, nil
}

// environmentOf lists the variables that a command, or one below it, takes for flags.
func environmentOf(command *kong.Node) (names []string) {
	for _, flag := range command.Flags {
		names = append(names, flag.Envs...)
	}
	for _, below := range command.Children {
		names = append(names, environmentOf(below)...)
	}
	return names
}

// unknownEnvironment lists variables that look like settings and are none. Those of
// the scripts, which share the prefix, are left out.
func unknownEnvironment(app *kong.Application, environment []string) (unknown []string) {
	known := []string{"HOLDFAST_BASE", "HOLDFAST_BIN", "HOLDFAST_FLAGS", "HOLDFAST_PATIENCE"}
	known = append(known, environmentOf(app.Node)...)
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "HOLDFAST_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
