package resp

import (
	"sync"
	"sync/atomic"

	"holdfast/fsm"
)

// hub knows who on this node wants to hear of which channels.
type hub struct {
	total atomic.Int64 // subscriptions, so that nothing is done for nobody

	mu       sync.RWMutex
	members  map[*conn]*subscriber
	channels subscribers
	patterns subscribers
	shards   subscribers // SSUBSCRIBE: channels in a space of their own
}

// subscribers by channel or pattern.
type subscribers map[string]map[*subscriber]struct{}

func newHub() *hub {
	return &hub{members: map[*conn]*subscriber{}, channels: subscribers{}, patterns: subscribers{}, shards: subscribers{}}
}

// The kinds of subscriptions: which of the hub's maps, and of the subscriber's.
type subscription int

const (
	toChannel subscription = iota
	toPattern
	toShard
)

func (h *hub) of(kind subscription) subscribers {
	return [...]subscribers{h.channels, h.patterns, h.shards}[kind]
}

// words are the first words of the confirmations: "subscribe", "psubscribe", ...
func (k subscription) word(unsubscribe bool) string {
	prefix := [...]string{"", "p", "s"}[k]
	if unsubscribe {
		return prefix + "unsubscribe"
	}
	return prefix + "subscribe"
}

// add makes a subscription and puts its confirmation before the first message of it.
func (h *hub) add(s *subscriber, kind subscription, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[s.c] = s
	if _, already := s.names[kind][name]; !already {
		s.names[kind][name] = struct{}{}
		members := h.of(kind)[name]
		if members == nil {
			members = map[*subscriber]struct{}{}
			h.of(kind)[name] = members
		}
		members[s] = struct{}{}
		h.total.Add(1)
	}
	s.push(confirmation(kind.word(false), fsm.BulkString(name), s.count(kind)))
}

// remove ends a subscription, if there is one, and confirms it.
func (h *hub) remove(s *subscriber, kind subscription, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s, kind, name)
	s.push(confirmation(kind.word(true), fsm.BulkString(name), s.count(kind)))
}

func (h *hub) drop(s *subscriber, kind subscription, name string) {
	if _, there := s.names[kind][name]; !there {
		return
	}
	delete(s.names[kind], name)
	members := h.of(kind)[name]
	if delete(members, s); len(members) == 0 {
		delete(h.of(kind), name)
	}
	h.total.Add(-1)
}

// forget ends all subscriptions without a word.
func (h *hub) forget(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, s.c)
	for kind := range s.names {
		for name := range s.names[kind] {
			h.drop(s, subscription(kind), name)
		}
	}
}

// counts are how many channels, patterns and shard channels somebody listens to.
func (h *hub) counts() (channels, patterns, shards int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.channels), len(h.patterns), len(h.shards)
}

func confirmation(word string, name fsm.Reply, count int) fsm.Reply {
	var b fsm.Builder
	b.Push(3)
	b.BulkString(word)
	b.Append(name)
	b.Int(int64(count))
	return b.Reply()
}

// publish gives a message to those on this node who want it, and returns how many
// subscriptions that was. It never waits for a client.
func (h *hub) publish(channel string, payload []byte) (receivers int) {
	if h.total.Load() == 0 {
		return 0
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if members := h.channels[channel]; len(members) > 0 {
		m := message("message", channel, payload)
		for s := range members {
			s.push(m)
			receivers++
		}
	}
	for pattern, members := range h.patterns {
		if !fsm.Match([]byte(pattern), []byte(channel)) {
			continue
		}
		m := message("pmessage", pattern, []byte(channel), payload)
		for s := range members {
			s.push(m)
			receivers++
		}
	}
	return receivers
}

// publishShard is publish for the channels of SSUBSCRIBE.
func (h *hub) publishShard(channel string, payload []byte) (receivers int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	m := message("smessage", channel, payload)
	for s := range h.shards[channel] {
		s.push(m)
		receivers++
	}
	return receivers
}

func message(word, name string, parts ...[]byte) fsm.Reply {
	var b fsm.Builder
	b.Push(2 + len(parts))
	b.BulkString(word)
	b.BulkString(name)
	for _, part := range parts {
		b.Bulk(part)
	}
	return b.Reply()
}
