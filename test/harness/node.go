package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Node is one process of a cluster, and what it has on disk between two lives.
type Node struct {
	Name  string   // its --id
	Addr  string   // clients
	HTTP  string   // /healthz and /readyz
	Bus   string   // the other nodes
	Dir   string   // data
	Flags []string // all that it is started with

	Password string // of clients, where --requirepass is among the flags

	host   Host
	binary string
	log    string

	mu      sync.Mutex
	process *process
}

// process is one life of a node.
type process struct {
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended; then cmd.ProcessState is set
	start int64         // in the log
}

// stopTimeout is how long a node may take to end after SIGTERM.
const stopTimeout = 15 * time.Second

// NewProcess lays out a process of another program that serves clients at an address, to
// be broken as nodes are. Its log is in its directory, which has to be there.
func NewProcess(name, addr, dir, binary string, flags ...string) *Node {
	return &Node{Name: name, Addr: addr, Dir: dir, Flags: flags, binary: binary, log: filepath.Join(dir, "log")}
}

// Start starts the process and returns at once.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil && !n.process.ended() {
		return fmt.Errorf("%s runs already", n.Name)
	}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return err
	}
	cmd := exec.Command(n.binary, n.Flags...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = environment()
	// No node outlives whoever started it, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := n.host.enter(cmd.Start); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{}), start: info.Size()}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	n.process = p
	return nil
}

// environment is this process's own without settings of a node, which would change
// what is tested.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HOLDFAST_") {
			env = append(env, entry)
		}
	}
	return env
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (n *Node) current() (*process, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil || n.process.ended() {
		return nil, fmt.Errorf("%s does not run", n.Name)
	}
	return n.process, nil
}

// Running reports whether the process lives, paused or not.
func (n *Node) Running() bool {
	_, err := n.current()
	return err == nil
}

// PID is the process's id, 0 when there is none.
func (n *Node) PID() int {
	p, err := n.current()
	if err != nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Signal sends a signal and does not wait for what comes of it.
func (n *Node) Signal(signal syscall.Signal) error {
	p, err := n.current()
	if err != nil {
		return err
	}
	return p.cmd.Process.Signal(signal)
}

// Kill pulls the plug: SIGKILL. It returns when the process is gone.
func (n *Node) Kill() error {
	p, err := n.current()
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop asks the process to end and returns when it has; an exit status other than 0
// is an error. A process that has only just been started may end by the signal itself: it
// catches it before it says or touches anything.
func (n *Node) Stop() error {
	p, err := n.current()
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	status, err := n.Wait(stopTimeout)
	if err != nil || status == 0 {
		return err
	}
	log, err := os.Stat(n.log)
	if err != nil {
		return err
	}
	how := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if how.Signaled() && how.Signal() == syscall.SIGTERM && log.Size() == p.start {
		return nil
	}
	return fmt.Errorf("%s ended with status %d after SIGTERM", n.Name, status)
}

// Wait returns the process's exit status once it has ended.
func (n *Node) Wait(timeout time.Duration) (status int, err error) {
	n.mu.Lock()
	p := n.process
	n.mu.Unlock()
	if p == nil {
		return 0, fmt.Errorf("%s was never started", n.Name)
	}
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(timeout):
		return 0, fmt.Errorf("%s still runs after %v", n.Name, timeout)
	}
}

// Pause stops the process in its tracks (SIGSTOP) and returns when it stands still.
func (n *Node) Pause() error {
	if err := n.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for range 1000 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID()))
		if err != nil {
			return err
		}
		if _, after, ok := bytes.Cut(stat, []byte(") ")); ok && after[0] == 'T' {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("%s does not stop", n.Name)
}

// Resume ends Pause.
func (n *Node) Resume() error { return n.Signal(syscall.SIGCONT) }

// Wipe empties the disk of a node that does not run.
func (n *Node) Wipe() error {
	if n.Running() {
		return fmt.Errorf("%s runs", n.Name)
	}
	return n.host.enter(func() error { return os.RemoveAll(n.Dir) })
}

// Dial opens a connection to the node, with its password if it has one.
func (n *Node) Dial() (*Conn, error) {
	c, err := dial(n.host, n.Addr)
	if err != nil || n.Password == "" {
		return c, err
	}
	if _, err := c.Do("AUTH", n.Password); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Do runs one command on a connection of its own.
func (n *Node) Do(args ...string) (any, error) {
	c, err := n.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(args...)
}

// Info is the node's INFO as a map.
func (n *Node) Info(sections ...string) (map[string]string, error) {
	reply, err := n.Do(append([]string{"INFO"}, sections...)...)
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(reply.(string)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// Index is one of the indexes in INFO raft.
func (n *Node) Index(name string) (uint64, error) {
	info, err := n.Info("raft")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(info[name], 10, 64)
}

// Ready reports why /readyz does not answer 200, nil when it does.
func (n *Node) Ready() error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		return n.host.dial(addr)
	}}}
	response, err := client.Get("http://" + n.HTTP + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return err
}

// WaitReady returns when the node is ready, or with the reason why it is not.
func (n *Node) WaitReady(timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		err := n.Ready()
		if err == nil {
			return nil
		}
		if !n.Running() {
			return fmt.Errorf("%s has ended:\n%s", n.Name, n.Log())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w", n.Name, timeout, err)
		}
	}
}

// RSS is the resident memory of the process in bytes.
func (n *Node) RSS() (int64, error) { return RSS(n.PID()) }

// RSS is the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// Log is all that the node has logged, in all of its lives.
func (n *Node) Log() string {
	log, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// LogFile is where the node logs.
func (n *Node) LogFile() string { return n.log }

// With is another process at the node's place: its flags, some of them with other values,
// and a log of its own.
func (n *Node) With(flags ...string) *Node {
	other := &Node{Name: n.Name, Addr: n.Addr, host: n.host, HTTP: n.HTTP, Bus: n.Bus, Dir: n.Dir, Password: n.Password, binary: n.binary, log: n.log + ".other"}
	other.Flags = append(slices.Clone(n.Flags), flags...)
	for i := 0; i+1 < len(flags); i += 2 { // a flag that is given twice is a mistake
		at := slices.Index(other.Flags, flags[i])
		if at < len(n.Flags) {
			other.Flags = slices.Delete(other.Flags, at, at+2)
		}
	}
	return other
}

// Snapshots lists the snapshot files on the node's disk, in RDB form, oldest first.
func (n *Node) Snapshots() []string {
	files, _ := filepath.Glob(filepath.Join(n.Dir, "raft", "snapshots", "*[0-9]", "state.bin")) // not those in *.tmp
	written := func(file string) time.Time {
		info, err := os.Stat(file)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	// Names do not sort: they begin with the term and the index, without leading zeros.
	slices.SortFunc(files, func(a, b string) int { return written(a).Compare(written(b)) })
	return files
}
