// Package sim runs whole clusters in virtual time, on a network and disks in memory, breaks
// all of it in every way, and judges what the clients saw meanwhile.
//
// Everything here belongs into a bubble of testing/synctest. There a clock moves only when
// every goroutine waits for time, a channel or a condition, so that a minute of a cluster's
// life takes a second and nothing depends on how busy the machine is. A seed decides what
// is broken and when, and what the clients do. In which order goroutines run that are ready
// at the same time it does not decide: a failure may need several runs to return.
package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cluster"
	"holdfast/test/checked"
)

// world is a cluster and all that it stands on.
type world struct {
	seed    uint64
	plants  plants
	alter   func(*cluster.Config) // nil without
	network *network
	hosts   []*host
	start   time.Time
	log     *journal

	running sync.WaitGroup // processes, the dead ones too
	book    *checked.Book

	refusals int // to start from a damaged disk

	mu       sync.Mutex
	findings []string
	history  []question
}

// plants are bugs: what a world is made of then breaks a promise, and has to be found out.
type plants struct {
	noFsync    bool // acknowledge what is not on the disk
	forgetVote bool // lose the vote when a process ends
}

// host is a machine: a disk, a clock, and a process if it runs.
type host struct {
	world       *world
	name        string
	ip, address string
	offset      atomic.Int64 // of its clock, in milliseconds
	damaged     atomic.Bool  // is its disk: the node may refuse to start
	refused     atomic.Pointer[string]
	stopping    atomic.Int32 // how many are stopping it

	mu      sync.Mutex
	disk    *disk
	process *process
	resumed chan struct{} // closed when it is no longer paused; nil if it is not
}

// process is one life of a node. What it does after its death reaches nobody: it has no
// network any more, its disk is a copy, and clients do not believe it.
type process struct {
	host *host
	disk *disk
	dead atomic.Bool
	node atomic.Pointer[cluster.Node] // nil until it has started
	ctx  context.Context              // ends with it
	end  context.CancelFunc
	over chan struct{} // closed when nothing of it is left
}

func newWorld(seed uint64, nodes int, p plants) *world {
	w := &world{seed: seed, plants: p, start: time.Now()}
	w.log = newJournal(w.find)
	w.book = &checked.Book{Start: w.start, Seed: seed, Skew: maxSkew, Find: w.find}
	w.network = newNetwork(w.dice(1))
	for i := range nodes {
		ip := fmt.Sprintf("10.0.0.%d", i+1)
		h := &host{world: w, name: fmt.Sprintf("n%d", i+1), ip: ip, address: ip + ":17000"}
		h.disk = newDisk(w.dice(uint64(100 + i)))
		h.disk.lies = p.noFsync
		w.hosts = append(w.hosts, h)
	}
	return w
}

// dice are a part of the seed's.
func (w *world) dice(part uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, part)) }

// find notes something that must not be.
func (w *world) find(format string, args ...any) {
	text := fmt.Sprintf("at %.6f s: ", time.Since(w.start).Seconds()) + fmt.Sprintf(format, args...)
	w.note("FOUND %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.findings) < 10 { // the first ones tell the story
		w.findings = append(w.findings, text)
	}
}

func (w *world) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.findings
}

// note writes into the log what is done to the world.
func (w *world) note(format string, args ...any) { w.log.add("   ", fmt.Sprintf(format, args...)) }

