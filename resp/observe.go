package resp

import (
	"slices"
	"strings"
	"time"

	"holdfast/fsm"
)

// observe is told of commands that have run, and took the same time each: it hands them
// to whoever wants to know. What everybody asks for, the counters of a row, is not here.
func (c *conn) observe(rows []*row, calls []fsm.Call, took time.Duration) {
	s, set := c.server, c.server.settings.Load()
	if set.latencyThreshold > 0 && took.Milliseconds() >= set.latencyThreshold {
		for _, row := range rows {
			s.latency.add(commandEvent(row), took, time.Now())
		}
	}
	if set.slowerThan >= 0 && took.Microseconds() >= set.slowerThan {
		for i, row := range rows {
			if row.Flags&fsm.SkipSlowlog == 0 {
				s.slowLog.add(c, redacted(row, calls[i].Args), took, set.slowLogMax)
			}
		}
	}
	if s.monitors.any.Load() {
		if c.monitoring {
			c.flush() // its own reply comes first
		}
		for i, row := range rows {
			if row.Flags&(fsm.Admin|fsm.SkipMonitor) == 0 {
				s.monitors.feed(c.address(), calls[i].DB, redacted(row, calls[i].Args))
			}
		}
	}
}

// secretParameters are those of CONFIG SET whose values are nobody's business.
var secretParameters = []string{"requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"}

var hidden = []byte("(redacted)")

// redacted is a command line as it may be shown: without passwords.
func redacted(row *row, args [][]byte) [][]byte {
	var secret func(i int) bool
	switch row.full {
	case "auth":
		secret = func(i int) bool { return i > 0 }
	case "acl|setuser":
		secret = func(i int) bool { return i > 1 }
	case "config|set":
		secret = func(i int) bool {
			return i > 2 && i%2 == 1 && slices.Contains(secretParameters, strings.ToLower(string(args[i-1])))
		}
	case "hello":
		secret = func(i int) bool {
			isAuth := func(i int) bool { return i > 1 && strings.EqualFold(string(args[i]), "auth") }
			return isAuth(i-1) || isAuth(i-2)
		}
	default:
		return args
	}
	shown := slices.Clone(args)
	for i := range shown {
		if secret(i) {
			shown[i] = hidden
		}
	}
	return shown
}
