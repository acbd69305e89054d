package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// exclusive are kinds of faults that come alone, while all other hosts are well: a node
// forgets what it had, so that all that is acknowledged must be on other disks.
var exclusive = map[string]bool{"empty": true, "damage": true, "leave": true}

// othersHaveAll ends a host's process, and returns when all that was acknowledged is on a
// majority without it. False says that something was found.
func (w *world) othersHaveAll(h *host) bool {
	h.kill(false)
	if _, err := w.newClient(w.others(h)[0]).Must("SET", "others", "have it"); err != nil {
		w.find("while %s is down: %v", h.name, err)
		return false
	}
	return true
}

// ruin damages a file of a host. The node has to say which one it is and not to start, and
// its disk is emptied then, as its operator would; or it has to be like all others.
func (w *world) ruin(h *host, dice *rand.Rand) {
	if !w.othersHaveAll(h) {
		return
	}
	path, what := h.disk.damage(dice)
	w.note("%s: %s", h.name, what)
	h.damaged.Store(true)
	h.run()
	for began := time.Now(); time.Since(began) < recovery; time.Sleep(20 * time.Millisecond) {
		if node := h.node(); node != nil && node.Ready() == nil {
			break
		}
		if said := h.refused.Load(); said != nil {
			w.note("%s: %s", h.name, *said)
			if dir := strings.TrimSuffix(path, path[strings.LastIndex(path, "/"):]); !strings.Contains(*said, dir) {
				w.find("%s, %s: it says %q", h.name, what, *said)
			}
			w.refusals++
			h.empty()
			break
		}
	}
	h.damaged.Store(false)
	h.refused.Store(nil)
}

// damage flips a bit of a file of a disk that nobody uses, or cuts off its end.
func (d *disk) damage(dice *rand.Rand) (path, what string) {
	var paths []string
	for name, i := range d.names {
		if !i.dir && len(i.data) > 0 && strings.Contains(name, "/raft/") && !strings.Contains(name, "spare") && !strings.HasSuffix(name, ".new") {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	path = paths[dice.IntN(len(paths))]
	i := d.names[path]
	used := len(strings.TrimRight(string(i.data), "\x00")) // without what was only reserved
	if used == 0 {
		return path, path + " was empty"
	}
	at := dice.IntN(used)
	if dice.IntN(3) == 0 {
		i.data, i.durable = i.data[:at], i.durable[:at]
		return path, fmt.Sprintf("%s cut off at %d of %d", path, at, used)
	}
	bit := dice.IntN(8)
	i.data[at] ^= 1 << bit
	i.durable[at] = i.data[at]
	return path, fmt.Sprintf("%s: bit %d of byte %d of %d flipped", path, bit, at, used)
}

// dismiss takes a host out of the cluster. It comes back as a new node, with nothing.
func (w *world) dismiss(h *host, pick int) {
	if !w.othersHaveAll(h) {
		return
	}
	others := w.others(h)
	by := others[pick%len(others)]
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		said := by.node().Forget(context.Background(), h.name) // at first it may say that the other runs
		if by.node().Status().Voters == len(others) {
			break
		}
		if time.Since(began) > recovery {
			w.find("%s does not forget %s: %v", by.name, h.name, said)
			return
		}
	}
	w.note("%s has left", h.name)
	h.empty()
}
