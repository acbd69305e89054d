package checked

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// transaction is a MULTI of a client on lists. Elements are all different.
type transaction struct {
	call, end int64
	known     bool // else there was no answer, and end means nothing
	steps     []micro
}

// micro is a command of a transaction: append, unless that is 0, or else a read.
type micro struct {
	key    string
	append int
	read   []int
}

// judgeTransactions says why the transactions are not strictly serializable, as far as
// lists can tell (Kingsbury and Alvaro, "Elle", VLDB 2020, section 3): every list must have
// one order that all reads are beginnings of, and there must be an order of transactions
// in which each stands after those that it has read from, before those that it has not
// yet seen, and after those that had ended when it began. Each list has to be read at the
// end, when nothing is under way.
func judgeTransactions(all []transaction) (wrong []string) {
	writers := map[int]int{} // element -> its transaction
	for i, t := range all {
		for _, step := range t.steps {
			if step.append != 0 {
				writers[step.append] = i
			}
		}
	}
	orders, wrong := order(all, writers)
	g := newGraph(len(all))
	for _, elements := range orders {
		for i, element := range elements[min(1, len(elements)):] {
			g.edge(writers[elements[i]], writers[element], "appended before")
		}
	}
	applied := map[int]bool{}
	for _, elements := range orders {
		for _, element := range elements {
			applied[element] = true
		}
	}
	for i, t := range all {
		there, gone := 0, 0
		own := map[string]int{} // appended by the transaction itself so far
		for _, step := range t.steps {
			switch {
			case step.append != 0 && applied[step.append]:
				there++
				own[step.key]++
			case step.append != 0:
				gone++
			case t.known:
				wrong = append(wrong, g.read(i, step, own[step.key], orders[step.key], writers)...)
			}
		}
		switch {
		case t.known && gone > 0:
			wrong = append(wrong, fmt.Sprintf("acknowledged, but lost: %v", t))
		case there > 0 && gone > 0:
			wrong = append(wrong, fmt.Sprintf("applied in part: %v", t))
		}
	}
	g.time(all)
	if cycle := g.cycle(); cycle != nil {
		var b strings.Builder
		for _, e := range cycle {
			fmt.Fprintf(&b, "\n  %v\n    %s", all[e.from], e.why)
		}
		wrong = append(wrong, "no order of transactions explains this circle:"+b.String())
	}
	return wrong
}

// order returns the elements of each list in their order, which is the longest that was
// read, and says which reads do not fit it.
func order(all []transaction, writers map[int]int) (orders map[string][]int, wrong []string) {
	orders = map[string][]int{}
	each := func(do func(t transaction, step micro)) {
		for _, t := range all {
			for _, step := range t.steps {
				if step.append == 0 && t.known {
					do(t, step)
				}
			}
		}
	}
	each(func(_ transaction, step micro) {
		if len(step.read) > len(orders[step.key]) {
			orders[step.key] = step.read
		}
	})
	for key, elements := range orders {
		seen := map[int]bool{}
		for _, element := range elements {
			if _, sent := writers[element]; !sent || seen[element] {
				wrong = append(wrong, fmt.Sprintf("%s has %d twice, or nobody appended it", key, element))
				delete(orders, key)
				break
			}
			seen[element] = true
		}
	}
	each(func(t transaction, step micro) {
		if longest, ok := orders[step.key]; ok && !slices.Equal(step.read, longest[:len(step.read)]) {
			wrong = append(wrong, fmt.Sprintf("%v reads what is no beginning of %v", t, longest))
		}
	})
	return orders, wrong
}

func (t transaction) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%d µs to ", t.call)
	if t.known {
		fmt.Fprintf(&b, "%d µs:", t.end)
	} else {
		b.WriteString("no answer:")
	}
	for _, step := range t.steps {
		if step.append != 0 {
			fmt.Fprintf(&b, " append %d to %s;", step.append, step.key)
			continue
		}
		tail := step.read[max(0, len(step.read)-3):]
		fmt.Fprintf(&b, " read %s: %d elements to %v;", step.key, len(step.read), tail)
	}
	return b.String() + "]"
}

// graph has a vertex for each transaction, and beyond them one for each moment at which
// one ended.
type graph struct {
	edges [][]edge
	real  int // transactions
}

type edge struct {
	from, to int
	why      string
}

func newGraph(transactions int) *graph {
	return &graph{edges: make([][]edge, transactions), real: transactions}
}

