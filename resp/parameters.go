package resp

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/fsm"
)

// kind says where a parameter lives.
type kind uint8

const (
	replicated kind = iota // CONFIG SET changes it on every node, for good
	fixed                  // how this server works: CONFIG SET accepts the value it has
	immutable              // a flag of the node's process: CONFIG SET refuses it, as Redis does
)

// parameter is a row of what CONFIG GET shows. Parameters of Redis that mean nothing
// here are left out: to report a value would be a promise.
type parameter struct {
	name  string
	kind  kind
	value func(*Server) string
	parse func(string) (string, error) // checks a value and returns its plain form
}

var parameters = []parameter{
	{"acl-pubsub-default", fixed, constant("resetchannels"), oneOf("allchannels", "resetchannels")},
	{"aclfile", immutable, func(s *Server) string { return s.cfg.ACLFile }, text},
	{"acllog-max-len", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().aclLogMax) }, integer(0, 1<<16)},
	{"appendfsync", fixed, constant("always"), oneOf("everysec", "always", "no")},
	{"appendonly", fixed, constant("yes"), yesNo},
	{"bind", fixed, func(s *Server) string { return s.cfg.Bind }, text},
	{"client-output-buffer-limit", fixed, func(s *Server) string {
		return fmt.Sprintf("normal 0 0 0 slave 0 0 0 pubsub %d %d %d", s.cfg.PubSubHardBytes, s.cfg.PubSubSoftBytes, int(s.cfg.PubSubSoftTime.Seconds()))
	}, text},
	{"client-query-buffer-limit", fixed, func(s *Server) string { return fmt.Sprint(s.cfg.QueryBufferBytes) }, memory(1<<20, math.MaxInt64)},
	{"cluster-enabled", immutable, constant("no"), yesNo},
	{"daemonize", immutable, constant("no"), yesNo},
	{"databases", immutable, constant("16"), integer(1, math.MaxInt32)},
	{"dbfilename", fixed, constant("dump.rdb"), text},
	{"dir", fixed, func(s *Server) string { return s.cfg.Dir }, text},
	{"hz", fixed, constant("10"), integer(0, math.MaxInt32)},
	{"io-threads", immutable, constant("1"), integer(1, 128)},
	{"latency-monitor-threshold", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().latencyThreshold) }, integer(0, math.MaxInt64)},
	{"loglevel", fixed, constant("notice"), oneOf("debug", "verbose", "notice", "warning")},
	{"lua-time-limit", fixed, constant("5000"), integer(0, math.MaxInt64)},
	{"maxclients", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().maxClients) }, integer(1, 1000000)},
	{"maxmemory", fixed, constant("0"), memory(0, math.MaxInt64)},
	{"maxmemory-policy", fixed, constant("noeviction"), oneOf("volatile-lru", "volatile-lfu", "volatile-random",
		"volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction")},
	{"min-replicas-to-write", fixed, constant("0"), integer(0, math.MaxInt32)},
	{"min-slaves-to-write", fixed, constant("0"), integer(0, math.MaxInt32)},
	{fsm.NotifySetting, replicated, func(s *Server) string {
		letters, _ := s.store.Setting(fsm.NotifySetting)
		classes, _ := fsm.ParseEventClasses(letters)
		return classes.String()
	}, eventClasses},
	{"port", fixed, func(s *Server) string { return fmt.Sprint(s.cfg.Port) }, integer(0, 65535)},
	{"proto-max-bulk-len", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().maxBulk) }, memory(1<<20, math.MaxInt64)},
	{"replica-read-only", fixed, constant("yes"), yesNo},
	{"requirepass", replicated, (*Server).requirePass, password},
	{"save", fixed, constant(""), savePoints},
	{"slave-read-only", fixed, constant("yes"), yesNo},
	{"slowlog-log-slower-than", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().slowerThan) }, integer(-1, math.MaxInt64)},
	{"slowlog-max-len", replicated, func(s *Server) string { return fmt.Sprint(s.settings.Load().slowLogMax) }, integer(0, math.MaxInt64)},
	{"tcp-keepalive", replicated, func(s *Server) string { return wholeSeconds(s.settings.Load().keepAlive) }, integer(0, 86400)},
	{"timeout", replicated, func(s *Server) string { return wholeSeconds(s.settings.Load().idleTimeout) }, integer(0, math.MaxInt32)},
}

