package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/test/harness"
)

// maxOff bounds how far the clocks of nodes are off. Deadlines may be off by as much: TTLs
// are judged by the clock of whoever leads.
const maxOff = 250 * time.Millisecond

// clockFile is read by the node whenever it asks for the time.
func (a *arena) clockFile(name string) string { return filepath.Join(a.dir, name+".clock") }

// setClock has a node's clock jump to where it is off by a duration.
func (a *arena) setClock(n *harness.Node, off time.Duration) error {
	// By a new file, so that the node reads the old time or the new one.
	next := a.clockFile(n.Name) + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%d", off.Milliseconds()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, a.clockFile(n.Name))
}

// drift has a node's clock go wrong little by little, and right again.
func (a *arena) drift(n *harness.Node, most time.Duration) func() error {
	const steps = 50
	step := 0
	return func() error {
		step++
		part := step % (2 * steps)
		if part > steps {
			part = 2*steps - part
		}
		time.Sleep(20 * time.Millisecond)
		return a.setClock(n, most*time.Duration(part)/steps)
	}
}
