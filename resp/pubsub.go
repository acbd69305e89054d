package resp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"holdfast/fsm"
)

const pubsubFlags = fsm.PubSub | fsm.Loading | fsm.Stale

var pubsubCommands = []local{
	{Command: fsm.Command{Name: "PSUBSCRIBE", Arity: -2, Flags: pubsubFlags | fsm.NoScript, Group: "pubsub", Since: "2.0.0",
		Summary: "Listens to the channels whose names match.", Syntax: "pattern [pattern ...]", Cost: "O(N) where N is the number of patterns to subscribe to."},
		run: subscribeCommand(toPattern)},
	{Command: fsm.Command{Name: "PUBLISH", Arity: 3, Flags: pubsubFlags | fsm.Fast, Group: "pubsub", Since: "2.0.0",
		Summary: "Sends a message to all who listen to a channel, on every node.", Syntax: "channel message",
		Cost: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client)."},
		run: publishCommand},
	{Command: fsm.Command{Name: "PUBSUB", Arity: -2, Group: "pubsub", Since: "2.8.0",
		Summary: "Commands about channels and who listens to them.", Cost: "Depends on subcommand."},
		subs: []local{
			{Command: fsm.Command{Name: "CHANNELS", Arity: -2, Flags: pubsubFlags, Group: "pubsub", Since: "2.8.0",
				Summary: "Lists the channels that somebody listens to.", Syntax: "[pattern]", Cost: "O(N) where N is the number of active channels"}, run: pubsubChannels(toChannel)},
			{Command: fsm.Command{Name: "NUMPAT", Arity: 2, Flags: pubsubFlags, Group: "pubsub", Since: "2.8.0",
				Summary: "Counts the patterns that somebody listens to.", Cost: "O(1)"}, run: pubsubNumPat},
			{Command: fsm.Command{Name: "NUMSUB", Arity: -2, Flags: pubsubFlags, Group: "pubsub", Since: "2.8.0",
				Summary: "Counts those who listen to channels.", Syntax: "[channel [channel ...]]", Cost: "O(N) for the NUMSUB subcommand, where N is the number of requested channels"}, run: pubsubNumSub(toChannel)},
			{Command: fsm.Command{Name: "SHARDCHANNELS", Arity: -2, Flags: pubsubFlags, Group: "pubsub", Since: "7.0.0",
				Summary: "Lists the shard channels that somebody listens to.", Syntax: "[pattern]", Cost: "O(N) where N is the number of active shard channels"}, run: pubsubChannels(toShard)},
			{Command: fsm.Command{Name: "SHARDNUMSUB", Arity: -2, Flags: pubsubFlags, Group: "pubsub", Since: "7.0.0",
				Summary: "Counts those who listen to shard channels.", Syntax: "[shardchannel [shardchannel ...]]", Cost: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels"}, run: pubsubNumSub(toShard)},
		}},
	{Command: fsm.Command{Name: "PUNSUBSCRIBE", Arity: -1, Flags: pubsubFlags | fsm.NoScript, Group: "pubsub", Since: "2.0.0",
		Summary: "Listens no longer to some patterns, or to any.", Syntax: "[pattern [pattern ...]]", Cost: "O(N) where N is the number of patterns to unsubscribe."},
		run: unsubscribeCommand(toPattern)},
	{Command: fsm.Command{Name: "SPUBLISH", Arity: 3, Flags: pubsubFlags | fsm.Fast, Keys: fsm.KeySpec{First: 1, Last: 1, Step: 1}, Group: "pubsub", Since: "7.0.0",
		Summary: "Sends a message to all who listen to a shard channel, on every node.", Syntax: "shardchannel message",
		Cost: "O(N) where N is the number of clients subscribed to the receiving shard channel."}, run: publishCommand},
	{Command: fsm.Command{Name: "SSUBSCRIBE", Arity: -2, Flags: pubsubFlags | fsm.NoScript, Keys: fsm.KeySpec{First: 1, Last: -1, Step: 1}, Group: "pubsub", Since: "7.0.0",
		Summary: "Listens to shard channels.", Syntax: "shardchannel [shardchannel ...]", Cost: "O(N) where N is the number of shard channels to subscribe to."},
		run: subscribeCommand(toShard)},
	{Command: fsm.Command{Name: "SUBSCRIBE", Arity: -2, Flags: pubsubFlags | fsm.NoScript, Group: "pubsub", Since: "2.0.0",
		Summary: "Listens to channels.", Syntax: "channel [channel ...]", Cost: "O(N) where N is the number of channels to subscribe to."},
		run: subscribeCommand(toChannel)},
	{Command: fsm.Command{Name: "SUNSUBSCRIBE", Arity: -1, Flags: pubsubFlags | fsm.NoScript, Keys: fsm.KeySpec{First: 1, Last: -1, Step: 1}, Group: "pubsub", Since: "7.0.0",
		Summary: "Listens no longer to some shard channels, or to any.", Syntax: "[shardchannel [shardchannel ...]]", Cost: "O(N) where N is the number of shard channels to unsubscribe."},
		run: unsubscribeCommand(toShard)},
	{Command: fsm.Command{Name: "UNSUBSCRIBE", Arity: -1, Flags: pubsubFlags | fsm.NoScript, Group: "pubsub", Since: "2.0.0",
		Summary: "Listens no longer to some channels, or to any.", Syntax: "[channel [channel ...]]", Cost: "O(N) where N is the number of channels to unsubscribe."},
		run: unsubscribeCommand(toChannel)},
}

// inSubscription lists what a RESP2 client may send while it listens: it could not tell
// other replies from messages.
var inSubscription = map[string]bool{"subscribe": true, "psubscribe": true, "ssubscribe": true, "unsubscribe": true,
	"punsubscribe": true, "sunsubscribe": true, "ping": true, "quit": true, "reset": true}

// listens reports whether the connection is one to which messages come.
func (c *conn) listens() bool {
	if c.sub == nil {
		return false
	}
	h := c.server.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	return c.sub.count(toChannel)+c.sub.count(toShard) > 0
}

func errInSubscription(command string) error {
	return fsm.NewError("ERR", fmt.Sprintf("Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", command))
}

// subscribeCommand answers through the queue, where messages come behind it.
func subscribeCommand(kind subscription) handler {
	return func(c *conn, args [][]byte) (fsm.Reply, error) {
		s := c.subscriber()
		if len(s.names[kind])+len(args) > maxSubscriptions {
			return nil, errTooManySubscriptions
		}
		if err := c.flush(); err != nil {
			return nil, nil // the connection is closing
		}
		for _, name := range args[1:] {
			c.server.hub.add(s, kind, string(name))
		}
		return nil, nil
	}
}

func unsubscribeCommand(kind subscription) handler {
	return func(c *conn, args [][]byte) (fsm.Reply, error) {
		s := c.subscriber()
		if err := c.flush(); err != nil {
			return nil, nil
		}
		h := c.server.hub
		var names []string
		for _, name := range args[1:] {
			names = append(names, string(name))
		}
		if len(args) == 1 {
			h.mu.RLock()
			for name := range s.names[kind] {
				names = append(names, name)
			}
			h.mu.RUnlock()
			slices.Sort(names)
			if len(names) == 0 {
				h.mu.RLock()
				count := s.count(kind)
				h.mu.RUnlock()
				s.push(confirmation(kind.word(true), fsm.Nil, count))
			}
		}
		for _, name := range names {
			h.remove(s, kind, name)
		}
		return nil, nil
	}
}

// What nodes tell and ask each other about channels: kind u8 | fields, each a string
// behind its length as a uvarint.
const (
	tellMessage byte = iota + 1 // channel, payload -> receivers
	tellShard                   // the same for shard channels
	askChannels                 // kind, pattern -> names
	askCounts                   // kind, names -> a count for each
)

func tell(kind byte, fields ...[]byte) []byte {
	m := []byte{kind}
	for _, f := range fields {
		m = append(binary.AppendUvarint(m, uint64(len(f))), f...)
	}
	return m
}

func toldFields(m []byte) (fields [][]byte) {
	for len(m) > 0 {
		size, n := binary.Uvarint(m)
		if n <= 0 || size > uint64(len(m)-n) {
			return nil
		}
		fields = append(fields, m[n:n+int(size)])
		m = m[n+int(size):]
	}
	return fields
}

// Receive answers what another node, or this one, tells or asks with Store.Broadcast. It
// does not block.
func (s *Server) Receive(m []byte) (answer []byte) {
	if len(m) == 0 {
		return nil
	}
	fields := toldFields(m[1:])
	switch {
	case m[0] == tellMessage && len(fields) == 2:
		return binary.AppendUvarint(nil, uint64(s.hub.publish(string(fields[0]), fields[1])))
	case m[0] == tellShard && len(fields) == 2:
		return binary.AppendUvarint(nil, uint64(s.hub.publishShard(string(fields[0]), fields[1])))
	case m[0] == askChannels && len(fields) == 2 && len(fields[0]) == 1 && fields[0][0] <= byte(toShard):
		s.hub.mu.RLock()
		defer s.hub.mu.RUnlock()
		for name := range s.hub.of(subscription(fields[0][0])) {
			if fsm.Match(fields[1], []byte(name)) {
				answer = append(binary.AppendUvarint(answer, uint64(len(name))), name...)
			}
		}
	case m[0] == askCounts && len(fields) > 0 && len(fields[0]) == 1 && fields[0][0] <= byte(toShard):
		s.hub.mu.RLock()
		defer s.hub.mu.RUnlock()
		for _, name := range fields[1:] {
			answer = binary.AppendUvarint(answer, uint64(len(s.hub.of(subscription(fields[0][0]))[string(name)])))
		}
	}
	return answer
}

// Events passes on what has become of keys, to those who listen on this node. Every node
// applies the same log, so nothing needs to be sent. It does not block.
func (s *Server) Events(events []fsm.Event) {
	if s.hub.total.Load() == 0 {
		return
	}
	for _, e := range events {
		if e.Message && e.Shard {
			s.hub.publishShard(e.Channel, e.Payload)
		} else if e.Message {
			s.hub.publish(e.Channel, e.Payload)
		}
		if e.Where&fsm.KeyspaceEvents != 0 {
			s.hub.publish(fmt.Sprintf("__keyspace@%d__:%s", e.DB, e.Key), []byte(e.Name))
		}
		if e.Where&fsm.KeyeventEvents != 0 {
			s.hub.publish(fmt.Sprintf("__keyevent@%d__:%s", e.DB, e.Name), []byte(e.Key))
		}
	}
}

// publishCommand serves PUBLISH and SPUBLISH. Messages do not go through the log: as in
// Redis, those hear one who listen when it is sent.
func publishCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	kind := tellMessage
	if strings.EqualFold(string(args[0]), "spublish") {
		kind = tellShard
	}
	receivers := uint64(0)
	for _, answer := range c.server.store.Broadcast(c.ctx, tell(kind, args[1], args[2])) {
		n, _ := binary.Uvarint(answer)
		receivers += n
	}
	return fsm.Int(int64(receivers)), nil
}

func pubsubChannels(kind subscription) handler {
	return func(c *conn, args [][]byte) (fsm.Reply, error) {
		pattern := []byte("*")
		switch len(args) {
		case 2:
		case 3:
			pattern = args[2]
		default:
			return nil, errSubcommand(string(args[1]), "PUBSUB")
		}
		names := c.channels(kind, pattern)
		var b fsm.Builder
		b.Array(len(names))
		for _, name := range names {
			b.BulkString(name)
		}
		return b.Reply(), nil
	}
}

// channels lists what anybody on any node listens to, each name once.
func (c *conn) channels(kind subscription, pattern []byte) []string {
	var names []string
	for _, answer := range c.server.store.Broadcast(c.ctx, tell(askChannels, []byte{byte(kind)}, pattern)) {
		for _, name := range toldFields(answer) {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func pubsubNumPat(c *conn, _ [][]byte) (fsm.Reply, error) {
	return fsm.Int(int64(len(c.channels(toPattern, []byte("*"))))), nil
}

func pubsubNumSub(kind subscription) handler {
	return func(c *conn, args [][]byte) (fsm.Reply, error) {
		counts := make([]uint64, len(args)-2)
		for _, answer := range c.server.store.Broadcast(c.ctx, tell(askCounts, append([][]byte{{byte(kind)}}, args[2:]...)...)) {
			for i := range counts {
				count, n := binary.Uvarint(answer)
				if n <= 0 {
					break
				}
				counts[i] += count
				answer = answer[n:]
			}
		}
		var b fsm.Builder
		b.Array(2 * len(counts))
		for i, count := range counts {
			b.Bulk(args[2+i])
			b.Int(int64(count))
		}
		return b.Reply(), nil
	}
}
