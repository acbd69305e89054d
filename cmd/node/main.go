// Holdfast is a replicated key-value cluster that speaks the Redis protocol. This
// program is one of its nodes, and what an operator needs beside.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// version is set by the build.
var version = "dev"

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run a node (the default)."`
	Health  healthCommand  `cmd:"" help:"Ask a node whether it is ready: exit status 0 or 1."`
	Import  importCommand  `cmd:"" help:"Bring in the keys of another store."`
	Backup  backupCommand  `cmd:"" help:"Write all keys to an RDB file."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

const description = `A replicated key-value store that speaks the Redis protocol.

One durable node on 127.0.0.1:6379, its data in ./holdfast-data:

    holdfast

Three nodes, on the hosts a, b and c; the same on each but for the id:

    holdfast --id a --dir /var/lib/holdfast --listen :6379 --join a,b,c --bootstrap-expect 3

Every setting can also stand in the environment, as HOLDFAST_ID for --id, or in a file
(--config FILE) of lines "id a". A flag comes before the environment, and that before
the file. Sizes may end in kb, mb or gb, times in ms, s, m or h.`

func main() {
	var c commands
	parser, err := kong.New(&c, kong.Name("holdfast"), kong.Description(description),
		kong.DefaultEnvars("HOLDFAST"), kong.Configuration(configFile),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.UsageOnError(), defaults())
	if err != nil {
		panic(err) // the command line's own definition is wrong
	}
	context, err := parser.Parse(os.Args[1:])
	if err != nil {
		fail(err)
	}
	for _, name := range unknownEnvironment(parser.Model, os.Environ()) {
		fmt.Fprintf(os.Stderr, "holdfast: %s in the environment is no setting\n", name)
	}
	if err := context.Run(); err != nil {
		fail(err)
	}
}

// fail ends the program with a sentence for the operator.
func fail(err error) {
	fmt.Fprintf(os.Stderr, "holdfast: %s\n", strings.TrimSpace(err.Error()))
	os.Exit(1)
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("holdfast " + version)
	return nil
}
