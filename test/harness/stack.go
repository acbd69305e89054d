package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Stack is what docker-compose.yml describes, under a project and an image of its own.
type Stack struct {
	// Cluster is the nodes as their published ports show them. Their processes are
	// the engine's: they are started and ended here, not there.
	Cluster Cluster

	docker  *Docker
	dir     string // docker-compose.yml and what belongs to it
	project string // name of the project, and of the image
	ports   []string
}

// NewStack lays out, in an empty directory, what a checkout has after `make build`.
func NewStack(docker *Docker, binary, dir string) (*Stack, error) {
	base, lock, err := reserveBase(3)
	if err != nil {
		return nil, err
	}
	s := &Stack{Cluster: Cluster{Base: base, ports: lock}, docker: docker, dir: dir, project: fmt.Sprintf("holdfast-test-%d", os.Getpid())}
	for i := 1; i <= 3; i++ {
		s.Cluster.Nodes = append(s.Cluster.Nodes, &Node{Name: fmt.Sprintf("n%d", i), Addr: s.Cluster.address(i), HTTP: s.Cluster.address(httpOffset + i)})
		s.ports = append(s.ports, fmt.Sprintf("HOLDFAST_PORT_%d=%d", i, base+i), fmt.Sprintf("HOLDFAST_HTTP_%d=%d", i, base+httpOffset+i))
	}
	for _, name := range []string{"Dockerfile", ".dockerignore", "docker-compose.yml"} {
		data, err := os.ReadFile(filepath.Join(Root(), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	node, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(
		os.CopyFS(filepath.Join(dir, "docs"), os.DirFS(filepath.Join(Root(), "docs"))),
		os.Mkdir(filepath.Join(dir, "bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "bin", "holdfast"), node, 0o755),
	)
}

// Compose runs docker compose on the stack; settings are variables for the file.
func (s *Stack) Compose(settings []string, args ...string) error {
	cmd := s.docker.command(slices.Concat(s.docker.compose, []string{"--project-name", s.project}, args))
	cmd.Dir = s.dir
	cmd.Env = slices.Concat(cmd.Env, []string{"HOLDFAST_IMAGE=" + s.project}, s.ports, settings)
	_, err := run(cmd)
	return err
}

// Close removes the stack, its volumes and its image.
func (s *Stack) Close() error {
	err := s.Compose(nil, "down", "--volumes")
	_, imageErr := s.docker.Run("rmi", "--force", s.project)
	s.Cluster.Close()
	return errors.Join(err, imageErr)
}

// Container is the id of a node's container, which may be running or not.
func (s *Stack) Container(node string) (string, error) {
	id, err := s.docker.Run("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+s.project, "--filter", "label=com.docker.compose.service="+node, "--filter", "label=com.docker.compose.oneoff=False")
	if err == nil && len(strings.Fields(id)) != 1 {
		err = fmt.Errorf("service %s has the containers %q", node, id)
	}
	return id, err
}

// Inspect formats what the engine knows of a node's container.
func (s *Stack) Inspect(node, format string) (string, error) {
	id, err := s.Container(node)
	if err != nil {
		return "", err
	}
	return s.docker.Run("inspect", "--format", format, id)
}

// IP is the address of a node's container in the stack's network.
func (s *Stack) IP(node string) (string, error) { return s.Inspect(node, addressFormat) }

const addressFormat = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"

// Occupy starts containers beside the stack until one of them has an address of its
// network, and returns how to remove them. They serve as nodes of other clusters.
func (s *Stack) Occupy(ip string) (release func() error, err error) {
	var strangers []string
	release = func() error {
		_, err := s.docker.Run(append([]string{"rm", "--force", "--volumes"}, strangers...)...)
		return err
	}
	for range 10 {
		id, err := s.docker.Run("run", "--detach", "--network", s.project+"_default", s.project)
		if err != nil {
			return release, err
		}
		strangers = append(strangers, id)
		if got, err := s.docker.Run("inspect", "--format", addressFormat, id); err != nil || got == ip {
			return release, err
		}
	}
	return release, fmt.Errorf("%d more containers, and none has the address %s", len(strangers), ip)
}

// WaitHealthy returns when the engine's own health check finds every node ready.
func (s *Stack) WaitHealthy(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for _, n := range s.Cluster.Nodes {
		for {
			health, err := s.Inspect(n.Name, "{{.State.Health.Status}}")
			if err == nil && health == "healthy" {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s is not healthy after %v but %q (%v); it says: %w\n%s", n.Name, timeout, health, err, n.Ready(), s.Log(n.Name))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// Log is the end of what a node has logged.
func (s *Stack) Log(node string) string {
	id, err := s.Container(node)
	if err != nil {
		return err.Error()
	}
	out, _ := s.docker.command([]string{"docker", "logs", "--tail", "50", id}).CombinedOutput()
	return string(out)
}
