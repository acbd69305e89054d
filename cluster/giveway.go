package cluster

import "runtime"

// giveWay runs what no client waits for, or only one that asked for it (SAVE), on a thread of
// low priority: other nodes and programs on its machine come first, while a machine of its own
// is used to the full. Its methods are for one goroutine.
type giveWay struct {
	jobs chan func() // nil while there is no thread
	done chan struct{}
}

// behindEntries is how many entries beyond the one that it applies the leader has to have
// committed for a node to be behind. One that is not has hardly more than come with one request.
const behindEntries = 256

// behind reports whether there is a lot to apply behind an entry. Clients wait for what a leader
// applies, however much it is. Raft's own commit index does not tell: see boundCommit.
func (n *Node) behind(index uint64) bool {
	return n.leaderCommit.Load() > index+behindEntries && !n.route.leading()
}

// run runs a function and returns when it has ended.
func (g *giveWay) run(f func()) {
	if g.jobs == nil {
		g.jobs, g.done = make(chan func()), make(chan struct{})
		go g.thread(g.jobs, g.done)
	}
	g.jobs <- f
	<-g.done
}

// thread is never unlocked from its goroutine: it ends with it, as a priority that was given
// up takes a privilege to get back.
func (g *giveWay) thread(jobs <-chan func(), done chan<- struct{}) {
	runtime.LockOSThread()
	lowerPriority()
	for f := range jobs {
		f()
		done <- struct{}{}
	}
}

// end ends the thread until the next run.
func (g *giveWay) end() {
	if g.jobs != nil {
		close(g.jobs)
		g.jobs = nil
	}
}
