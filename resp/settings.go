package resp

import (
	"strconv"
	"time"
)

// settings are the parameters that clients can change, as they are in force: the value
// that CONFIG SET has replicated, or that of Config.
type settings struct {
	maxClients  int
	aclLogMax   int
	idleTimeout time.Duration
	keepAlive   time.Duration
	maxBulk     int64

	slowerThan       int64 // microseconds: what is kept in the slow log; nothing where it is negative
	slowLogMax       int64
	latencyThreshold int64 // milliseconds, from which on events are kept; 0 is never
}

// loadSettings reads the settings from the Store, for as long as they are not changed:
// every 100 ms, and at once where a moment matters.
func (s *Server) loadSettings() *settings {
	number := func(name string, otherwise int64) int64 {
		if v, ok := s.store.Setting(name); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				return n
			}
		}
		return otherwise
	}
	seconds := func(name string, otherwise time.Duration) time.Duration {
		return time.Duration(number(name, int64(otherwise/time.Second))) * time.Second
	}
	set := &settings{
		maxClients:  int(number("maxclients", int64(s.cfg.MaxClients))),
		aclLogMax:   int(number("acllog-max-len", 128)),
		idleTimeout: seconds("timeout", s.cfg.IdleTimeout),
		keepAlive:   seconds("tcp-keepalive", s.cfg.KeepAlive),
		maxBulk:     number("proto-max-bulk-len", s.cfg.MaxBulkBytes),

		slowerThan:       number("slowlog-log-slower-than", 10000),
		slowLogMax:       number("slowlog-max-len", 128),
		latencyThreshold: number("latency-monitor-threshold", 0),
	}
	s.settings.Store(set)
	return set
}