func (g *graph) edge(from, to int, why string) {
	if from != to {
		g.edges[from] = append(g.edges[from], edge{from, to, why})
	}
}

// read puts a transaction after the writer of the last element that it has read, and before
// that of the first that it has not. The last ones that it has read are its own.
func (g *graph) read(i int, step micro, own int, order []int, writers map[int]int) (wrong []string) {
	others := len(step.read) - own
	if others < 0 || others > len(order) {
		return []string{fmt.Sprintf("transaction %d does not read what it appended to %s itself: %v", i, step.key, step.read)}
	}
	for _, element := range step.read[others:] {
		if writers[element] != i {
			return []string{fmt.Sprintf("transaction %d reads %d in %s after what it appended itself", i, element, step.key)}
		}
	}
	if others > 0 && writers[order[others-1]] == i {
		return []string{fmt.Sprintf("transaction %d reads in %s what it appends itself only later", i, step.key)}
	}
	if others > 0 {
		g.edge(writers[order[others-1]], i, "was read by")
	}
	if next := len(step.read); next < len(order) {
		g.edge(i, writers[order[next]], "did not see what was appended by")
	}
	return nil
}

// time puts transactions after those that had ended when they began. The moments of the
// ends form a chain, so that it takes few edges.
func (g *graph) time(all []transaction) {
	var ended, begun []int
	for i, t := range all {
		begun = append(begun, i)
		if t.known {
			ended = append(ended, i)
		}
	}
	slices.SortFunc(ended, func(a, b int) int { return cmp.Compare(all[a].end, all[b].end) })
	slices.SortFunc(begun, func(a, b int) int { return cmp.Compare(all[a].call, all[b].call) })
	next, moment := 0, -1
	for _, i := range begun {
		for ; next < len(ended) && all[ended[next]].end < all[i].call; next++ {
			g.edges = append(g.edges, nil)
			latest := len(g.edges) - 1
			g.edge(ended[next], latest, "had ended before")
			if moment >= 0 {
				g.edge(moment, latest, "")
			}
			moment = latest
		}
		if moment >= 0 {
			g.edge(moment, i, "")
		}
	}
}

// cycle returns a shortest circle of the edges, nil if there is none. Only those of its
// edges that start at a transaction are returned.
func (g *graph) cycle() []edge {
	var shortest []edge
	for _, component := range g.components() {
		for _, start := range component[:min(len(component), 50)] {
			if start >= g.real {
				continue
			}
			if c := g.circle(start); c != nil && (shortest == nil || len(c) < len(shortest)) {
				shortest = c
			}
		}
	}
	return slices.DeleteFunc(shortest, func(e edge) bool { return e.from >= g.real })
}

// circle is the shortest way from a vertex back to it.
func (g *graph) circle(start int) []edge {
	came := map[int]edge{}
	queue := []int{start}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, e := range g.edges[v] {
			if e.to == start {
				way := []edge{e}
				for v != start {
					way = append(way, came[v])
					v = came[v].from
				}
				slices.Reverse(way)
				return way
			}
			if _, seen := came[e.to]; !seen {
				came[e.to] = e
				queue = append(queue, e.to)
			}
		}
	}
	return nil
}

// components are the sets of more than one vertex that all reach each other (Tarjan, "Depth-
// first search and linear graph algorithms", 1972, without recursion).
func (g *graph) components() (found [][]int) {
	index := make([]int, len(g.edges)) // 0: not visited
	low := make([]int, len(g.edges))
	onStack := make([]bool, len(g.edges))
	var stack []int
	type call struct{ v, next int }
	visited := 0
	for root := range g.edges {
		if index[root] != 0 {
			continue
		}
		calls := []call{{root, 0}}
		for len(calls) > 0 {
			c := &calls[len(calls)-1]
			v := c.v
			if c.next == 0 {
				visited++
				index[v], low[v] = visited, visited
				stack = append(stack, v)
				onStack[v] = true
			}
			if c.next < len(g.edges[v]) {
				to := g.edges[v][c.next].to
				c.next++
				if index[to] == 0 {
					calls = append(calls, call{to, 0})
				} else if onStack[to] {
					low[v] = min(low[v], index[to])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].v
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			at := slices.Index(stack, v)
			for _, member := range stack[at:] {
				onStack[member] = false
			}
			if len(stack)-at > 1 {
				found = append(found, slices.Clone(stack[at:]))
			}
			stack = stack[:at]
		}
	}
	return found
}
