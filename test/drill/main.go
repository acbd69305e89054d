// Drill is the failover test that a person runs (scripts/drill): while clients write and
// read through every node of a cluster of real processes, it kills, pauses, stops and
// restarts the nodes in turn, and then prints what the clients saw. Its exit status is 1
// if a promise was broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/test/harness"
)

const usage = `usage: scripts/drill [FLAGS]

Starts three nodes, lets clients write and read through each of them, breaks the nodes
in turn and prints the pauses that clients of the surviving nodes saw, and what was lost.
Exit status 1: an acknowledged write was lost, an increment counted twice, a read was
stale, the nodes' states differ, or a client of a surviving node got an error.

`

// options are the command line.
type options struct {
	rounds  int
	clients int
	kinds   string
	seed    uint64
	load    bool
	keep    bool
	dir     string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each `kind` of fault comes")
	flag.IntVar(&o.clients, "clients", 10, "clients at each node")
	flag.StringVar(&o.kinds, "kinds", "all", "kinds of fault, separated by commas; `kill` stands for kill-leader and kill-follower, and so on. All: "+kindNames())
	flag.Uint64Var(&o.seed, "seed", rand.Uint64N(1e6), "of the order of faults and their victims; random if not given")
	flag.BoolVar(&o.load, "load", false, "full load: clients do not rest between their commands")
	flag.BoolVar(&o.keep, "keep", false, "leave the nodes' data and logs where they are")
	flag.StringVar(&o.dir, "dir", "", "`directory` for data and logs, which stay there; a temporary one if not given")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
		fmt.Fprint(flag.CommandLine.Output(), `
Environment: HOLDFAST_BIN (the node's binary; built if not given), HOLDFAST_BASE (ports, as
for scripts/cluster; free ones if not given), HOLDFAST_FLAGS (further flags of every node).
`)
	}
	flag.Parse()
	chosen, err := parseKinds(o.kinds)
	if err == nil && (flag.NArg() > 0 || o.rounds < 1 || o.clients < 1) {
		err = fmt.Errorf("want no arguments, at least one round and one client")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(2)
	}
	good, err := o.run(chosen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

// run runs the drill and reports whether all promises were kept. An interrupt ends it
// after the fault that it is at; the report is then of what was done.
func (o *options) run(chosen []kind) (good bool, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the process, and the nodes with it

	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "holdfast-drill-"); err != nil {
			return false, err
		}
	} else if err = os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	defer func() {
		if o.dir != "" || o.keep || err != nil || !good {
			fmt.Println("data and logs:", dir)
		} else {
			os.RemoveAll(dir)
		}
	}()

	binary, err := harness.Build(dir)
	if err != nil {
		return false, err
	}
	base, _ := strconv.Atoi(os.Getenv("HOLDFAST_BASE"))
	cluster, err := harness.New(harness.Config{
		Binary: binary, Dir: dir, Base: base, Flags: strings.Fields(os.Getenv("HOLDFAST_FLAGS")),
	})
	if err != nil {
		return false, err
	}
	defer cluster.Close()
	if err := cluster.Start(); err != nil {
		return false, err
	}
	fmt.Printf("drill: three nodes, %d clients at each, %s, seed %d\n", o.clients, o.pace(), o.seed)
	d := newDrill(cluster, o)
	began := time.Now()
	if err := d.rounds(ctx, chosen); err != nil {
		d.load.Stop()
		fmt.Println(d.load.Findings())
		return false, err
	}
	lasted := time.Since(began)
	r, err := d.finish()
	if err != nil {
		return false, err
	}
	r.lasted = lasted
	r.print(os.Stdout)
	return r.good(), nil
}

// rest is how long a client that does not run at full load waits between two rounds of
// its commands: so many clients still ask about once in a millisecond.
const rest = 20 * time.Millisecond

func (o *options) interval() time.Duration {
	if o.load {
		return 0
	}
	return rest
}

func (o *options) pace() string {
	if o.load {
		return "without a rest"
	}
	return fmt.Sprintf("resting %v between their commands", rest)
}
