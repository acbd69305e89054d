package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

const (
	watch        = time.Second      // how long clients are watched after a fault, at least
	settle       = time.Second      // so much longer after a node's return, until the next fault
	readyTimeout = 90 * time.Second // a node with millions of keys, on a busy machine
	questions    = 30               // to a node that stands still
)

// drill is a cluster, the crowd of its clients, and what was measured.
type drill struct {
	cluster  *harness.Cluster
	lan      *lan // nil where the nodes share this machine's loopback
	load     *workload.Load
	timeline *workload.Timeline
	rand     *rand.Rand
	total    int // rounds
	rest     time.Duration
	states   map[string]state // by the kind of fault that was to come
	pauses   map[string]workload.Pauses
	faults   []fault
	early    string // why it ended before the last fault, "" if it did not
	screen   bool
}

// fault is one that was made. Its times are since the drill began.
type fault struct {
	kind         string
	victim       string
	at, back     time.Duration // when the node was broken, and when it was about to return
	pause, after time.Duration // what clients of the other nodes saw of each
}

// drill breaks the nodes of a cluster in turn.
func (o *options) drill(ctx context.Context, dir string, chosen []kind) (good bool, err error) {
	binary, err := harness.Build(dir)
	if err != nil {
		return false, err
	}
	d := &drill{
		rand: rand.New(rand.NewPCG(o.seed, 0)), total: o.rounds,
		rest: o.interval(), states: map[string]state{},
		pauses: map[string]workload.Pauses{}, screen: isatty.IsTerminal(os.Stdout.Fd()),
	}
	base, _ := strconv.Atoi(os.Getenv("HOLDFAST_BASE"))
	config := harness.Config{Binary: binary, Dir: dir, Base: base, Flags: strings.Fields(os.Getenv("HOLDFAST_FLAGS"))}
	if inside() {
		if d.lan, err = newLAN(3); err != nil {
			return false, err
		}
		defer d.lan.close()
		config.Hosts = d.lan.hosts()
	}
	if d.cluster, err = harness.New(config); err != nil {
		return false, err
	}
	defer d.cluster.Close()
	if err := d.cluster.Start(); err != nil {
		return false, err
	}
	s := newSettings(o, binary)
	s.add("Sessions stored beforehand", "%s", thousands(o.stored))
	s.network(d.lan != nil)
	fmt.Printf("drill: three nodes, %d clients at each, %s, %s sessions, seed %d\n", o.clients, o.pace(), thousands(o.stored), o.seed)
	var estimate time.Duration
	for _, k := range chosen {
		estimate += k.lasts() * time.Duration(o.rounds)
		if k.name != calm && !k.silent && !k.planned { // the process reads its snapshot again
			estimate += time.Duration(o.stored*o.rounds) * 3 * time.Microsecond
		}
	}
	if err := d.store(o.stored); err != nil {
		return false, err
	}
	ctx, cancel := o.limited(ctx, estimate)
	defer cancel()

	d.timeline = workload.NewTimeline()
	d.load = workload.Start(d.cluster.Addrs(), workload.Options{Clients: o.clients, Interval: o.interval(), Timeline: d.timeline, Dial: d.dial})
	if err := d.rounds(ctx, chosen); err != nil {
		d.load.Stop()
		fmt.Println(d.load.Findings())
		return false, err
	}
	r, err := d.finish()
	if err != nil {
		return false, err
	}
	r.settings, r.shortened, r.load, r.stored = s, d.early, o.load, o.stored
	r.print(os.Stdout)
	if o.report != "" {
		if err := writePage(o.report, r.page()); err != nil {
			return false, err
		}
		fmt.Println("report:", o.report)
	}
	return r.good(), nil
}

func (d *drill) dial(addr string) (workload.Conn, error) {
	if d.lan != nil {
		return d.lan.dial(addr)
	}
	return harness.Dial(addr)
}

// store fills the cluster with sessions.
func (d *drill) store(sessions int) error {
	value := strings.Repeat("session+", 300/8)
	fill := func() error {
		return harness.Fill(d.cluster.Nodes[0].Addr, sessions, func(i int) []string {
			return []string{"SET", fmt.Sprintf("sess:%024d", i), value, "EX", "86400"}
		})
	}
	if d.lan != nil {
		return d.lan.places[0].enter(fill)
	}
	return fill()
}

// cut takes a node away from the others without a word; its own clients stay with it.
func (d *drill) cut(n *harness.Node) error { return d.lan.at(n.Addr).cut(true) }

// join ends cut.
func (d *drill) join(n *harness.Node) error { return d.lan.at(n.Addr).cut(false) }

