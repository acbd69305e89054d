package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"holdfast/cluster"
	"holdfast/resp"
)

// settings are the settings of a node, as flags, environment and file give them.
type settings struct {
	Config kong.ConfigFlag `help:"File with further settings, a line each." placeholder:"FILE"`

	ID        string `group:"Node" help:"Name of the node within its cluster, for ever. Default: that of the directory, or a new one." placeholder:"NAME"`
	Dir       string `group:"Node" help:"Directory of the node's data." default:"holdfast-data" placeholder:"DIR"`
	Listen    string `group:"Node" help:"Where clients connect." default:"127.0.0.1:6379" placeholder:"HOST:PORT"`
	HTTP      string `group:"Node" name:"http" help:"Where /healthz, /readyz, /status and /metrics are served. Default: nowhere." placeholder:"HOST:PORT"`
	Pprof     bool   `group:"Node" hidden:"" help:"Serve /debug/pprof at --http as well."`
	LogLevel  string `group:"Node" help:"Least level of what is logged: debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`
	LogFormat string `group:"Node" help:"Format of the log: text, json, or auto for text on a terminal." default:"auto" enum:"auto,text,json"`

	Bus             string        `group:"Cluster" help:"Where the other nodes connect. Default: the port of --listen + 10000." placeholder:"HOST:PORT"`
	Advertise       string        `group:"Cluster" help:"The bus as the other nodes dial it. Default: the entry of --join that is this node, else --bus." placeholder:"HOST:PORT"`
	Join            []string      `group:"Cluster" help:"Nodes of the cluster; without a port, that of --bus. May name this one." placeholder:"HOST[:PORT],..."`
	BootstrapExpect int           `group:"Cluster" help:"How many new nodes form a cluster. Default: 3 with --join, else 1." placeholder:"N"`
	LogStore        string        `group:"Cluster" help:"Format of the log on disk: wal or bolt." default:"wal" enum:"wal,bolt"`
	CommitTimeout   time.Duration `group:"Cluster" help:"How long a command waits for its outcome." default:"${commitTimeout}"`
	ElectionTimeout time.Duration `group:"Cluster" help:"How long a silent leader is waited for." default:"${electionTimeout}"`
	MaxClockSkew    time.Duration `group:"Cluster" help:"By how much a TTL may be early or late because of clocks that are wrong; a leader whose clock is off by half of it hands over." default:"${maxClockSkew}"`
	SnapshotBytes   size          `group:"Cluster" help:"Bytes of log after which a snapshot is taken." default:"${snapshotBytes}"`
	SnapshotRetain  int           `group:"Cluster" help:"Snapshots kept on disk." default:"${snapshotRetain}"`
	TrailingLogs    uint64        `group:"Cluster" help:"Log entries kept behind a snapshot." default:"${trailingLogs}"`
	DigestInterval  time.Duration `group:"Cluster" help:"How often the nodes compare their states; 0: never." default:"${digestInterval}"`
	MaxEntryBytes   size          `group:"Cluster" help:"Bytes of requests packed into one log entry." default:"${maxEntryBytes}"`
	MaxPendingBytes size          `group:"Cluster" help:"Bytes of requests that wait on this node; beyond it clients are not read from." default:"${maxPendingBytes}"`

	UnsafeLocalReads bool `group:"Cluster" hidden:"" help:"For tests only: answer reads without asking whether this node still leads."`

	UnsafeClock string `group:"Cluster" hidden:"" help:"For tests only: file with the milliseconds that the node's clock is off by." placeholder:"FILE"`

	Requirepass      string        `group:"Clients" help:"Password of clients (AUTH). Rather set it in the environment or the file than here." placeholder:"PASSWORD"`
	ACLFile          string        `group:"Clients" name:"acl-file" help:"File of ACL LOAD and ACL SAVE; users are kept without one." placeholder:"FILE"`
	MaxClients       int           `group:"Clients" help:"Connections at a time." default:"${maxClients}"`
	IdleTimeout      time.Duration `group:"Clients" help:"Close a connection that has sent nothing for so long; 0: never." default:"${idleTimeout}"`
	KeepAlive        time.Duration `group:"Clients" help:"How often TCP asks a silent client whether it is there; 0: never." default:"${keepAlive}"`
	MaxBulkBytes     size          `group:"Clients" help:"Longest argument of a command." default:"${maxBulkBytes}"`
	MaxArguments     int           `group:"Clients" help:"Most arguments of a command." default:"${maxArguments}"`
	MaxInlineBytes   size          `group:"Clients" help:"Longest inline command." default:"${maxInlineBytes}"`
	QueryBufferBytes size          `group:"Clients" help:"Longest command, all its arguments together." default:"${queryBufferBytes}"`
	InflightBytes    size          `group:"Clients" help:"Memory of all connections together for long commands." default:"${inflightBytes}"`
	StallTimeout     time.Duration `group:"Clients" help:"How long a connection may hold such memory while nothing comes." default:"${stallTimeout}"`
	OutputTimeout    time.Duration `group:"Clients" help:"Close a connection that reads nothing for so long." default:"${outputTimeout}"`
	PubsubHardBytes  size          `group:"Clients" help:"Close a subscriber that has more than so much unread." default:"${pubsubHardBytes}"`
	PubsubSoftBytes  size          `group:"Clients" help:"Close a subscriber that has more than so much unread for --pubsub-soft-time." default:"${pubsubSoftBytes}"`
	PubsubSoftTime   time.Duration `group:"Clients" help:"See --pubsub-soft-bytes." default:"${pubsubSoftTime}"`
	GroupCommands    int           `group:"Clients" help:"Most commands of a pipeline that are handled at once." default:"${groupCommands}"`
	GroupBytes       size          `group:"Clients" help:"Most bytes of a pipeline that are handled at once." default:"${groupBytes}"`
}

