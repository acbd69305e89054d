package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// StartRedis starts a redis-server to compare with, on a free port, and returns when it
// serves. It is a Node without HTTP and bus.
func StartRedis(dir string, flags ...string) (*Node, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is needed to compare with: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var n *Node
	for range 10 {
		n, err = startRedis(binary, dir, flags)
		if err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		} // else somebody was given the port before it could listen there
	}
	return n, err
}

func startRedis(binary, dir string, flags []string) (*Node, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := strings.Cut(addr, ":")
	n := &Node{Name: "redis", Addr: addr, Dir: dir, binary: binary, log: filepath.Join(dir, "log")}
	n.Flags = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", ""}, flags...)
	if err := errors.Join(os.RemoveAll(n.log), n.Start()); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		reply, err := n.Do("PING")
		if refusal, ok := err.(Error); reply == "PONG" || ok && strings.HasPrefix(string(refusal), "NOAUTH") {
			return n, nil
		}
		if !n.Running() {
			return nil, fmt.Errorf("redis-server has ended:\n%s", n.Log())
		}
	}
	n.Kill()
	return nil, fmt.Errorf("redis-server does not serve:\n%s", n.Log())
}
