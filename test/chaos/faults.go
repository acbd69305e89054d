package chaos

import (
	"errors"
	"fmt"
	"time"

	"holdfast/test/harness"
)

// begin breaks something and returns what mends it.
func (a *arena) begin(f fault) (mend func() error, err error) {
	victims := a.victims(f)
	names := make([]string, len(victims))
	for i, n := range victims {
		names[i] = n.Name
	}
	a.note("begin %s of %v", f, names)
	switch f.kind {
	case "kill":
		return each(victims, (*harness.Node).Start), each(victims, (*harness.Node).Kill)()
	case "stop":
		return each(victims, (*harness.Node).Start), each(victims, (*harness.Node).Stop)()
	case "pause":
		return each(victims, (*harness.Node).Resume), each(victims, (*harness.Node).Pause)()
	case "power":
		return each(victims, (*harness.Node).Start), a.cutPower(victims)
	case "crashes":
		return a.repeat(func() error { return a.crash(victims[0], f.stall) }), nil
	case "rolling":
		return a.repeat(a.handOver), nil
	case "failovers":
		return a.repeat(a.failOver), nil
	case "saves":
		return a.repeat(a.save), nil
	case "full":
		for _, n := range victims {
			a.excuse(n, true)
		}
		return each(victims, func(n *harness.Node) error { return a.machine(n).Disk.Free() }),
			each(victims, func(n *harness.Node) error { return a.machine(n).Disk.Fill(f.leave) })()
	case "slow":
		return each(victims, func(n *harness.Node) error { return a.machine(n).Disk.Fast() }),
			each(victims, func(n *harness.Node) error {
				return a.machine(n).Disk.Slow(f.stall, 20*time.Millisecond, time.Minute)
			})()
	case "jump":
		return each(victims, func(n *harness.Node) error { return a.setClock(n, 0) }),
			each(victims, func(n *harness.Node) error { return a.setClock(n, f.off) })()
	case "hour":
		return a.mislead(f.off)
	case "drift":
		return a.repeat(a.drift(victims[0], f.off), func() error { return a.setClock(victims[0], 0) }), nil
	case "alone", "deaf", "mute", "bridge", "ring", "split":
		a.cut(f, victims)
		return a.join, nil
	case "flap":
		down := false
		return a.repeat(func() error {
			if down = !down; down {
				a.cut(fault{kind: "alone"}, victims)
			} else {
				a.join()
			}
			time.Sleep(f.stall)
			return nil
		}, a.join), nil
	case "delay", "jitter", "loss", "duplicate", "reorder", "storm":
		a.setWeather(f, victims)
		return a.clearUp, nil
	}
	return nil, fmt.Errorf("no such fault: %s", f.kind)
}

// victims are the nodes that a fault is for. Where nobody leads it is any.
func (a *arena) victims(f fault) []*harness.Node {
	any := a.Nodes[f.pick%len(a.Nodes)]
	leader := a.leader()
	if leader == nil {
		leader = any
	}
	others := a.Others(leader)
	switch f.whom {
	case "leader":
		return []*harness.Node{leader}
	case "follower":
		return []*harness.Node{others[f.pick%len(others)]}
	case "two":
		return a.Others(any)[:2]
	case "all":
		return a.Others()
	}
	return []*harness.Node{any}
}

// each does something to every node. It goes on after an error.
func each(nodes []*harness.Node, do func(*harness.Node) error) func() error {
	return func() error {
		var errs []error
		for _, n := range nodes {
			if err := do(n); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
			}
		}
		return errors.Join(errs...)
	}
}

// repeat does something again and again until it is mended, and then what is to be done
// last.
func (a *arena) repeat(do func() error, last ...func() error) (mend func() error) {
	stop, result := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				result <- nil
				return
			default:
			}
			if err := do(); err != nil {
				result <- err
				return
			}
		}
	}()
	return func() error {
		close(stop)
		err := <-result
		for _, do := range last {
			err = errors.Join(err, do())
		}
		return err
	}
}

// cutPower kills nodes, and takes from their disks what was not fsynced.
func (a *arena) cutPower(nodes []*harness.Node) error {
	if err := each(nodes, (*harness.Node).Kill)(); err != nil {
		return err
	}
	return each(nodes, func(n *harness.Node) error { return a.machine(n).Disk.CutPower() })()
}

// crash kills a node a moment after it has started, wherever it is by then.
func (a *arena) crash(n *harness.Node, after time.Duration) error {
	if err := a.kill(n); err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	time.Sleep(after)
	return nil
}

// kill is for nodes that may have ended by themselves, where they are excused.
func (a *arena) kill(n *harness.Node) error {
	if !n.Running() && a.isExcused(n) {
		return nil
	}
	return n.Kill()
}

// handOver stops the leader, so that it hands leadership over, and starts it again.
func (a *arena) handOver() error {
	leader := a.leader()
	if leader == nil {
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	if err := leader.Stop(); err != nil && !a.isExcused(leader) {
		return fmt.Errorf("hand over from %s: %w", leader.Name, err)
	}
	if leader.Running() {
		return fmt.Errorf("%s does not stop", leader.Name)
	}
	if err := leader.Start(); err != nil {
		return err
	}
	for range 20 {
		if leader.Ready() == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// failOver has a node become the leader, if it can. When no other fault is there the pause is
// short, so that leadership goes round several times a second.
func (a *arena) failOver() error {
	leader := a.leader()
	if leader == nil {
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	heir := a.Others(leader)[int(a.book.Asked.Load())%(len(a.Nodes)-1)]
	if c, err := heir.Dial(); err == nil {
		c.SetDeadline(time.Now().Add(time.Second))
		c.Do("CLUSTER", "FAILOVER")
		c.Close()
	}
	time.Sleep(50 * time.Millisecond)
	return nil
}

// save has every node take a snapshot at once. It may not be able to.
func (a *arena) save() error {
	for _, n := range a.Nodes {
		if c, err := n.Dial(); err == nil {
			c.SetDeadline(time.Now().Add(200 * time.Millisecond))
			c.Do("BGSAVE")
			c.Close()
		}
	}
	time.Sleep(50 * time.Millisecond)
	return nil
}

func (a *arena) excuse(n *harness.Node, yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.excused[n.Name] = yes
}

func (a *arena) isExcused(n *harness.Node) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.excused[n.Name]
}