func (h *host) config() cluster.Config {
	p := h.process
	alive := func() bool { return !p.dead.Load() }
	c := cluster.DefaultConfig()
	c.ID, c.Dir, c.Bus, c.Disk = h.name, "/data", h.address, p.disk
	for _, other := range h.world.hosts {
		c.Join = append(c.Join, other.address)
	}
	c.BootstrapExpect = len(h.world.hosts)
	if c.BootstrapExpect == 1 {
		c.Join = nil
	}
	c.CommitTimeout = 5 * time.Second
	// Segments and snapshots are small and many, and whoever was away finds the log gone.
	c.SegmentBytes, c.SnapshotBytes, c.TrailingLogs = 64<<10, 16<<10, 20
	c.DigestInterval = 500 * time.Millisecond
	c.Logger = h.world.log.logger()
	c.Listen = func(at string) (net.Listener, error) { return h.world.network.listen(h.ip, at, alive) }
	c.Dial = func(to string, timeout time.Duration) (net.Conn, error) {
		return h.world.network.dial(h.ip, to, timeout, alive)
	}
	c.Clock = func() int64 { return time.Now().UnixMilli() + h.offset.Load() }
	if h.world.alter != nil {
		h.world.alter(&c)
	}
	return c
}

// mislead has the host's clock be far off from now on. Deadlines may then be off by what nodes
// are promised to keep to, and by what they cannot know of each other's clocks.
func (h *host) mislead(by time.Duration) {
	c := cluster.DefaultConfig()
	h.world.book.Skew = maxSkew + c.MaxClockSkew + c.ElectionTimeout/2
	h.offset.Store(by.Milliseconds())
}

// run starts the process of a host that has none.
func (h *host) run() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil {
		return
	}
	h.world.network.revive(h.ip)
	p := &process{host: h, disk: h.disk, over: make(chan struct{})}
	p.ctx, p.end = context.WithCancel(context.Background())
	h.process = p
	config := h.config()
	h.world.running.Go(func() {
		defer close(p.over)
		defer func() { // of what ends here the log is kept
			if err := recover(); err != nil {
				h.world.find("%s does not start: panic: %v", h.name, err)
			}
		}()
		node, err := cluster.Open(p.ctx, config)
		if err != nil {
			if said := err.Error(); h.damaged.Load() {
				h.refused.Store(&said)
			} else if !p.dead.Load() {
				h.world.find("%s does not start: %v", h.name, err)
			}
			return
		}
		p.node.Store(node)
		select {
		case <-p.ctx.Done():
		case <-node.Done():
			if err := node.Err(); err != nil && !p.dead.Load() {
				h.world.find("%s has ended by itself: %v", h.name, err)
			}
		}
		node.Close()
	})
}

// die is the end of a process. It may be called with the disk's mutex held.
func (p *process) die(powerCut bool) {
	if p.dead.Swap(true) {
		return
	}
	p.host.world.network.die(p.host.ip, powerCut)
	p.end()
}

// kill ends the host's process without a warning, and with a power cut what was not
// fsynced as well.
func (h *host) kill(powerCut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process == nil {
		return
	}
	h.process.die(powerCut)
	h.disk = h.process.disk.left(powerCut)
	if h.world.plants.forgetVote {
		h.disk.forget()
	}
	h.process = nil
	h.unpause()
}

// stop ends it as SIGTERM does.
func (h *host) stop() {
	h.stopping.Add(1)
	defer h.stopping.Add(-1)
	p := h.alive()
	if p == nil {
		return
	}
	p.node.Load().Close()
	h.mu.Lock()
	same := h.process == p
	h.mu.Unlock()
	if same {
		h.kill(false)
	}
}

// crashSoon has the power fail at one of the next moments at which something becomes
// durable.
func (h *host) crashSoon(within int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.process; p != nil {
		p.disk.crashSoon(within, func() { p.die(true) })
	}
}

// spare takes back a crash that has not come yet.
func (h *host) spare() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil {
		h.process.disk.spare()
	}
}

// crashed reports whether the process has died by itself.
func (h *host) crashed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process != nil && h.process.dead.Load()
}

// empty takes all that was on the disk.
func (h *host) empty() {
	h.kill(true)
	h.mu.Lock()
	defer h.mu.Unlock()
	lies, dice := h.disk.lies, h.disk.dice
	h.disk = newDisk(dice)
	h.disk.lies = lies
}

// setFull takes all room from the host's disk, or gives it back.
func (h *host) setFull(full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil {
		h.process.disk.full.Store(full)
	}
}

