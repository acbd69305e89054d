package fsm

import "strings"

// EventClass says of what kind an event is, and who wants to hear of it: a set of the
// letters of notify-keyspace-events (Redis, "Keyspace notifications").
type EventClass uint16

const (
	KeyspaceEvents EventClass = 1 << iota // K: on the channel of the key
	KeyeventEvents                        // E: on the channel of the event
	genericEvent                          // g
	stringEvent                           // $
	listEvent                             // l
	setEvent                              // s
	hashEvent                             // h
	zsetEvent                             // z
	expiredEvent                          // x
	evictedEvent                          // e
	streamEvent                           // t
	missEvent                             // m
	moduleEvent                           // d
	newEvent                              // n
)

// allEvents is what the letter A stands for.
const allEvents = genericEvent | stringEvent | listEvent | setEvent | hashEvent | zsetEvent |
	expiredEvent | evictedEvent | streamEvent | moduleEvent

// eventLetters is in the order in which Redis writes them.
var eventLetters = []struct {
	letter byte
	class  EventClass
}{
	{'g', genericEvent}, {'$', stringEvent}, {'l', listEvent}, {'s', setEvent}, {'h', hashEvent},
	{'z', zsetEvent}, {'x', expiredEvent}, {'e', evictedEvent}, {'t', streamEvent}, {'d', moduleEvent},
	{'n', newEvent}, {'K', KeyspaceEvents}, {'E', KeyeventEvents}, {'m', missEvent},
}

// ParseEventClasses reads a value of notify-keyspace-events; false for an unknown letter.
func ParseEventClasses(letters string) (classes EventClass, ok bool) {
next:
	for _, letter := range []byte(letters) {
		if letter == 'A' {
			classes |= allEvents
			continue
		}
		for _, l := range eventLetters {
			if l.letter == letter {
				classes |= l.class
				continue next
			}
		}
		return 0, false
	}
	return classes, true
}

// String writes the classes as CONFIG GET shows them: n is not told beside A.
func (c EventClass) String() string {
	var b strings.Builder
	all := c&allEvents == allEvents
	if all {
		b.WriteByte('A')
	}
	for _, l := range eventLetters {
		if c&l.class != 0 && !(all && (allEvents|newEvent)&l.class != 0) {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}

// NotifySetting is the name of the replicated setting that says which events are
// wanted. They are part of the log like everything else: every node has the same ones.
const NotifySetting = "notify-keyspace-events"

// Event tells what has become of a key, or is a message that a script has published.
type Event struct {
	DB    int
	Name  string // "set", "expired", ...
	Key   string
	Where EventClass // KeyspaceEvents, KeyeventEvents or both

	Message bool // the following counts, and nothing of the above
	Channel string
	Payload []byte
	Shard   bool // to a channel of SSUBSCRIBE
}

// Events are those of the entry applied last, in order, valid until the next one.
func (m *Machine) Events() []Event { return m.events }

// emit adds an event if its class is wanted.
func (m *Machine) emit(db int, class EventClass, name, key string) {
	if m.notify&class != 0 && m.notify&(KeyspaceEvents|KeyeventEvents) != 0 {
		m.events = append(m.events, Event{DB: db, Name: name, Key: key, Where: m.notify & (KeyspaceEvents | KeyeventEvents)})
	}
}

// changed tells that a command has changed a key of its database: those who watch the
// key learn of it, and the event goes out if its class is wanted. Every handler that
// writes calls it, with the event that Redis sends.
func (tx *Tx) changed(class EventClass, event string, key []byte) {
	tx.changedIn(tx.db, class, event, key)
}

// changedIn is changed for another database.
func (tx *Tx) changedIn(db int, class EventClass, event string, key []byte) {
	tx.m.watches.touch(db, key)
	if tx.m.notify&class != 0 {
		tx.m.emit(db, class, event, string(key))
	}
}
