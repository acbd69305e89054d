package resp

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"holdfast/fsm"
)

var clusterCommands = []local{{
	Command: fsm.Command{Name: "CLUSTER", Arity: -2, Group: "cluster", Since: "3.0.0",
		Summary: "Commands about the cluster.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "FAILOVER", Arity: -2, Flags: fsm.Admin | fsm.NoScript | fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Makes this node the leader.", Syntax: "[FORCE | TAKEOVER]", Cost: "O(1)"}, run: clusterFailover},
		{Command: fsm.Command{Name: "FORGET", Arity: 3, Flags: fsm.Admin | fsm.NoScript | fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Takes a node that does not run out of the cluster.", Syntax: "node-id", Cost: "O(1)"}, run: clusterForget},
		{Command: fsm.Command{Name: "INFO", Arity: 2, Flags: fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Describes the state of the cluster as this node sees it.", Cost: "O(1)"}, run: clusterInfo},
		{Command: fsm.Command{Name: "KEYSLOT", Arity: 3, Flags: fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Returns the hash slot that Redis Cluster would put a key in.", Syntax: "key",
			Cost: "O(N) where N is the number of bytes in the key"}, run: clusterKeySlot},
		{Command: fsm.Command{Name: "MYID", Arity: 2, Flags: fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Returns the id of this node.", Cost: "O(1)"}, run: clusterMyID},
		{Command: fsm.Command{Name: "NODES", Arity: 2, Flags: fsm.Stale, Group: "cluster", Since: "3.0.0",
			Summary: "Lists the members of the cluster.", Cost: "O(N) where N is the total number of Cluster nodes"}, run: clusterNodes},
	},
}}

// errNoCluster is what a server says that is no Redis Cluster.
var errNoCluster = fsm.NewError("ERR", "This instance has cluster support disabled")

// slotCommands are the subcommands of CLUSTER that make sense with slots alone.
var slotCommands = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(`addslots addslotsrange bumpepoch count-failure-reports countkeysinslot delslots
		delslotsrange flushslots getkeysinslot links replicas replicate reset saveconfig set-config-epoch setslot
		shards slaves slots`) {
		names[name] = true
	}
	return names
}()

// CLUSTER INFO and NODES are for operators. To client libraries this is one server that
// happens to have several addresses, and they must not look for slots, of which there
// are none: INFO says cluster_enabled:0 and redis_mode:standalone, and CLUSTER SLOTS and
// SHARDS, which cluster clients start from, are answered as by any server outside a
// Redis Cluster. StackExchange.Redis, though,
// sends CLUSTER NODES to every server and takes any answer but an error for a Redis
// Cluster, where it then finds no slot to write to. It announces itself before that, so
// it alone is told what a server outside a cluster says.
func (c *conn) takesNodesForCluster() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.HasPrefix(c.info.libName, "SE.Redis")
}

// nodeHash is a node's id in the form that Redis gives to ids: 40 hexadecimal digits.
func nodeHash(id string) string {
	sum := sha1.Sum([]byte(id))
	return hex.EncodeToString(sum[:])
}

func clusterMyID(c *conn, args [][]byte) (fsm.Reply, error) {
	return fsm.BulkString(nodeHash(c.server.store.Status().NodeID)), nil
}

// clusterFailover answers when this node leads. Redis's FORCE and TAKEOVER promote a
// replica without its master, or without a majority: here that would lose writes.
func clusterFailover(c *conn, args [][]byte) (fsm.Reply, error) {
	if len(args) > 3 {
		return nil, fsm.ErrSyntax
	}
	if len(args) == 3 {
		switch option := strings.ToUpper(string(args[2])); option {
		case "FORCE", "TAKEOVER":
			return nil, fsm.NewError("ERR", option+" is not supported: only a majority of the nodes makes a leader")
		}
		return nil, fsm.ErrSyntax
	}
	if err := c.server.store.Lead(c.ctx); err != nil {
		return nil, err
	}
	return fsm.OK, nil
}

// clusterForget takes the id that CLUSTER NODES shows, or the node's own name. One command
// is enough: in a Redis Cluster every node has to be told.
func clusterForget(c *conn, args [][]byte) (fsm.Reply, error) {
	for _, m := range c.server.store.Status().Members {
		if id := string(args[2]); id == m.ID || id == nodeHash(m.ID) {
			if err := c.server.store.Forget(c.ctx, m.ID); err != nil {
				return nil, err
			}
			return fsm.OK, nil
		}
	}
	return nil, fsm.NewError("ERR", "Unknown node "+string(args[2]))
}

func clusterInfo(c *conn, args [][]byte) (fsm.Reply, error) {
	status := c.server.store.Status()
	state := "ok"
	if status.LeaderID == "" {
		state = "fail"
	}
	var b strings.Builder
	for _, line := range []struct {
		name  string
		value any
	}{
		{"cluster_enabled", 0},
		{"cluster_state", state},
		{"cluster_slots_assigned", 0},
		{"cluster_slots_ok", 0},
		{"cluster_slots_pfail", 0},
		{"cluster_slots_fail", 0},
		{"cluster_known_nodes", len(status.Members)},
		{"cluster_size", status.Voters},
		{"cluster_current_epoch", status.Term},
		{"cluster_my_epoch", status.Term},
		{"cluster_id", status.ClusterID},
		{"cluster_leader_id", status.LeaderID},
	} {
		fmt.Fprintf(&b, "%s:%v\r\n", line.name, line.value)
	}
	return verbatim(b.String()), nil
}

// clusterNodes lists the members in the line format of Redis:
//
//	<id> <ip:port@bus-port,hostname> <flags> <master> <ping-sent> <pong-received> <epoch> <link-state>
//
// Every member is a master without slots. The hostname is the id that operators gave it;
// a member that this node's link does not reach is fail?, since others may reach it; one
// whose keyspace differs from that of a majority is fail.
func clusterNodes(c *conn, args [][]byte) (fsm.Reply, error) {
	if c.takesNodesForCluster() {
		return nil, errNoCluster
	}
	status := c.server.store.Status()
	var b strings.Builder
	for _, m := range status.Members {
		host, port, err := net.SplitHostPort(m.Client)
		flags, link := "master", "connected"
		if m.Self {
			flags = "myself,master"
		}
		busHost, busPort, busErr := net.SplitHostPort(m.Bus)
		if busErr != nil {
			busPort = "0"
		}
		if err != nil { // a member that has not told its address yet
			host, port = busHost, "0"
			flags += ",noaddr"
		}
		if !m.Self && !m.Reachable {
			flags, link = flags+",fail?", "disconnected"
		}
		if m.Diverged {
			flags += ",fail"
		}
		fmt.Fprintf(&b, "%s %s:%s@%s,%s %s - 0 0 %d %s\n",
			nodeHash(m.ID), host, port, busPort, m.ID, flags, status.Term, link)
	}
	return verbatim(b.String()), nil
}

func clusterKeySlot(c *conn, args [][]byte) (fsm.Reply, error) {
	return fsm.Int(int64(keySlot(args[2]))), nil
}

// keySlot is the slot of a key in Redis Cluster: CRC-16/XMODEM modulo 16384 of what is
// between the first braces, where there is something, else of all.
func keySlot(key []byte) uint16 {
	if _, rest, ok := strings.Cut(string(key), "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = []byte(tag)
		}
	}
	var crc uint16
	for _, b := range key {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % 16384
}
