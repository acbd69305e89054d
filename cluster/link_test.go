package cluster

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"
)

// A peer that does not read, or that a cut keeps from reading, holds nobody up who asks
// it; and what it did not read is there, whole and in order, when it reads again.
func TestSendToPeerThatDoesNotRead(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn.(*net.TCPConn).SetWriteBuffer(4 << 10)

	const frames = 5000
	w := frameWriter{conn: conn}
	payload := bytes.Repeat([]byte("question"), 125)
	var longest time.Duration
	for id := range uint64(frames) {
		start := time.Now()
		w.send(askTerm, id, payload)
		longest = max(longest, time.Since(start))
	}
	if longest > writeTimeout/4 {
		t.Errorf("a question to a peer that does not read took %v", longest)
	}

	peer.SetReadDeadline(time.Now().Add(time.Minute))
	reader := bufio.NewReader(peer)
	for id := range uint64(frames) {
		kind, got, read, err := readFrame(reader)
		if err != nil || kind != askTerm || got != id || !bytes.Equal(read, payload) {
			t.Fatalf("frame %d: kind %d, id %d, %d bytes, %v", id, kind, got, len(read), err)
		}
	}
}
