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
	// stop ends a node as its operators are told to, and mend brings one that is broken back
	// by what starts it.
	stop(n *harness.Node) error
	mend(n *harness.Node, start func() error) error
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
	warmUp       = 300 * time.Millisecond // of a new crowd that is served, before its fault
	watchPeers   = 600 * time.Millisecond // how long its clients are watched after the fault, at least
	serveTimeout = 60 * time.Second       // of clients without any reply
	healTimeout  = 90 * time.Second       // of a store until all its nodes agree again

	commandTimeout = 3 * time.Second // of every client, the default of go-redis
)

// comparison is what is done to each of several stores, in turn.
type comparison struct {
	peers    []peer // Holdfast is the first
	holdfast holdfast
	clients  int
	interval time.Duration
	rounds   int
	shared   int // rounds in which all stores take turns; Holdfast is alone in the others
	rand     *rand.Rand
	began    time.Time
	results  map[result]*outcome
	states   map[string]state // of Holdfast, by the kind of fault that was to come
	faults   map[string]int   // of each store
	early    string           // why it ended before the last fault, "" if it did not
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
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(k kind) bool { return !k.leader && k.name != calm })
	if len(chosen) == 0 {
		return false, errors.New("of these kinds of fault none breaks a leader")
	}
	c := &comparison{
		clients: o.clients, interval: o.interval(), rounds: o.rounds, shared: o.others, rand: rand.New(rand.NewPCG(o.seed, 0)),
		results: map[result]*outcome{}, states: map[string]state{}, faults: map[string]int{},
	}
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
	c.holdfast = c.peers[0].(holdfast)
	s.network(inside())
	fmt.Printf("drill: three stores of three nodes, %d clients of each, %s, seed %d\n", 3*o.clients, o.pace(), o.seed)
	ctx, cancel := o.limited(ctx, c.estimate(chosen))
	defer cancel()
	c.began = time.Now()
	failed := c.run(ctx, chosen)
	if failed != nil { // what was seen before is not lost
		c.early = "ended by an error"
	}
	r := &comparisonReport{kinds: chosen, results: c.results, faults: c.faults, lasted: time.Since(c.began), settings: s, shortened: c.early, states: c.states, load: o.load}
	for _, p := range c.peers {
		if failed != nil {
			break // a node may still be broken
		}
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
	return r.good(), failed
}

// estimate knows from experience how long the stores take to be whole again.
func (c *comparison) estimate(chosen []kind) (total time.Duration) {
	for _, k := range chosen {
		for _, p := range c.peers {
			rounds := c.shared
			switch {
			case !c.takes(p, k):
				continue
			case p == c.holdfast && k.name != calm:
				rounds = c.rounds
			}
			each := warmUp + watchPeers + 500*time.Millisecond
			if k.name != calm {
				each += p.heals()
			}
			total += each * time.Duration(rounds)
		}
	}
	return total
}

// takes reports whether a kind of fault comes to a store. A cut, and a handover that leaves
// the node running, have no counterpart at the others here.
func (c *comparison) takes(p peer, k kind) bool {
	return p == c.holdfast || !k.cut && !k.planned
}

// together reports whether all stores take turns in a round. Such rounds are spread evenly.
func (c *comparison) together(round int) bool {
	return (round+1)*c.shared/c.rounds > round*c.shared/c.rounds
}

func (c *comparison) run(ctx context.Context, chosen []kind) error {
	for round := range c.rounds {
		turns := c.peers
		if !c.together(round) {
			turns = c.peers[:1]
		}
		for _, i := range c.rand.Perm(len(chosen)) {
			k := chosen[i]
			if k.name == calm && !c.together(round) {
				continue
			}
			for j := range turns { // none always follows the same
				p := turns[(j+round+i)%len(turns)]
				if c.early = shortened(ctx); c.early != "" {
					return nil
				}
				if !c.takes(p, k) {
					continue
				}
				if err := c.fault(p, k, round); err != nil {
					return fmt.Errorf("%s, %s in round %d: %w", p.name(), k.name, round+1, err)
				}
				if k.name != calm {
					c.faults[p.name()]++
				}
			}
		}
	}
	return nil
}

