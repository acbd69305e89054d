package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A cut loses all that two places say to each other, and is silent: connections stay, and
// what was said meanwhile arrives when it ends. It needs root, or a kernel that lets users
// have namespaces.
func TestCut(t *testing.T) {
	if !inside() {
		command := exec.Command("unshare", "-rn", "--", os.Args[0], "-test.run=^TestCut$", "-test.v")
		command.Env = append(os.Environ(), insideVariable+"=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	l, err := newLAN(3)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var listener net.Listener
	if err := l.places[0].enter(func() (err error) {
		listener, err = net.Listen("tcp", "10.0.0.1:99")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dial := func(place int, patience time.Duration) (c net.Conn, err error) {
		err = l.places[place].enter(func() (err error) {
			c, err = net.DialTimeout("tcp", "10.0.0.1:99", patience)
			return err
		})
		return c, err
	}
	client, err := dial(1, 10*time.Second) // the network may not be up yet
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	read := func(wait time.Duration) error {
		server.SetReadDeadline(time.Now().Add(wait))
		_, err := server.Read(make([]byte, 1))
		return err
	}
	if _, err := client.Write([]byte("a")); err != nil || read(10*time.Second) != nil {
		t.Fatal("the network does not carry anything")
	}
	if err := l.places[0].cut(true); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("b")); err != nil {
		t.Errorf("a write into the cut: %v", err)
	}
	if err := read(300 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read in the cut: %v", err)
	}
	if _, err := dial(2, 300*time.Millisecond); err == nil || !isTimeout(err) {
		t.Errorf("a dial into the cut: %v", err)
	}
	if c, err := dial(0, time.Second); err != nil {
		t.Errorf("a dial beside the cut: %v", err)
	} else {
		c.Close()
	}
	if err := l.places[0].cut(false); err != nil {
		t.Fatal(err)
	}
	if err := read(10 * time.Second); err != nil {
		t.Errorf("a read after the cut: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
