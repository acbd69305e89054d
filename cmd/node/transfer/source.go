// Package transfer copies keys from elsewhere into a cluster: the work of `holdfast
// import`. A Source reads, a target writes, and Run brings the one to the other. Fetch gets
// a dump of all keys for `holdfast backup`.
package transfer

import "fmt"

// Item is a key on its way.
type Item struct {
	DB       int
	Key      []byte
	Value    []byte
	Dump     bool  // Value is what RESTORE takes, else it is a string
	Deadline int64 // Unix milliseconds; 0 means never
}

// Source is what keys are read from.
type Source interface {
	// Next returns the next item, or io.EOF after the last. A *Skip tells of one that
	// cannot be taken: the source goes on behind it. Any other error ends the source.
	Next() (Item, error)

	// Progress says how far Next has come, and of how much, in whatever unit.
	Progress() (done, total int64)

	Close() error
}

// Skip is why something of a source is not taken.
type Skip struct {
	Name   string // of what is left out: a file, a key, the place in a file
	Reason string // one of a few, by which the summary counts
	Err    error  // what is wrong in particular; may be nil
}

func (s *Skip) Error() string {
	if s.Err == nil {
		return fmt.Sprintf("%s: %s", s.Name, s.Reason)
	}
	return fmt.Sprintf("%s: %s: %v", s.Name, s.Reason, s.Err)
}

// Reasons that more than one source has.
const (
	Expired    = "expired"
	Encrypted  = "encrypted"
	Unreadable = "unreadable"
)

// Reasons of the target's.
const (
	present = "there already"
	refused = "refused by the cluster"
	tooLong = "too long for a command"
)

// expected tells what an import leaves out by design from what its user must look at.
func expected(reason string) bool {
	return reason == Expired || reason == present || reason == Foreign
}
