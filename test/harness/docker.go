package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Docker is a Docker engine, and the programs that talk to it.
type Docker struct {
	compose []string // how docker compose is called

	// Of the private engine; empty where somebody else's is used.
	dir    string
	engine *process
}

// OpenDocker uses the engine that `docker` reaches, or else starts a private one,
// which needs root. Close ends what was started.
func OpenDocker() (*Docker, error) {
	d := &Docker{}
	if _, err := d.Run("version"); err != nil {
		if startErr := d.start(); startErr != nil {
			d.Close()
			return nil, fmt.Errorf("no Docker engine answers (%w), nor does a private one start: %w; scripts/deps installs one, HOLDFAST_NO_DOCKER=1 leaves its tests out", err, startErr)
		}
	}
	for _, d.compose = range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if _, err := run(d.command(append(slices.Clone(d.compose), "version"))); err == nil {
			return d, nil
		}
	}
	d.Close()
	return nil, errors.New("neither docker compose nor docker-compose is here: scripts/deps installs one")
}

// start starts a private engine. All that it has is below its directory, but for the
// bridges of its networks; it leaves the firewall and the routing of this machine alone.
func (d *Docker) start() error {
	path, err := exec.LookPath("dockerd")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/dockerd") // not in everybody's PATH
	}
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("dockerd needs root")
	}
	// Not below a test's directory: the path of a socket has to be short.
	if d.dir, err = os.MkdirTemp("", "holdfast-docker-"); err != nil {
		return err
	}
	settings := filepath.Join(d.dir, "daemon.json") // in place of the machine's own
	if err := os.WriteFile(settings, []byte("{}"), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, "--config-file", settings, "--host", d.host(), "--pidfile", filepath.Join(d.dir, "pid"),
		"--data-root", filepath.Join(d.dir, "data"), "--exec-root", filepath.Join(d.dir, "exec"),
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false",
		"--dns", "127.0.0.1") // there: nothing; names of containers are the engine's own business
	cmd.Stdout, cmd.Stderr = log, log
	// The engine ends its containers when it is asked to end, and does not outlive this
	// process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.engine = &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(d.engine.done)
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := d.Run("version")
		if err == nil {
			return nil
		}
		if d.engine.ended() || time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w; its log:\n%s", err, text)
		}
	}
}

func (d *Docker) host() string { return "unix://" + filepath.Join(d.dir, "docker.sock") }

// Close ends the private engine and removes all that it had.
func (d *Docker) Close() error {
	if d.engine != nil {
		d.engine.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.engine.done:
		case <-time.After(time.Minute):
			d.engine.cmd.Process.Kill()
			<-d.engine.done
		}
	}
	if d.dir == "" {
		return nil
	}
	return os.RemoveAll(d.dir)
}

// Run runs docker and returns what it prints.
func (d *Docker) Run(args ...string) (string, error) {
	return run(d.command(append([]string{"docker"}, args...)))
}

// command is a program that talks to the engine.
func (d *Docker) command(args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment()
	if d.dir != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+d.host())
	}
	return cmd
}

func run(cmd *exec.Cmd) (string, error) {
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, failure.String())
	}
	return strings.TrimSpace(string(out)), nil
}
