// Drill is the failover test that a person runs (scripts/drill): while clients write and
// read through every node of a cluster of real processes, it kills, pauses, cuts off, stops
// and restarts the nodes in turn, and then tells what the clients saw. Its exit status is 1
// if a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: scripts/drill [FLAGS]

Starts three nodes, lets clients write and read through each of them, breaks the nodes
in turn and tells the pauses that clients of the surviving nodes saw, and what was lost.
Exit status 1: an acknowledged write was lost, an increment counted twice, a read was
stale, the nodes' states differ, or a client of a surviving node got an error.

With --peers it does the same to Redis with Sentinel and to etcd, in turn with Holdfast, and
sets them side by side. The method is described in docs/failover.md.

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
	report  string
	limit   time.Duration
	peers   bool
	others  int // rounds of the peers
	stored  int
}

const maxRounds = 1000

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each `kind` of fault comes")
	flag.IntVar(&o.clients, "clients", 10, "clients at each node")
	flag.StringVar(&o.kinds, "kinds", "all", "kinds of fault, separated by commas; `kill` stands for kill-leader and kill-follower, and so on. All: "+kindNames())
	flag.Uint64Var(&o.seed, "seed", rand.Uint64N(1e6), "of the order of faults and their victims; random if not given")
	flag.BoolVar(&o.load, "load", false, "full load: clients do not rest between their commands")
	flag.BoolVar(&o.keep, "keep", false, "leave the nodes' data and logs where they are")
	flag.StringVar(&o.dir, "dir", "", "`directory` for data and logs, which stay there; a temporary one if not given")
	flag.StringVar(&o.report, "report", "", "write a report to this HTML `file`")
	flag.DurationVar(&o.limit, "limit", 0, "end after the fault that is under way then, and tell of what was done; twice the estimate and a minute if not given")
	flag.BoolVar(&o.peers, "peers", false, "beside Holdfast, do the same to Redis with Sentinel and to etcd; of the kinds only those of the leader")
	flag.IntVar(&o.others, "peer-rounds", 0, "with --peers, in how many of the `rounds` the others take turns with Holdfast; all if not given")
	flag.IntVar(&o.stored, "sessions", 0, "store so many `sessions` of 300 bytes first; not with --peers")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
		fmt.Fprint(flag.CommandLine.Output(), `
Environment: HOLDFAST_BIN (the node's binary; built if not given), HOLDFAST_BASE (ports, as
for scripts/cluster; free ones if not given), HOLDFAST_FLAGS (further flags of every node).
The kinds cut-leader and cut-follower need a network of the drill's own: Linux with unshare
and ip, and root or a kernel that lets users have namespaces. There the nodes have addresses
of their own and HOLDFAST_BASE does not matter.
`)
	}
	flag.Parse()
	chosen, err := o.check()
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

func (o *options) check() ([]kind, error) {
	if o.stored < 0 || o.stored > 0 && o.peers {
		return nil, errors.New("want no negative number of sessions, and none with --peers")
	}
	if flag.NArg() > 0 || o.rounds < 1 || o.rounds > maxRounds || o.clients < 1 || o.limit < 0 {
		return nil, fmt.Errorf("want no arguments, 1 to %d rounds, at least one client and no negative limit", maxRounds)
	}
	if o.others == 0 {
		o.others = o.rounds
	}
	if o.others < 1 || o.others > o.rounds {
		return nil, fmt.Errorf("want 1 to %d rounds of the peers", o.rounds)
	}
	if o.report != "" { // rather now than after an hour
		f, err := os.OpenFile(o.report, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		f.Close()
	}
	chosen, err := parseKinds(o.kinds)
	if err != nil || !needCut(chosen) || inside() {
		return chosen, err
	}
	err = enterNamespace()
	if o.kinds != "all" {
		return nil, err
	}
	fmt.Printf("drill: no wire is cut: %v\n", err)
	var rest []kind
	for _, k := range chosen {
		if !k.cut {
			rest = append(rest, k)
		}
	}
	return rest, nil
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
	if o.peers {
		return o.compare(ctx, dir, chosen)
	}
	return o.drill(ctx, dir, chosen)
}

// limited is a context that ends at the limit of a run, which is announced together with
// an estimate of how long the run takes.
func (o *options) limited(ctx context.Context, estimate time.Duration) (context.Context, context.CancelFunc) {
	limit := o.limit
	if limit == 0 {
		limit = 2*estimate + time.Minute
	}
	fmt.Printf("drill: about %s, at most %s\n", length(estimate), length(limit))
	return context.WithTimeout(ctx, limit)
}

// shortened says why a run is to end before its next fault, "" if it is not.
func shortened(ctx context.Context) string {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "ended by its limit of time"
	case ctx.Err() != nil:
		return "interrupted"
	}
	return ""
}

// rest is how long a client that does not run at full load waits between two rounds of
// its commands. Two processors are idle for the most part then, and a fault still meets some
// of the clients.
const rest = 50 * time.Millisecond

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
