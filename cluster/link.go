package cluster

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// A link is a connection on which one node asks and the other answers, any number of
// questions at a time and in any order:
//
//	frame: length u32 | kind u8 | id u64 | payload
//
// An answer has its question's id, and the kind answerOK or answerError (payload: the
// text). Two nodes keep two links, one for the questions of each.
const (
	askPropose    byte = iota + 1 // section -> results
	askRead                       // limit, calls -> replies
	askReadIndex                  // -> index, now
	askTerm                       // -> term
	askLogState                   // -> term, last term, last index, applied, stands, unfit
	askFinalLog                   // boot of a dead process -> the same, once nothing more comes of it
	askSilent                     // leader, term -> term, last term, last index, applied, stands, unfit; if the leader is silent
	askRegistered                 // node id -> incarnation, nonce
	askRegister                   // node id, nonce, prev -> incarnation
	askJoin                       // hello -> cluster id
	askPromise                    // node id -> granted
	askCampaign                   // dead node, term -> stands
	askLead                       // node id -> nothing, once leadership has been handed to it
	askForget                     // node id -> nothing, once it is no member
	askDisk                       // -> full, stands still, usual microseconds, term if this node leads
	askSteady                     // -> term, last term, last index, applied, stands, unfit; once a write has reached the disk
	askBroadcast                  // message of the listeners -> answer of theirs
	askDigest                     // index of a check entry -> digest
	askVerdict                    // check -> nothing
	askClock                      // -> the node's own clock
	answerOK
	answerError

	frameHeader   = 4 + 1 + 8
	maxFrameBytes = 1 << 30
	writeTimeout  = 10 * time.Second
)

var errLinkDown = errors.New("the link broke before the answer came")

// link is the asking side.
type link struct {
	conn net.Conn
	peer hello // what the other side said of itself
	out  frameWriter

	mu      sync.Mutex
	next    uint64
	pending map[uint64]func(answer []byte, err error) // nil once the link is down
}

// newLink owns a connection on which hellos have been exchanged. run must be called.
func newLink(conn net.Conn, peer hello) *link {
	return &link{conn: conn, peer: peer, out: frameWriter{conn: conn}, pending: map[uint64]func([]byte, error){}}
}

// ask sends a question. then is called once, with the answer or the reason why there
// will be none, from another goroutine or before ask returns; it must not block.
func (l *link) ask(kind byte, payload []byte, then func(answer []byte, err error)) {
	l.mu.Lock()
	if l.pending == nil {
		l.mu.Unlock()
		then(nil, errLinkDown)
		return
	}
	l.next++
	id := l.next
	l.pending[id] = then
	l.mu.Unlock()

	l.out.send(kind, id, payload) // if that fails run ends and fails what is pending
}

// call is ask for a goroutine that waits, until timeout.
func (l *link) call(kind byte, payload []byte, timeout time.Duration) ([]byte, error) {
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	l.ask(kind, payload, func(answer []byte, err error) { done <- result{answer, err} })
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-timer.C:
		return nil, fmt.Errorf("no answer from %s within %v", l.peer.NodeID, timeout)
	}
}

// run reads answers until the link breaks, fails what is pending and returns why.
func (l *link) run() error {
	reader := bufio.NewReaderSize(l.conn, 64<<10)
	var err error
	for {
		var kind byte
		var id uint64
		var payload []byte
		if kind, id, payload, err = readFrame(reader); err != nil {
			break
		}
		l.mu.Lock()
		then := l.pending[id]
		delete(l.pending, id)
		l.mu.Unlock()
		if then == nil {
			continue
		}
		switch {
		case kind == answerOK:
			then(payload, nil)
		case string(payload) == errNotLeader.text:
			then(nil, errNotLeader)
		case string(payload) == ErrDiskFull.text:
			then(nil, ErrDiskFull)
		default:
			then(nil, &refusal{string(payload)})
		}
	}
	l.conn.Close()
	l.mu.Lock()
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()
	for _, then := range pending {
		then(nil, errLinkDown)
	}
	return err
}

func (l *link) close() { l.conn.Close() }

