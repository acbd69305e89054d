package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

// peer is a replicated store of three nodes that is compared with others.
type peer interface {
	name() string
	// leader waits until all nodes serve and agree, and returns the one that leads.
	leader() (*harness.Node, error)
	// crowds says which groups of clients there are when a node is about to be broken.
	crowds(victim *harness.Node) []crowd
	// dial is a client with its usual habits: when it tries again, and where.
	dial(addr string) (workload.Conn, error)
	// stop ends a node as its operators are told to, and restart brings it back.
	stop(n *harness.Node) error
	restart(n *harness.Node) error
	// deadlines reports whether a key can be written with a deadline in one command.
	deadlines() bool
	// heals is about how long a fault takes, from the fault until all nodes agree again.
	heals() time.Duration
	// equal returns an error if the nodes have come to different states, where that can be asked.
	equal() error
	close()
}

// crowd is clients that are alike, and where they are at home.
type crowd struct {
	name  string
	addrs []string
	share int // thirds of all clients at each address
}

const (
	warmUp       = 700 * time.Millisecond // of a new crowd, before its fault
	serveTimeout = 60 * time.Second       // of clients without any reply
	healTimeout  = 90 * time.Second       // of a store until all its nodes agree again

	commandTimeout = 3 * time.Second // of every client, the default of go-redis
)

// comparison is what is done to each of several stores, in turn.
type comparison struct {
	peers    []peer
	clients  int
	interval time.Duration
	rand     *rand.Rand
	began    time.Time
	results  map[result]*outcome
	faults   int
}

// result names what is measured: a kind of fault, and clients that see it.
type result struct {
	kind, crowd string
}

type outcome struct {
	peer     string
	pauses   workload.Pauses
	findings workload.Findings
}

// compare runs the comparison and reports whether Holdfast kept its promises.
func (o *options) compare(ctx context.Context, dir string, chosen []kind) (good bool, err error) {
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(k kind) bool { return k.cut || !k.leader && k.name != calm })
	if len(chosen) == 0 {
		return false, errors.New("of these kinds of fault none breaks a leader")
	}
	c := &comparison{clients: o.clients, interval: o.interval(), rand: rand.New(rand.NewPCG(o.seed, 0)), results: map[result]*outcome{}}
	redis.SetLogger(noLog{})
	binary, err := harness.Build(dir)
	if err != nil {
		return false, err
	}
	s := newSettings(o, binary)
	defer func() {
		for _, p := range c.peers {
			p.close()
		}
	}()
	for _, start := range []func(dir string) (peer, []setting, error){
		func(dir string) (peer, []setting, error) { return startHoldfast(binary, dir) }, startSentinel, startEtcd,
	} {
		p, how, err := start(filepath.Join(dir, fmt.Sprintf("store%d", len(c.peers)+1)))
		if p != nil {
			c.peers = append(c.peers, p)
		}
		if err != nil {
			return false, err
		}
		s = append(s, how...)
	}
	s.network(false)
	fmt.Printf("drill: three stores of three nodes, %d clients of each, %s, seed %d\n", 3*o.clients, o.pace(), o.seed)
	ctx, cancel := o.limited(ctx, c.estimate(chosen, o.rounds))
	defer cancel()
	c.began = time.Now()
	if err := c.run(ctx, chosen, o.rounds); err != nil {
		return false, err
	}
	r := &comparisonReport{kinds: chosen, results: c.results, faults: c.faults, lasted: time.Since(c.began), settings: s, shortened: shortened(ctx)}
	for _, p := range c.peers {
		if err := p.equal(); err != nil {
			r.differ = append(r.differ, fmt.Errorf("%s: %w", p.name(), err))
		}
	}
	r.print(os.Stdout)
	if o.report != "" {
		if err := writePage(o.report, r.page()); err != nil {
			return false, err
		}
		fmt.Println("report:", o.report)
	}
	return r.good(), nil
}

// estimate knows from experience how long the stores take to be whole again.
func (c *comparison) estimate(chosen []kind, rounds int) (total time.Duration) {
	for _, k := range chosen {
		for _, p := range c.peers {
			total += warmUp + watch + time.Second
			if k.name != calm {
				total += p.heals()
			}
		}
	}
	return total * time.Duration(rounds)
}