// crowds are the clients that a fault has. Those of a node that is silent wait for their own
// time limit, of seconds: they are there when the other stores' are, and not else. Those of
// one that is cut off could go nowhere.
func (c *comparison) crowds(p peer, k kind, victim *harness.Node, round int) []crowd {
	crowds := p.crowds(victim)
	switch {
	case k.planned: // no node breaks
		all := crowds[0]
		all.addrs = append(all.addrs, victim.Addr)
		return []crowd{all}
	case k.cut, k.silent && !c.together(round):
		return crowds[:1]
	}
	return crowds
}

// fault lets new clients loose on a store, breaks the node that leads, waits until all of
// them are served, mends it, and looks at what is there once the store is whole again. The
// clients' keys are removed: every fault finds the same store.
func (c *comparison) fault(p peer, k kind, round int) error {
	victim, err := p.leader()
	if err != nil {
		return err
	}
	interval := c.interval
	if k.loaded {
		interval = 0
	}
	crowds := c.crowds(p, k, victim, round)
	var loads []*workload.Load
	for i, crowd := range crowds {
		loads = append(loads, workload.Start(crowd.addrs, workload.Options{
			Clients: crowd.share * c.clients, Interval: interval, Dial: p.dial,
			Prefix:      fmt.Sprintf("%d.%s.%d.", round, k.name, i),
			NoDeadlines: !p.deadlines(),
		}))
	}
	defer func() {
		for _, load := range loads {
			load.Stop()
		}
	}()
	for _, load := range loads {
		if err := load.Served(serveTimeout); err != nil {
			return err
		}
	}
	wait := warmUp + time.Duration(c.rand.IntN(100))*time.Millisecond
	if p != c.holdfast {
		time.Sleep(wait)
	} else if err := noteState(c.states, k, victim, wait); err != nil {
		return err
	}

	for _, load := range loads {
		load.Watch()
	}
	if err := c.breaks(p, k, victim); err != nil {
		return err
	}
	time.Sleep(watchPeers)
	for i, load := range loads {
		pause, err := load.Pause(serveTimeout)
		if err != nil { // a minute is what it is taken for
			pause = serveTimeout
		}
		o := c.outcome(p, k, crowds[i].name)
		o.pauses = append(o.pauses, pause)
		fmt.Printf("%6.1fs  round %d  %-18s %-42s %9s ms\n", time.Since(c.began).Seconds(), round+1, k.name, crowds[i].name, ms(pause))
	}
	if err := c.mends(p, k, victim); err != nil {
		return err
	}
	if _, err := p.leader(); err != nil {
		return err
	}
	time.Sleep(watchPeers / 4)
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
		if f := findings; f.Bad() {
			fmt.Printf("%6.1fs  round %d  %-18s %-42s %d errors, %d lost, %d duplicated, %d stale\n",
				time.Since(c.began).Seconds(), round+1, k.name, crowds[i].name, f.Errors, f.Lost, f.Duplicated, f.Stale)
		}
		if err := load.Clear(crowds[i].addrs[0]); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) breaks(p peer, k kind, victim *harness.Node) error {
	switch k.verb() {
	case calm:
		return nil
	case "kill":
		return victim.Kill()
	case "pause":
		return victim.Pause()
	case "stop":
		return p.stop(victim)
	case "cut":
		return c.holdfast.lan.at(victim.Addr).cut(true)
	case "failover":
		return failover(c.holdfast.Cluster, victim, c.rand)
	}
	panic("drill: no kind of fault for a comparison: " + k.name)
}

func (c *comparison) mends(p peer, k kind, victim *harness.Node) error {
	switch k.verb() {
	case calm, "failover":
		return nil
	case "pause":
		return p.mend(victim, victim.Resume)
	case "cut":
		return c.holdfast.lan.at(victim.Addr).cut(false)
	}
	return p.mend(victim, victim.Start)
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