// address is where the link goes: what the node's name stood for when it was dialled.
func (l *link) address() string { return l.conn.RemoteAddr().String() }

// asker is the answering side's view of who asked: where an answer goes.
type asker struct {
	conn net.Conn
	peer hello
	out  frameWriter
}

func (a *asker) answer(id uint64, payload []byte, err error) {
	kind := answerOK
	if err != nil {
		kind = answerError
		payload = []byte(err.Error())
		if errors.Is(err, errNotLeader) {
			payload = []byte(errNotLeader.text)
		}
	}
	a.out.send(kind, id, payload)
}

// serve reads questions and hands them to handle until the link breaks. handle must
// not block; it answers whenever it can.
func (a *asker) serve(handle func(kind byte, id uint64, payload []byte)) error {
	reader := bufio.NewReaderSize(a.conn, 64<<10)
	for {
		kind, id, payload, err := readFrame(reader)
		if err != nil {
			return err
		}
		handle(kind, id, payload)
	}
}

// frameWriter sends frames without waiting for a peer that does not read: small ones go
// out at once, and while the connection is busy everything queues. It becomes busy when a
// small one takes longer than directPatience.
type frameWriter struct {
	conn  net.Conn
	mu    sync.Mutex
	queue []byte
	busy  bool // a goroutine is writing the queue
	err   error
}

const (
	directFrameBytes = 16 << 10
	directPatience   = 2 * time.Millisecond
	maxQueueBytes    = 256 << 20 // beyond it the peer is given up
)

func (w *frameWriter) send(kind byte, id uint64, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if !w.busy && len(payload) <= directFrameBytes {
		w.write(appendFrame(make([]byte, 0, frameHeader+len(payload)), kind, id, payload))
		return // on the wire, or what is left of it in the queue
	}
	if len(w.queue) > maxQueueBytes {
		w.fail(errors.New("the other node does not read"))
		return
	}
	w.queue = appendFrame(w.queue, kind, id, payload)
	if !w.busy {
		w.busy = true
		go w.flush()
	}
}

func (w *frameWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 && w.err == nil {
		frames := w.queue
		w.queue = nil
		w.mu.Unlock()
		w.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := w.conn.Write(frames)
		w.mu.Lock()
		if err != nil {
			w.fail(err)
		}
	}
	w.busy = false
}

// write is called with mu held: whoever asks this peer next waits for it, and so may
// whoever asks others together with it.
func (w *frameWriter) write(frame []byte) {
	w.conn.SetWriteDeadline(time.Now().Add(directPatience))
	n, err := w.conn.Write(frame)
	w.conn.SetWriteDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // the peer does not read, or cannot
		w.queue, w.busy = append(w.queue, frame[n:]...), true
		go w.flush()
	case err != nil:
		w.fail(err)
	}
}

// fail closes the connection; whoever reads from it sees to the rest.
func (w *frameWriter) fail(err error) {
	w.err, w.queue = err, nil
	w.conn.Close()
}

func appendFrame(buf []byte, kind byte, id uint64, payload []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(payload)))
	buf = append(buf, kind)
	buf = binary.BigEndian.AppendUint64(buf, id)
	return append(buf, payload...)
}

// readPayload reads so many bytes. Of large payloads it believes in a part at a time: the
// size may have come from anybody.
func readPayload(r io.Reader, size int) (payload []byte, err error) {
	const part = 1 << 20
	for len(payload) < size && err == nil {
		from, n := len(payload), min(part, size-len(payload))
		payload = slices.Grow(payload, n)[:from+n]
		_, err = io.ReadFull(r, payload[from:])
	}
	return payload, err
}

func readFrame(r *bufio.Reader) (kind byte, id uint64, payload []byte, err error) {
	var header [frameHeader]byte
	if _, err = io.ReadFull(r, header[:]); err != nil {
		return 0, 0, nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > maxFrameBytes {
		return 0, 0, nil, fmt.Errorf("frame of %d bytes", size)
	}
	payload, err = readPayload(r, int(size))
	return header[4], binary.BigEndian.Uint64(header[5:]), payload, err
}
