package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A log in which the last entry of the newest snapshot is another one has never been committed
// from there on, and is dropped: the node has ended before raft could clear it.
func TestLogOfAnotherSnapshot(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"wal", "bolt"} {
		for _, test := range []struct {
			name    string
			terms   []uint64 // of the entries from 1 on
			dropped bool
		}{
			{"shorter", []uint64{1, 1}, true},
			{"longer, another one's", []uint64{1, 1, 1, 1, 1}, true},
			{"longer, the snapshot's", []uint64{1, 1, 2, 2}, false},
			{"just as long", []uint64{1, 1, 2}, false},
		} {
			t.Run(store+", "+test.name, func(t *testing.T) {
				config := DefaultConfig()
				config.Dir, config.LogStore = t.TempDir(), store
				s, err := openStorage(&config, "c", true, &diskHealth{took: func(string, time.Time) {}})
				if err != nil {
					t.Fatal(err)
				}
				for i, term := range test.terms {
					if err := s.log.StoreLog(&raft.Log{Index: uint64(i) + 1, Term: term, Type: raft.LogNoop}); err != nil {
						t.Fatal(err)
					}
				}
				sink, err := s.snapshots.Create(1, 3, 2, raft.Configuration{}, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(sink.Close(), s.Close()); err != nil {
					t.Fatal(err)
				}
				if s, err = openStorage(&config, "c", false, &diskHealth{took: func(string, time.Time) {}}); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				want := uint64(len(test.terms))
				if test.dropped {
					want = 0
				}
				if last, err := s.log.LastIndex(); err != nil || last != want {
					t.Errorf("the log ends at %d, %v, want %d", last, err, want)
				}
			})
		}
	}
}

// openDisk opens what a node of cluster c keeps. It panics with what would end the node.
func openDisk(config *Config, fresh bool) (*storage, error) {
	return openStorage(config, "c", fresh, &diskHealth{took: func(string, time.Time) {}, dead: func(err error) { panic(err) }})
}
