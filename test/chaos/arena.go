// Package chaos runs a cluster of real processes, each on a machine of its own, breaks
// the machines, the wires and the processes in every way at once, and judges all that the
// clients saw meanwhile.
package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast/test/checked"
	"holdfast/test/harness"
	"holdfast/test/machine"
)

// diskBytes of each node: enough for its log and snapshots, little enough to fill.
const diskBytes = 256 << 20

// arena is a cluster under fire, and the book that is kept of it.
type arena struct {
	*harness.Cluster
	network *machine.Network // with a machine for each node to come
	dir     string           // logs and the history

	book      *checked.Book
	workloads []checked.Workload
	stop      chan struct{} // closed to stop the clients
	running   sync.WaitGroup

	mu       sync.Mutex
	file     *os.File
	history  *bufio.Writer
	findings []string
	excused  map[string]bool // nodes that may end by themselves now
	away     *harness.Node   // is no member now, and its clients are elsewhere
}

// open makes an arena in a directory. Nothing runs before Start.
func openArena(dir, binary string, nodes int, seed uint64, flags ...string) (*arena, error) {
	a := &arena{dir: dir, stop: make(chan struct{}), excused: map[string]bool{}}
	a.book = &checked.Book{Start: time.Now(), Seed: seed, Skew: maxOff, Find: a.find}
	var err error
	if a.file, err = os.Create(filepath.Join(dir, "history.jsonl")); err != nil {
		return nil, err
	}
	a.history = bufio.NewWriter(a.file)
	if a.network, err = machine.NewNetwork(dir, nodes+spares, diskBytes, seed); err != nil {
		return nil, err
	}
	var hosts []harness.Host
	for _, m := range a.network.Machines {
		hosts = append(hosts, harness.Host{IP: m.IP, Dir: filepath.Join(m.Disk.Path, "data"), Enter: m.Enter})
	}
	a.Cluster, err = harness.New(harness.Config{Binary: binary, Dir: dir, Nodes: nodes, Hosts: hosts, Flags: flags})
	if err != nil {
		a.network.Close()
		return nil, err
	}
	for _, n := range a.Nodes {
		n.Flags = append(n.Flags, "--unsafe-clock", a.clockFile(n.Name))
	}
	return a, nil
}

// grow adds a node to the cluster, which has to become a member like the others.
func (a *arena) grow() error {
	if err := a.mended(); err != nil {
		return err
	}
	var join []string
	for _, n := range a.Nodes {
		join = append(join, n.Bus)
	}
	number := len(a.Nodes) + 1
	n := a.Add(fmt.Sprintf("n%d", number), number)
	n.Flags = append(n.Flags, "--join", strings.Join(join, ","), "--unsafe-clock", a.clockFile(n.Name))
	if err := n.Start(); err != nil {
		return err
	}
	if err := a.mended(); err != nil {
		return err
	}
	a.crowd(n)
	return nil
}

// crowd lets clients of every workload loose on a node until stop is closed.
func (a *arena) crowd(n *harness.Node) {
	for _, w := range a.workloads {
		for range 2 {
			c := a.newClient(n)
			a.running.Go(func() { c.Live(w, 25*time.Millisecond, a.stop) })
		}
	}
}

// Close ends everything but for what is in the directory.
func (a *arena) Close() error {
	a.Cluster.Close()
	a.network.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.history.Flush(), a.file.Close())
}

// index of a node's machine.
func (a *arena) index(n *harness.Node) int {
	for i := range a.Nodes {
		if a.Nodes[i] == n {
			return i
		}
	}
	panic("no such node")
}

func (a *arena) machine(n *harness.Node) *machine.Machine { return a.network.Machines[a.index(n)] }

// event is a line of the history. Times are microseconds since the start.
type event struct {
	Call   int64    `json:"call"`
	End    int64    `json:"end"`
	Client int64    `json:"client,omitempty"`
	Node   string   `json:"node,omitempty"`
	Args   []string `json:"args,omitempty"`
	Reply  any      `json:"reply,omitempty"`
	Error  string   `json:"error,omitempty"`
	Note   string   `json:"note,omitempty"`
}

func (a *arena) record(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.history.Write(append(line, '\n'))
}

// note writes what happens beside the clients into the history.
func (a *arena) note(format string, args ...any) {
	now := a.book.At(time.Now())
	a.record(event{Call: now, End: now, Note: fmt.Sprintf(format, args...)})
}

// maxFindings are kept: the first ones tell the story.
const maxFindings = 20

// find notes something that must not be.
func (a *arena) find(format string, args ...any) {
	text := fmt.Sprintf("at %.3f s: ", time.Since(a.book.Start).Seconds()) + fmt.Sprintf(format, args...)
	a.note("FOUND %s", text)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.findings) < maxFindings {
		a.findings = append(a.findings, text)
	}
}

func (a *arena) found() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.findings
}

// leader is the node that leads as far as one can tell at a glance, nil if none says so.
func (a *arena) leader() *harness.Node {
	type answer struct {
		node *harness.Node
		term string
	}
	answers := make(chan answer, len(a.Nodes))
	for _, n := range a.Nodes {
		go func() {
			info, err := ask(n)
			if err == nil && info["raft_role"] == "leader" {
				answers <- answer{n, fmt.Sprintf("%20s", info["raft_term"])}
				return
			}
			answers <- answer{}
		}()
	}
	var best answer
	for range a.Nodes {
		if got := <-answers; got.node != nil && got.term > best.term {
			best = got
		}
	}
	return best.node
}

// ask is Info for nodes that may be paused.
func ask(n *harness.Node) (map[string]string, error) {
	c, err := n.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	return info(c.Do("INFO", "raft"))
}

func info(reply any, err error) (map[string]string, error) {
	text, _ := reply.(string)
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values, err
}
