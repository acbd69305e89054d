package chaos

import (
	"errors"
	"fmt"
	"time"

	"holdfast/test/harness"
)

// leave takes a node out of the cluster for a while, while all others are well, and has it
// come back as a new one. Its clients go to another node meanwhile.
func (a *arena) leave(f fault, hold time.Duration) error {
	if err := a.mended(); err != nil {
		return err
	}
	victim := a.victims(f)[0]
	a.note("begin %s of %s", f, victim.Name)
	a.setAway(victim)
	end := victim.Stop
	if f.pick%2 == 0 {
		end = victim.Kill
	}
	if err := end(); err != nil {
		return err
	}
	others := a.Others(victim)
	err := dismiss(victim, others[f.pick%len(others)], len(others))
	if err == nil {
		time.Sleep(hold)
	}
	err = errors.Join(err, victim.Wipe(), victim.Start(), a.mended())
	a.setAway(nil)
	return err
}

// dismiss has a node forget another until it sees so many voters. At first it may say that
// the other runs.
func dismiss(victim, by *harness.Node, voters int) error {
	var said, err error
	var info map[string]string
	for deadline := time.Now().Add(recovery); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, said = by.Do("CLUSTER", "FORGET", victim.Name)
		if info, err = by.Info("raft"); err == nil && info["raft_voters"] == fmt.Sprint(voters) {
			return nil
		}
	}
	return fmt.Errorf("%s does not forget %s: %w", by.Name, victim.Name, errors.Join(said, err))
}

func (a *arena) setAway(n *harness.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = n
}

// host is the node that a node's clients are served by.
func (a *arena) host(n *harness.Node) *harness.Node {
	a.mu.Lock()
	away := a.away == n
	a.mu.Unlock()
	if away {
		return a.Others(n)[0]
	}
	return n
}