// failover has another node lead.
func (d *drill) failover(leader *harness.Node) error {
	return failover(d.cluster, leader, d.rand)
}

func failover(c *harness.Cluster, leader *harness.Node, dice *rand.Rand) error {
	others := c.Others(leader)
	_, err := others[dice.IntN(len(others))].Do("CLUSTER", "FAILOVER")
	return err
}

// rounds has every kind of fault come once in each round, in random order.
func (d *drill) rounds(ctx context.Context, chosen []kind) error {
	time.Sleep(settle)
	for round := range d.total {
		for _, i := range d.rand.Perm(len(chosen)) {
			if d.early = shortened(ctx); d.early != "" {
				return nil
			}
			if err := d.fault(round, chosen[i]); err != nil {
				return fmt.Errorf("%s in round %d: %w", chosen[i].name, round+1, err)
			}
		}
	}
	if d.screen {
		fmt.Print("\r\x1b[K")
	}
	return nil
}

// fault breaks one node and mends it.
func (d *drill) fault(round int, k kind) error {
	if k.name == calm {
		pause, err := d.load.Measure(watch, func() error { return nil })
		d.note(round, calm, "", pause)
		return err
	}
	leader, err := d.cluster.Leader()
	if err != nil {
		return err
	}
	victim := leader
	if others := d.cluster.Others(leader); !k.leader {
		victim = others[d.rand.IntN(len(others))]
	}
	wait := 100*time.Millisecond + time.Duration(d.rand.IntN(100))*time.Millisecond
	if k.loaded {
		d.load.Rest(0)
		defer d.load.Rest(d.rest)
		wait += settle
	}
	if err := noteState(d.states, k, victim, wait); err != nil {
		return err
	}
	made := fault{kind: k.name, victim: victim.Name}
	if k.planned {
		return d.handOver(round, k, victim, made)
	}

	ask, broken := 0, watch
	if k.silent { // the world goes on, so that there is something to be behind of
		ask, broken = questions, watch+watch/4
	}
	asked, err := d.load.Prepare(victim.Addr, ask)
	if err != nil {
		return err
	}
	defer asked.Close()
	d.load.Down(victim.Addr)
	made.pause, err = d.load.Measure(broken, func() error {
		made.at = time.Since(d.timeline.Began)
		return k.breaks(d, victim)
	})
	if err != nil {
		return err
	}
	d.note(round, k.name, victim.Name, made.pause)

	if err := asked.Ask(); err != nil {
		return err
	}
	made.after, err = d.load.Measure(watch+settle, func() error {
		made.back = time.Since(d.timeline.Began)
		if err := k.mends(d, victim); err != nil {
			return err
		}
		return victim.WaitReady(readyTimeout)
	})
	if err != nil {
		return err
	}
	d.note(round, k.back(), victim.Name, made.after)
	if err := asked.Answers(); err != nil {
		return err
	}
	d.faults = append(d.faults, made)
	d.load.Up(victim.Addr)
	return nil
}

// handOver is a fault that leaves all nodes whole, so that no client's wait is excused.
func (d *drill) handOver(round int, k kind, leader *harness.Node, made fault) (err error) {
	made.pause, err = d.load.Measure(watch+settle, func() error {
		made.at = time.Since(d.timeline.Began)
		err := k.breaks(d, leader)
		made.back = time.Since(d.timeline.Began)
		return err
	})
	if err != nil {
		return err
	}
	d.note(round, k.name, leader.Name, made.pause)
	d.faults = append(d.faults, made)
	return nil
}

// note books a pause and tells whoever watches.
func (d *drill) note(round int, row, victim string, pause time.Duration) {
	d.pauses[row] = append(d.pauses[row], pause)
	line := fmt.Sprintf("%6.1fs  round %d of %d  %-18s %-2s  %8s ms", time.Since(d.timeline.Began).Seconds(), round+1, d.total, row, victim, ms(pause))
	if d.screen {
		fmt.Printf("\r\x1b[K%s", line)
	} else {
		fmt.Println(line)
	}
}

// finish stops the clients and looks at what is there.
func (d *drill) finish() (*report, error) {
	lasted := time.Since(d.timeline.Began)
	d.load.Stop()
	moments := d.timeline.Moments()
	moments = moments[:min(len(moments), int(lasted/workload.Tick))] // not one that is half over
	findings, err := d.load.Verify(d.cluster.Nodes[d.rand.IntN(len(d.cluster.Nodes))].Addr)
	if err != nil {
		return nil, err
	}
	return &report{pauses: d.pauses, faults: d.faults, moments: moments, findings: findings, differ: d.cluster.Agree(), lasted: lasted, states: d.states}, nil
}
