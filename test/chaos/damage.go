package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/test/harness"
)

// forget takes from a node what it has on disk, or damages it, while all others are well,
// and waits until it is a member like before. A node that finds its disk damaged says so
// and ends; then the disk is emptied, as its operator would.
func (a *arena) forget(f fault) error {
	if err := a.mended(); err != nil {
		return err
	}
	victim := a.victims(f)[0]
	a.note("begin %s of %s", f, victim.Name)
	if err := victim.Kill(); err != nil {
		return err
	}
	// What is acknowledged from now on is with the others, and so is all before it.
	c := a.newClient(a.Others(victim)[0])
	if _, err := c.Must("SET", "others", "have it"); err != nil {
		return err
	}
	c.Close()
	if f.kind == "empty" {
		return errors.Join(victim.Wipe(), victim.Start())
	}
	what, err := a.damage(victim, rand.New(rand.NewPCG(uint64(f.pick), uint64(f.leave))))
	if err != nil {
		return err
	}
	a.note("damaged: %s", what)
	before := len(victim.Log())
	if err := victim.Start(); err != nil {
		return err
	}
	for range 600 {
		if !victim.Running() || victim.Ready() == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if victim.Running() {
		return nil // it made nothing of it: mended and Agree tell whether that was right
	}
	said := victim.Log()[before:]
	if status, err := victim.Wait(time.Second); err != nil || status != 1 || !strings.Contains(said, victim.Dir) {
		a.find("%s, %s: it ends with status %d (%v) and says:\n%s", victim.Name, what, status, err, tail(said))
	}
	a.note("%s: %s", victim.Name, tail(said))
	return errors.Join(victim.Wipe(), victim.Start())
}

// damage flips a bit of a file of a node that does not run, or cuts off its end.
func (a *arena) damage(n *harness.Node, dice *rand.Rand) (what string, err error) {
	err = a.machine(n).Enter(func() error {
		var files []string
		err := filepath.WalkDir(filepath.Join(n.Dir, "raft"), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && !strings.Contains(path, "spare") {
				files = append(files, path)
			}
			return err
		})
		if err != nil || len(files) == 0 {
			return errors.Join(err, fmt.Errorf("%d files in %s", len(files), n.Dir))
		}
		slices.Sort(files)
		path := files[dice.IntN(len(files))]
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		used := len(data) // without what was only reserved
		for used > 0 && data[used-1] == 0 {
			used--
		}
		if used == 0 {
			what = path + " was empty"
			return nil
		}
		at := dice.IntN(used)
		if dice.IntN(3) == 0 {
			what = fmt.Sprintf("%s cut off at %d of %d", path, at, used)
			return os.Truncate(path, int64(at))
		}
		bit := dice.IntN(8)
		what = fmt.Sprintf("%s: bit %d of byte %d of %d flipped", path, bit, at, used)
		data[at] ^= 1 << bit
		return os.WriteFile(path, data, 0o600)
	})
	return what, err
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