// defaults are the packages' own, for the tags above.
func defaults() kong.Vars {
	c, r := cluster.DefaultConfig(), resp.DefaultConfig()
	return kong.Vars{
		"commitTimeout": c.CommitTimeout.String(), "electionTimeout": c.ElectionTimeout.String(),
		"maxClockSkew":  c.MaxClockSkew.String(),
		"snapshotBytes": size(c.SnapshotBytes).String(), "snapshotRetain": strconv.Itoa(c.SnapshotRetain),
		"trailingLogs": strconv.FormatUint(c.TrailingLogs, 10), "digestInterval": c.DigestInterval.String(), "maxEntryBytes": size(c.MaxEntryBytes).String(),
		"maxPendingBytes": size(c.MaxPendingBytes).String(),
		"maxClients":      strconv.Itoa(r.MaxClients), "idleTimeout": r.IdleTimeout.String(), "keepAlive": r.KeepAlive.String(),
		"maxBulkBytes": size(r.MaxBulkBytes).String(), "maxArguments": strconv.Itoa(r.MaxArguments),
		"maxInlineBytes": size(r.MaxInlineBytes).String(), "queryBufferBytes": size(r.QueryBufferBytes).String(),
		"inflightBytes": size(r.InflightBytes).String(), "stallTimeout": r.StallTimeout.String(),
		"outputTimeout": r.OutputTimeout.String(), "groupCommands": strconv.Itoa(r.GroupCommands),
		"pubsubHardBytes": size(r.PubSubHardBytes).String(), "pubsubSoftBytes": size(r.PubSubSoftBytes).String(),
		"pubsubSoftTime": r.PubSubSoftTime.String(),
		"groupBytes":     size(r.GroupBytes).String(),
	}
}

// configs are the packages' configurations, checked.
func (s *settings) configs() (cluster.Config, resp.Config, error) {
	host, port, err := splitPort("listen", s.Listen)
	if err != nil {
		return cluster.Config{}, resp.Config{}, err
	}
	bus := s.Bus
	if bus == "" {
		if port+10000 > 65535 {
			return cluster.Config{}, resp.Config{}, fmt.Errorf("listen %s leaves no port 10000 above it for the bus: give --bus", s.Listen)
		}
		bus = net.JoinHostPort(host, strconv.Itoa(port+10000))
	}
	_, busPort, err := splitPort("bus", bus)
	if err != nil {
		return cluster.Config{}, resp.Config{}, err
	}

	c := cluster.DefaultConfig()
	c.ID, c.Dir, c.Bus, c.Advertise = s.ID, s.Dir, bus, s.Advertise
	for _, node := range s.Join {
		if _, _, err := net.SplitHostPort(node); err != nil {
			node = net.JoinHostPort(strings.Trim(node, "[]"), strconv.Itoa(busPort))
		}
		c.Join = append(c.Join, node)
	}
	c.BootstrapExpect, c.LogStore = s.BootstrapExpect, s.LogStore
	c.CommitTimeout, c.ElectionTimeout, c.MaxClockSkew = s.CommitTimeout, s.ElectionTimeout, s.MaxClockSkew
	c.SnapshotBytes, c.SnapshotRetain, c.TrailingLogs = int64(s.SnapshotBytes), s.SnapshotRetain, s.TrailingLogs
	c.DigestInterval = s.DigestInterval
	c.MaxEntryBytes, c.MaxPendingBytes = int(s.MaxEntryBytes), int64(s.MaxPendingBytes)
	c.UnsafeLocalReads = s.UnsafeLocalReads
	if s.UnsafeClock != "" {
		c.Clock = offClock(s.UnsafeClock)
	}
	c.Client = s.Listen
	if err := c.Validate(); err != nil {
		return c, resp.Config{}, err
	}

	r := resp.DefaultConfig()
	r.ACLFile = s.ACLFile
	r.RequirePass, r.MaxClients, r.IdleTimeout, r.KeepAlive = s.Requirepass, s.MaxClients, s.IdleTimeout, s.KeepAlive
	r.MaxBulkBytes, r.MaxArguments, r.MaxInlineBytes = int64(s.MaxBulkBytes), s.MaxArguments, int(s.MaxInlineBytes)
	r.QueryBufferBytes, r.InflightBytes = int64(s.QueryBufferBytes), int64(s.InflightBytes)
	r.StallTimeout, r.OutputTimeout = s.StallTimeout, s.OutputTimeout
	r.PubSubHardBytes, r.PubSubSoftBytes, r.PubSubSoftTime = int64(s.PubsubHardBytes), int64(s.PubsubSoftBytes), s.PubsubSoftTime
	r.GroupCommands, r.GroupBytes = s.GroupCommands, int(s.GroupBytes)
	r.Port, r.Bind, r.Dir, r.Build = port, host, s.Dir, version
	return c, r, r.Validate()
}

func splitPort(name, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%s %q: want host:port", name, address)
	}
	return host, port, nil
}

// size is a number of bytes, written "64mb" where that is shorter.
type size int64

var units = []struct {
	suffix string
	bytes  int64
}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"b", 1}}

func (s size) String() string {
	for _, unit := range units[:3] {
		if s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads "1048576", "1024kb" or "1mb", in any case.
func (s *size) UnmarshalText(text []byte) error {
	number, bytes := strings.ToLower(string(text)), int64(1)
	for _, unit := range units {
		if before, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, bytes = before, unit.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/bytes {
		return fmt.Errorf("%q is no size: want a number of bytes, or one with kb, mb or gb", text)
	}
	*s = size(n * bytes)
	return nil
}
