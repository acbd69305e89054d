package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/cluster"
	"holdfast/test/harness"
)

// maxOff bounds how far the clocks of nodes are off that are right. Deadlines may be off by
// as much: TTLs are judged by the clock of whoever leads.
const maxOff = 250 * time.Millisecond

// mislead has the clock of one node be an hour off, always the same one's: most are right.
// Deadlines may then be off by what nodes are promised to keep to, and by what they cannot
// know of each other's clocks.
func (a *arena) mislead(off time.Duration) (mend func() error, err error) {
	c := cluster.DefaultConfig()
	a.book.Skew = maxOff + c.MaxClockSkew + c.ElectionTimeout/2
	wrong := a.Nodes[0]
	far := time.Hour
	if off < 0 {
		far = -far
	}
	a.note("the clock of %s is off by %v", wrong.Name, far)
	return func() error { return a.setClock(wrong, 0) }, a.setClock(wrong, far)
}

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
