package resp

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/fsm"
)

// Redis sends a replica an RDB file, and then every write. Nodes replicate among themselves
// in their own way; the first half is for whoever wants a dump: redis-cli --rdb, holdfast
// backup, tools that copy keys. The connection is closed behind the file.
var replicationCommands = []local{
	{Command: fsm.Command{Name: "PSYNC", Arity: -3, Flags: operator | fsm.NoMulti, Group: "server", Since: "2.8.0",
		Summary: "Sends all keys as an RDB file, and its position in the log before it.", Syntax: "replicationid offset",
		Cost: "O(N) where N is the total number of keys in all databases"}, run: psyncCommand},
	{Command: fsm.Command{Name: "REPLCONF", Arity: -1, Flags: operator | fsm.Loading | fsm.Stale | fsm.AllowBusy, Group: "server", Since: "3.0.0",
		Summary: "Says what a client that will send SYNC can do, and wants.", Syntax: "[option value [option value ...]]", Cost: "O(1)"}, run: replconfCommand},
	{Command: fsm.Command{Name: "SYNC", Arity: 1, Flags: operator | fsm.NoMulti, Group: "server", Since: "1.0.0",
		Summary: "Sends all keys as an RDB file.", Cost: "O(N) where N is the total number of keys in all databases"}, run: syncCommand},
}

// maxDumps is how many files are sent at a time: each keeps alive what was there when it
// began.
const maxDumps = 4

var (
	errDumps   = fsm.NewError("ERR", fmt.Sprintf("%d dumps are on their way already: try again later", maxDumps))
	errReplica = fsm.NewError("ERR", "nodes replicate among themselves: this is no master for a replica, but sends a dump after REPLCONF rdb-only 1")
	errDumping = fsm.NewError("ERR", "a connection that listens to channels gets no dump")
)

// wishes are what REPLCONF has said.
type wishes struct {
	replica bool // it is a Redis that wants to follow
	only    bool // it wants the file alone
	mark    bool // it can do without the length of the file
}

func replconfCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args)%2 == 0 {
		return nil, fsm.ErrSyntax
	}
	for i := 1; i < len(args); i += 2 {
		switch option, value := strings.ToLower(string(args[i])), string(args[i+1]); option {
		case "rdb-only":
			if value != "0" && value != "1" {
				return nil, fsm.ErrNotInteger
			}
			c.wishes.only = value == "1"
		case "capa":
			c.wishes.mark = c.wishes.mark || strings.EqualFold(value, "eof")
		case "listening-port", "ip-address":
			c.wishes.replica = true
		default:
			return nil, fsm.NewError("ERR", "Unrecognized REPLCONF option: "+string(args[i]))
		}
	}
	return fsm.OK, nil
}

func syncCommand(c *conn, _ [][]byte) (fsm.Reply, error) { return nil, c.dump(false) }

func psyncCommand(c *conn, _ [][]byte) (fsm.Reply, error) { return nil, c.dump(true) }

// dump sends the file. An error means that nothing was sent.
func (c *conn) dump(position bool) error {
	switch {
	case c.wishes.replica && !c.wishes.only:
		return errReplica
	case c.sub != nil:
		return errDumping
	}
	if c.server.dumps.Add(1) > maxDumps {
		c.server.dumps.Add(-1)
		return errDumps
	}
	defer c.server.dumps.Add(-1)
	snapshot, err := c.server.store.Snapshot(c.ctx)
	if err != nil {
		return err
	}
	defer snapshot.Release()
	if err := c.flush(); err != nil {
		return nil // the connection is closing
	}
	c.closing = true
	begun := time.Now()
	n, err := c.sendDump(snapshot, position)
	if err != nil {
		c.broken(err)
	}
	c.server.log.Info("dump sent", "client", c.nc.RemoteAddr().String(), "index", snapshot.Index(), "bytes", n, "duration", time.Since(begun), "error", err)
	return nil
}

// sendDump sends the file behind its length, or between two equal marks:
//
//	[+FULLRESYNC id position] | $length | file
//	[+FULLRESYNC id position] | $EOF:mark | file | mark
func (c *conn) sendDump(snapshot *fsm.Snapshot, position bool) (int64, error) {
	var header, mark []byte
	if position {
		id := sha1.Sum([]byte(c.server.store.Status().ClusterID))
		header = fmt.Appendf(header, "+FULLRESYNC %x %d\r\n", id, snapshot.Index())
	}
	if c.wishes.mark {
		mark = make([]byte, 20)
		rand.Read(mark)
		mark = hex.AppendEncode(nil, mark)
		header = fmt.Appendf(header, "$EOF:%s\r\n", mark)
	} else {
		length, err := snapshot.WriteKeys(io.Discard) // it will have the same once more
		if err != nil {
			return 0, err
		}
		header = fmt.Appendf(header, "$%d\r\n", length)
	}
	if err := c.write(header); err != nil {
		return 0, err
	}
	n, err := snapshot.WriteKeys(dumpWriter{c})
	if err != nil {
		return n, err
	}
	return n, c.write(mark)
}

// dumpWriter writes to a client, which is not waited for without end.
type dumpWriter struct{ c *conn }

func (w dumpWriter) Write(p []byte) (int, error) {
	if err := w.c.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
