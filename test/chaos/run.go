package chaos

import (
	"errors"
	"fmt"
	"time"
)

// recovery is how long the cluster may take to be ready once everything is mended.
const recovery = 90 * time.Second

// execute breaks and mends until the plan is at its end, or something was found. It counts
// the faults by their kind, and returns how long it took to recover.
func (a *arena) execute(p plan, faults map[string]int) (recoveries []time.Duration, err error) {
	for i, s := range p {
		if len(a.found()) > 0 {
			return recoveries, nil
		}
		a.note("step %d: %v", i, s)
		for _, f := range s.faults {
			faults[f.kind]++
		}
		if err := a.perform(s); err != nil {
			return recoveries, fmt.Errorf("step %d, %v: %w", i, s, err)
		}
		if s.calm || i == len(p)-1 {
			begun := time.Now()
			if err := a.mended(); err != nil {
				return recoveries, fmt.Errorf("after step %d, %v: %w", i, s, err)
			}
			recoveries = append(recoveries, time.Since(begun))
		}
		time.Sleep(s.gap)
	}
	return recoveries, nil
}

func (a *arena) perform(s planned) error {
	switch s.faults[0].kind {
	case "join":
		return a.grow()
	case "leave":
		return a.leave(s.faults[0], s.hold)
	case "empty", "damage":
		return a.forget(s.faults[0])
	}
	var mends []func() error
	var errs []error
	for _, f := range s.faults {
		mend, err := a.begin(f)
		if mend != nil {
			mends = append(mends, mend)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f, err))
			break
		}
	}
	if errs == nil {
		time.Sleep(s.hold)
	}
	a.note("mend")
	for _, mend := range mends {
		errs = append(errs, mend())
	}
	errs = append(errs, a.revive())
	return errors.Join(errs...)
}

// revive starts nodes that have ended by themselves: only a full disk excuses them.
func (a *arena) revive() error {
	for _, n := range a.Nodes {
		if !n.Running() {
			if !a.isExcused(n) {
				a.find("%s has ended by itself:\n%s", n.Name, tail(n.Log()))
			}
			a.note("%s has ended: %s", n.Name, tail(n.Log()))
			if err := n.Start(); err != nil {
				return err
			}
		}
		a.excuse(n, false)
	}
	return nil
}

// mended returns when all nodes are ready.
func (a *arena) mended() error {
	err := a.WaitReady(recovery)
	for _, n := range a.Nodes {
		if !n.Running() {
			a.find("%s has ended by itself:\n%s", n.Name, tail(n.Log()))
		}
	}
	if err != nil {
		a.note("not mended: %v", err)
	}
	return err
}