// complaint is the end of a sentence that CONFIG SET begins, as Redis words it.
type complaint string

func (c complaint) Error() string { return string(c) }

func findParameter(name string) *parameter {
	i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &parameters[i]
}

// check returns the plain form of a value that CONFIG SET may give to the parameter.
func (p *parameter) check(s *Server, value string) (string, error) {
	if p.kind == immutable {
		return "", complaint("can't set immutable config")
	}
	value, err := p.parse(value)
	switch {
	case err != nil:
		return "", err
	case p.kind == fixed && value != p.value(s):
		return "", fmt.Errorf("this server supports no value but '%s'", p.value(s))
	case p.name == "proto-max-bulk-len" && mustInt(value) > s.cfg.QueryBufferBytes:
		return "", fmt.Errorf("argument must not exceed client-query-buffer-limit, which is %d", s.cfg.QueryBufferBytes)
	}
	return value, nil
}

func mustInt(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		panic("resp: a checked value is no integer: " + value)
	}
	return n
}

// requirePass is the default user's password. One that CONFIG SET has set is kept, and
// shown, as a hash.
func (s *Server) requirePass() string {
	user := s.store.Users().Get("default")
	switch {
	case user == nil:
		return s.cfg.RequirePass
	case len(user.Passwords) > 0:
		return "#" + user.Passwords[0]
	}
	return ""
}

func constant(v string) func(*Server) string { return func(*Server) string { return v } }

func wholeSeconds(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }

func text(v string) (string, error) { return v, nil }

func password(v string) (string, error) {
	if len(v) > 512 {
		return "", complaint("Password is longer than 512")
	}
	return v, nil
}

func yesNo(v string) (string, error) {
	if v = strings.ToLower(v); v != "yes" && v != "no" {
		return "", complaint("argument must be 'yes' or 'no'")
	}
	return v, nil
}

func oneOf(values ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if v = strings.ToLower(v); !slices.Contains(values, v) {
			return "", complaint("argument(s) must be one of the following: " + strings.Join(values, ", "))
		}
		return v, nil
	}
}

func integer(from, to int64) func(string) (string, error) {
	return func(v string) (string, error) {
		n, ok := parseInt([]byte(v))
		if !ok {
			return "", complaint("argument couldn't be parsed into an integer")
		}
		return inRange(n, from, to)
	}
}

func inRange(n, from, to int64) (string, error) {
	if n < from || n > to {
		return "", fmt.Errorf("argument must be between %d and %d inclusive", from, to)
	}
	return fmt.Sprint(n), nil
}

// memory reads a size as Redis does: 1k is 1000 bytes, 1kb 1024, and so on.
func memory(from, to int64) func(string) (string, error) {
	return func(v string) (string, error) {
		end := strings.LastIndexAny(v, "0123456789") + 1
		unit, known := memoryUnits[strings.ToLower(v[end:])]
		n, ok := parseInt([]byte(v[:end]))
		if !known || !ok || n < 0 || n > math.MaxInt64/unit {
			return "", complaint("argument must be a memory value")
		}
		return inRange(n*unit, from, to)
	}
}

var memoryUnits = map[string]int64{"": 1, "b": 1, "k": 1e3, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30}

func eventClasses(v string) (string, error) {
	if _, ok := fsm.ParseEventClasses(v); !ok {
		return "", complaint("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
	}
	return v, nil
}

// savePoints are pairs of seconds and changes.
func savePoints(v string) (string, error) {
	fields := strings.Fields(v)
	for i, field := range fields {
		if n, err := strconv.ParseInt(field, 10, 64); err != nil || n < 0 || n == 0 && i%2 == 0 {
			return "", complaint("Invalid save parameters")
		}
	}
	if len(fields)%2 != 0 {
		return "", complaint("Invalid save parameters")
	}
	return strings.Join(fields, " "), nil
}