func (c *comparison) run(ctx context.Context, chosen []kind, rounds int) error {
	for round := range rounds {
		for _, i := range c.rand.Perm(len(chosen)) {
			for j := range c.peers { // none always follows the same
				p := c.peers[(j+round+i)%len(c.peers)]
				if ctx.Err() != nil {
					return nil
				}
				if err := c.fault(p, chosen[i], round); err != nil {
					return fmt.Errorf("%s, %s in round %d: %w", p.name(), chosen[i].name, round+1, err)
				}
			}
			c.faults++
		}
	}
	return nil
}

// fault lets new clients loose on a store, breaks the node that leads, waits until all of
// them are served, mends it, and looks at what is there once the store is whole again.
func (c *comparison) fault(p peer, k kind, round int) error {
	victim, err := p.leader()
	if err != nil {
		return err
	}
	crowds := p.crowds(victim)
	var loads []*workload.Load
	for i, crowd := range crowds {
		loads = append(loads, workload.Start(crowd.addrs, workload.Options{
			Clients: crowd.share * c.clients, Interval: c.interval, Dial: p.dial,
			Prefix:      fmt.Sprintf("%d.%s.%d.", round, k.name, i),
			NoDeadlines: !p.deadlines(),
		}))
	}
	defer func() {
		for _, load := range loads {
			load.Stop()
		}
	}()
	time.Sleep(warmUp + time.Duration(c.rand.IntN(100))*time.Millisecond)

	for _, load := range loads {
		load.Watch()
	}
	if err := c.breaks(p, k, victim); err != nil {
		return err
	}
	time.Sleep(watch)
	for i, load := range loads {
		pause, err := load.Pause(serveTimeout)
		if err != nil { // a minute is what it is taken for
			pause = serveTimeout
		}
		o := c.outcome(p, k, crowds[i].name)
		o.pauses = append(o.pauses, pause)
		fmt.Printf("%6.1fs  round %d  %-13s %-42s %9s ms\n", time.Since(c.began).Seconds(), round+1, k.name, crowds[i].name, ms(pause))
	}
	if err := c.mends(p, k, victim); err != nil {
		return err
	}
	if _, err := p.leader(); err != nil {
		return err
	}
	time.Sleep(watch / 4)
	for i, load := range loads {
		load.Stop()
		findings, err := load.Verify(crowds[i].addrs[0])
		if err != nil {
			return err
		}
		if findings.Writes == 0 {
			return fmt.Errorf("%s: nobody was served at all", crowds[i].name)
		}
		c.outcome(p, k, crowds[i].name).add(findings)
	}
	return nil
}

func (c *comparison) breaks(p peer, k kind, victim *harness.Node) error {
	switch k.name {
	case calm:
		return nil
	case "kill-leader":
		return victim.Kill()
	case "pause-leader":
		return victim.Pause()
	case "stop-leader":
		return p.stop(victim)
	}
	panic("drill: no kind of fault for a comparison: " + k.name)
}

func (c *comparison) mends(p peer, k kind, victim *harness.Node) error {
	switch k.name {
	case calm:
		return nil
	case "pause-leader":
		return victim.Resume()
	}
	return p.restart(victim)
}

func (c *comparison) outcome(p peer, k kind, crowd string) *outcome {
	at := result{k.name, crowd}
	if c.results[at] == nil {
		c.results[at] = &outcome{peer: p.name()}
	}
	return c.results[at]
}

func (o *outcome) add(f workload.Findings) {
	sum := &o.findings
	sum.Writes, sum.Reads = sum.Writes+f.Writes, sum.Reads+f.Reads
	sum.Errors, sum.Unknown = sum.Errors+f.Errors, sum.Unknown+f.Unknown
	sum.Lost, sum.Duplicated, sum.Stale = sum.Lost+f.Lost, sum.Duplicated+f.Duplicated, sum.Stale+f.Stale
	sum.Details = append(sum.Details, f.Details...)
	sum.Details = sum.Details[:min(len(sum.Details), 20)]
}
