package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"holdfast/test/harness"
	"holdfast/test/workload"
)

const (
	watch        = time.Second     // how long clients are watched after a fault, at least
	settle       = 1 * time.Second // between a node's return and the next fault
	readyTimeout = 30 * time.Second
	questions    = 30 // to a node that stands still
)

// drill is a cluster, the crowd of its clients, and what was measured.
type drill struct {
	cluster *harness.Cluster
	load    *workload.Load
	rand    *rand.Rand
	total   int // rounds
	pauses  map[string]workload.Pauses
	started time.Time
	screen  bool
}

func newDrill(c *harness.Cluster, o *options) *drill {
	d := &drill{
		cluster: c, rand: rand.New(rand.NewPCG(o.seed, 0)), total: o.rounds,
		pauses: map[string]workload.Pauses{}, started: time.Now(), screen: isatty.IsTerminal(os.Stdout.Fd()),
	}
	d.load = workload.Start(c.Addrs(), workload.Options{Clients: o.clients, Interval: o.interval()})
	return d
}

// rounds has every kind of fault come once in each round, in random order.
func (d *drill) rounds(ctx context.Context, chosen []kind) error {
	time.Sleep(settle)
	for round := range d.total {
		for _, i := range d.rand.Perm(len(chosen)) {
			if ctx.Err() != nil {
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
	time.Sleep(time.Duration(d.rand.IntN(100)) * time.Millisecond)

	ask := 0
	if k.paused {
		ask = questions
	}
	asked, err := d.load.Prepare(victim.Addr, ask)
	if err != nil {
		return err
	}
	defer asked.Close()
	d.load.Down(victim.Addr)
	pause, err := d.load.Measure(watch, func() error { return k.breaks(victim) })
	if err != nil {
		return err
	}
	d.note(round, k.name, victim.Name, pause)

	if k.paused { // the world goes on, so that there is something to be behind of
		time.Sleep(watch / 4)
	}
	if err := asked.Ask(); err != nil {
		return err
	}
	pause, err = d.load.Measure(watch, func() error {
		if err := k.mends(victim); err != nil {
			return err
		}
		return victim.WaitReady(readyTimeout)
	})
	if err != nil {
		return err
	}
	d.note(round, k.back(), victim.Name, pause)
	if err := asked.Answers(); err != nil {
		return err
	}
	d.load.Up(victim.Addr)
	time.Sleep(settle)
	return nil
}

// note books a pause and tells whoever watches.
func (d *drill) note(round int, row, victim string, pause time.Duration) {
	d.pauses[row] = append(d.pauses[row], pause)
	line := fmt.Sprintf("%6.1fs  round %d of %d  %-14s %-2s  %8s ms", time.Since(d.started).Seconds(), round+1, d.total, row, victim, ms(pause))
	if d.screen {
		fmt.Printf("\r\x1b[K%s", line)
	} else {
		fmt.Println(line)
	}
}

// finish stops the clients and looks at what is there.
func (d *drill) finish() (*report, error) {
	d.load.Stop()
	findings, err := d.load.Verify(d.cluster.Nodes[d.rand.IntN(len(d.cluster.Nodes))].Addr)
	if err != nil {
		return nil, err
	}
	return &report{pauses: d.pauses, findings: findings, differ: d.cluster.Agree()}, nil
}
