package talk

import (
	"strconv"
	"strings"

	"holdfast/fsm"
)

// Machine talks to a bare fsm.Machine in virtual time, as a cluster would: a command that
// writes is an entry, one that reads is a read.
type Machine struct {
	*fsm.Machine
	Clock fsm.Millis // of the leader
	Seed  uint64     // of the next entry

	db          uint8
	begin       fsm.Millis
	seq         uint64
	incarnation uint64
}

// machineBegin is when a machine's conversation begins.
const machineBegin = 1_700_000_000_000

// NewMachine returns an empty machine.
func NewMachine() *Machine {
	m := &Machine{Machine: fsm.New(), Clock: machineBegin, begin: machineBegin}
	m.incarnation = m.Index() + 1
	m.Apply(m.incarnation, fsm.AppendRegistration(nil, m.Clock, "n1", 1, 0))
	return m
}

func (m *Machine) Version() int   { return 0 }
func (m *Machine) Begin() int64   { return int64(m.begin) }
func (m *Machine) Until(at int64) { m.Clock = max(m.Clock, m.begin+fsm.Millis(at)) }

// Do runs a command. SELECT, which is a connection's, chooses the database.
func (m *Machine) Do(args []string) (Value, error) {
	if isSelect(args) {
		db, err := strconv.ParseUint(args[1], 10, 8)
		m.db = uint8(db)
		return Value{Kind: '+', Text: "OK"}, err
	}
	return Parse(m.Run(m.db, args))
}

// Pipeline runs commands, one after the other.
func (m *Machine) Pipeline(commands [][]string) (replies []Value, err error) {
	for _, args := range commands {
		reply, err := m.Do(args)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// Run runs a command in a database and returns its reply.
func (m *Machine) Run(db uint8, args []string) fsm.Reply {
	call := fsm.Call{DB: db}
	for _, arg := range args {
		call.Args = append(call.Args, []byte(arg))
	}
	cmd, err := fsm.Lookup(call.Args)
	switch {
	case err != nil:
		return fsm.ErrorReply(err)
	case !cmd.Accepts(len(args)):
		return fsm.ErrorReply(fsm.ErrArity(cmd.FullName()))
	case cmd.Flags&fsm.Write != 0:
		return m.Write(fsm.Request{Calls: []fsm.Call{call}})
	}
	replies, due := m.Read(m.Clock, m.Seed, []fsm.Call{call})
	if due != 0 { // as the cluster does: the reap comes first
		m.Reap()
		replies, _ = m.Read(m.Clock, m.Seed, []fsm.Call{call})
	}
	return replies[0]
}

// Write applies an entry with one request and returns its reply.
func (m *Machine) Write(request fsm.Request) fsm.Reply {
	m.seq++
	section := fsm.Section{Incarnation: m.incarnation, LowWater: m.seq - 1, Count: 1, Requests: fsm.AppendRequest(nil, m.seq, request)}
	results := m.Apply(m.Index()+1, fsm.AppendEntry(nil, m.Clock, m.Seed, []fsm.Section{section}))
	m.Seed++
	return results[0].Reply
}

// Reap applies an entry that does what the clock demands.
func (m *Machine) Reap() { m.Apply(m.Index()+1, fsm.AppendEntry(nil, m.Clock, m.Seed, nil)) }

func isSelect(args []string) bool { return len(args) == 2 && strings.EqualFold(args[0], "SELECT") }
