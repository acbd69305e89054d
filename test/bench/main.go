// Bench measures a cluster beside redis-server with redis-benchmark, and prints a table
// of medians and ratios. The machine is the same, and so is the hour: every round runs
// each load on every target in turn, and ratios are taken within a round.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"holdfast/test/harness"
)

// options are what the command line may change.
type options struct {
	rounds     int
	duration   time.Duration // of one run
	warmUp     int           // requests of every client before its first run, for each in its pipeline
	keys       int
	others     float64        // CPUs that others may take during a run
	only       *regexp.Regexp // of "SET c50 P16 leader"; nil for all
	types      bool
	memory     bool
	sessions   int
	perElement bool
	outages    bool
	elements   int   // in all, of each type and size
	sizes      []int // of collections
	dir        string
	flags      []string // of every node
}

func main() {
	var o options
	seconds := flag.Float64("seconds", 2, "how long one run lasts, about")
	only := flag.String("only", "", "run what matches a regular `expression`: \"SET c50 P16 leader\" is one run")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each run is repeated")
	flag.IntVar(&o.keys, "keys", 100_000, "how many keys there are")
	flag.Float64Var(&o.others, "others", float64(runtime.NumCPU()), "repeat a run, up to 30 times, while others take more than so many `CPUs`")
	flag.BoolVar(&o.types, "types", false, "measure the main commands of each data type instead, at pipeline 16")
	flag.BoolVar(&o.memory, "memory", false, "measure memory instead: resident bytes per session")
	flag.IntVar(&o.sessions, "sessions", 1_000_000, "how many sessions --memory stores, and keys --outages")
	flag.BoolVar(&o.perElement, "elements", false, "measure memory instead: bytes per element of each collection type")
	flag.BoolVar(&o.outages, "outages", false, "measure instead what clients lose while another node is out, and while it catches up")
	flag.StringVar(&o.dir, "dir", "", "where data is written (default a temporary directory)")
	flag.Parse()
	o.duration = time.Duration(*seconds * float64(time.Second))
	o.flags = flag.Args()
	o.warmUp, o.elements, o.sizes = 10, 300_000, []int{10, 1000, 100_000}
	if *only != "" {
		o.only = regexp.MustCompile(*only)
	}
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run starts the servers, measures, prints and stops them.
func run(o options, out io.Writer) error {
	dir, err := os.MkdirTemp(o.dir, "holdfast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := harness.Build(dir)
	if err != nil {
		return err
	}
	s := &servers{}
	defer s.close()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	go func() {
		if _, ok := <-interrupted; ok {
			os.RemoveAll(dir)
			os.Exit(1) // the servers end with this process
		}
	}()

	switch {
	case o.memory:
		return measureMemory(s, binary, dir, o, out)
	case o.perElement:
		return measureElements(s, binary, dir, o, out)
	case o.outages:
		return measureOutages(s, binary, dir, o, out, os.Stderr)
	}
	if err := s.start(binary, dir, o); err != nil {
		return err
	}
	results, err := measure(s, o, os.Stderr)
	if err != nil {
		return err
	}
	print(out, o, results)
	return nil
}
