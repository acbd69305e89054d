package talk

import (
	"bufio"
	"net"
	"strconv"
	"time"

	"holdfast/test/harness"
)

// Sockets talks to real servers: the first command goes to the first of the addresses,
// the next one to the next, as if clients took turns. SELECT goes to all.
type Sockets struct {
	version int
	begin   time.Time
	at      int64
	conns   []*bufio.ReadWriter
	closers []net.Conn
	next    int
}

// replyTimeout is how long a reply may take.
const replyTimeout = 20 * time.Second

// Dial opens a connection to each address, to speak a version of the protocol.
func Dial(version int, addresses ...string) (*Sockets, error) {
	s := &Sockets{version: version}
	for _, address := range addresses {
		conn, err := net.DialTimeout("tcp", address, 2*time.Second)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.closers = append(s.closers, conn)
		s.conns = append(s.conns, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)))
	}
	if version != 2 {
		if _, err := s.all([]string{"HELLO", strconv.Itoa(version)}); err != nil {
			s.Close()
			return nil, err
		}
	}
	s.begin = time.Now()
	return s, nil
}

func (s *Sockets) Close() {
	for _, conn := range s.closers {
		conn.Close()
	}
}

func (s *Sockets) Version() int { return s.version }
func (s *Sockets) Begin() int64 { return s.begin.UnixMilli() / 1000 * 1000 }

// Until waits as long as in the script: what came before may have taken its time.
func (s *Sockets) Until(at int64) {
	time.Sleep(time.Duration(at-s.at) * time.Millisecond)
	s.at = at
}

func (s *Sockets) Do(args []string) (Value, error) {
	if isSelect(args) {
		return s.all(args)
	}
	i := s.next % len(s.conns)
	s.next++
	return s.do(i, args)
}

// Pipeline sends commands to the next server at once and returns their replies.
func (s *Sockets) Pipeline(commands [][]string) (replies []Value, err error) {
	at := s.next % len(s.conns)
	s.next++
	s.closers[at].SetDeadline(time.Now().Add(replyTimeout))
	var out []byte
	for _, args := range commands {
		out = harness.AppendCommand(out, args...)
	}
	go s.closers[at].Write(out)
	for range commands {
		reply, err := Read(s.conns[at].Reader)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

func (s *Sockets) all(args []string) (v Value, err error) {
	for i := range s.conns {
		if v, err = s.do(i, args); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (s *Sockets) do(i int, args []string) (Value, error) {
	s.closers[i].SetDeadline(time.Now().Add(replyTimeout))
	s.conns[i].Write(harness.AppendCommand(nil, args...))
	if err := s.conns[i].Flush(); err != nil {
		return Value{}, err
	}
	return Read(s.conns[i].Reader)
}
