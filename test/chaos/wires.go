package chaos

import (
	"slices"

	"holdfast/test/harness"
	"holdfast/test/machine"
)

// wires calls do with each wire between two nodes.
func (a *arena) wires(do func(from, to int, w *machine.Wire)) {
	a.network.Wires(func(from, to int, w *machine.Wire) {
		if from < len(a.Nodes) && to < len(a.Nodes) {
			do(from, to, w)
		}
	})
}

// cut cuts the wires that a fault is about.
func (a *arena) cut(f fault, victims []*harness.Node) {
	among := make([]bool, len(a.Nodes))
	for _, n := range victims {
		among[a.index(n)] = true
	}
	size := len(a.Nodes)
	side := func(i int) int { return (i + f.pick) % size } // the nodes, turned around
	a.wires(func(from, to int, w *machine.Wire) {
		cut := false
		switch f.kind {
		case "alone": // nothing to or from any of them
			cut = among[from] || among[to]
		case "deaf":
			cut = among[to]
		case "mute":
			cut = among[from]
		case "split": // a minority and a majority
			cut = (side(from) < size/2) != (side(to) < size/2)
		case "bridge": // two halves that have one node in common, which sees both
			x, y := side(from), side(to)
			cut = x != size/2 && y != size/2 && (x < size/2) != (y < size/2)
		case "ring": // each is heard by the next one only, and all in a majority of five by two
			distance := (to - from + size) % size
			cut = distance > max(1, size/2)
		}
		w.Cut(cut)
	})
}

// join ends cut.
func (a *arena) join() error {
	a.network.Wires(func(_, _ int, w *machine.Wire) { w.Cut(false) })
	return nil
}

// setWeather changes the wires of some nodes, in both directions.
func (a *arena) setWeather(f fault, victims []*harness.Node) {
	a.wires(func(from, to int, w *machine.Wire) {
		if slices.Contains(victims, a.Nodes[from]) || slices.Contains(victims, a.Nodes[to]) {
			w.SetWeather(f.weather)
		}
	})
}

// clearUp ends setWeather.
func (a *arena) clearUp() error {
	a.network.Wires(func(_, _ int, w *machine.Wire) { w.SetWeather(machine.Weather{}) })
	return nil
}