// node is nil while there is none that could be asked.
func (h *host) node() *cluster.Node {
	if p := h.alive(); p != nil {
		return p.node.Load()
	}
	return nil
}

func (h *host) alive() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.process; p != nil && !p.dead.Load() && p.node.Load() != nil {
		return p
	}
	return nil
}

// pause holds up all that comes in and goes out. The process itself cannot be held: its
// timers go on, as they would for one that is cut off from everything.
func (h *host) pause() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil && h.resumed == nil {
		h.resumed = make(chan struct{})
		h.world.network.setHeld(h.ip, true)
	}
}

func (h *host) resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unpause()
}

// unpause is called with mu held.
func (h *host) unpause() {
	if h.resumed != nil {
		close(h.resumed)
		h.resumed = nil
		h.world.network.setHeld(h.ip, false)
	}
}

// wait returns when the host is not paused.
func (h *host) wait() {
	h.mu.Lock()
	resumed := h.resumed
	h.mu.Unlock()
	if resumed != nil {
		<-resumed
	}
}

// leader is the host that leads in the latest term, as far as they say; any, if none does.
func (w *world) leader(any int) *host {
	best, term := w.hosts[any%len(w.hosts)], uint64(0)
	for _, h := range w.hosts {
		if node := h.node(); node != nil {
			if s := node.Status(); s.Role == "leader" && s.Term > term {
				best, term = h, s.Term
			}
		}
	}
	return best
}

func (w *world) others(than *host) (others []*host) {
	for _, h := range w.hosts {
		if h != than {
			others = append(others, h)
		}
	}
	return others
}

// revive starts a host again if it does not run.
func (w *world) revive(h *host) {
	if h.crashed() {
		w.note("%s has crashed", h.name)
		h.kill(true)
	}
	h.run()
}

// recovery is how long everything may take to be ready once it is mended.
const recovery = time.Minute

// ready returns when all nodes are; false if that takes too long.
func (w *world) ready() bool {
	began := time.Now()
	for {
		var why []error
		for _, h := range w.hosts {
			w.revive(h)
			node := h.node()
			if node == nil || h.stopping.Load() > 0 {
				why = append(why, fmt.Errorf("%s does not run", h.name))
			} else if err := node.Ready(); err != nil {
				why = append(why, fmt.Errorf("%s, which is %s in term %d: %w", h.name, node.Status().Role, node.Status().Term, err))
			}
		}
		switch {
		case len(why) == 0:
			return true
		case len(w.found()) > 0:
			return false
		case time.Since(began) > recovery:
			w.find("not ready after %v: %v", recovery, errors.Join(why...))
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// well is ready, once no host is about to crash any more.
func (w *world) well() bool {
	for _, h := range w.hosts {
		h.spare()
	}
	return w.ready()
}

// agree compares the nodes' keyspaces, when nothing in them expires any more.
func (w *world) agree() {
	time.Sleep(2 * checked.MaxTTL)
	digests := map[string]string{}
	for _, h := range w.hosts {
		digest, err := h.node().Digest(context.Background())
		if err != nil {
			w.find("the digest of %s: %v", h.name, err)
			return
		}
		digests[digest] += h.name + " "
	}
	if len(digests) != 1 {
		w.find("the nodes differ: %v", digests)
	}
	for _, h := range w.hosts { // they themselves would have noticed: see journal
		if s := h.node().Status(); time.Since(s.Agreed) > 10*time.Second {
			w.find("%s has not compared its state lately: %+v", h.name, s.Consistency)
		}
	}
}

// close ends everything and returns when nothing is left of it.
func (w *world) close() {
	for _, h := range w.hosts {
		h.resume()
	}
	w.network.mend()
	for _, h := range w.hosts {
		w.running.Go(func() {
			h.stop()
			h.kill(false)
		})
	}
	w.running.Wait()
	time.Sleep(time.Minute) // what is left of them ends with the next tick of its timer
}
