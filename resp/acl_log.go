package resp

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"holdfast/fsm"
)

// aclLog is what this node has denied to users, newest first. Equal denials within a
// minute are one entry.
type aclLog struct {
	mu      sync.Mutex
	max     func() int
	entries []aclEntry
	denied  map[string]int64 // by reason, whatever entries there still are
}

type aclEntry struct {
	count                             int
	reason, context, object, username string
	client                            string
	at                                time.Time
}

const aclLogMerge = time.Minute

func (l *aclLog) add(reason, context, object, username, client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.denied == nil {
		l.denied = map[string]int64{}
	}
	l.denied[reason]++
	e := aclEntry{1, reason, context, object, username, client, time.Now()}
	for i, old := range l.entries {
		if old.reason == reason && old.context == context && old.object == object && old.username == username && e.at.Sub(old.at) < aclLogMerge {
			e.count += old.count
			l.entries = append(l.entries[:i], l.entries[i+1:]...)
			break
		}
	}
	l.entries = append([]aclEntry{e}, l.entries...)
	if n := l.max(); len(l.entries) > n {
		l.entries = l.entries[:n]
	}
}

func (l *aclLog) reset() {
	l.mu.Lock()
	l.entries = nil
	l.mu.Unlock()
}

// counts are how often something was denied, by reason.
func (l *aclLog) counts() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.denied)
}

func (l *aclLog) resetCounts() {
	l.mu.Lock()
	l.denied = nil
	l.mu.Unlock()
}

func (l *aclLog) describe(count int, now time.Time) fsm.Reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := l.entries[:min(count, len(l.entries))]
	var b fsm.Builder
	b.Array(len(entries))
	for _, e := range entries {
		b.Map(7)
		b.BulkString("count")
		b.Int(int64(e.count))
		for _, f := range [][2]string{{"reason", e.reason}, {"context", e.context}, {"object", e.object}, {"username", e.username}} {
			b.BulkString(f[0])
			b.BulkString(f[1])
		}
		b.BulkString("age-seconds")
		b.BulkString(fmt.Sprintf("%.3f", now.Sub(e.at).Seconds()))
		b.BulkString("client-info")
		b.BulkString(e.client)
	}
	return b.Reply()
}
