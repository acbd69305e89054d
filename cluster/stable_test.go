package cluster

import (
	"errors"
	"slices"
	"testing"
)

// crashingDisk has a stable store that takes so many values, and then no more.
type crashingDisk struct {
	systemDisk
	left *int
}

type crashingStore struct {
	StableStore
	left *int
}

var errCrashed = errors.New("crashed")

func (d crashingDisk) Stable(path string) (StableStore, error) {
	s, err := d.systemDisk.Stable(path)
	return crashingStore{s, d.left}, err
}

func (s crashingStore) Set(key, value []byte) error {
	if *s.left--; *s.left < 0 {
		return errCrashed
	}
	return s.StableStore.Set(key, value)
}

// Whatever a crash has left of a vote, in the node's term there is that vote or none. Raft
// would take the term of one and the candidate of another for a vote that it has given.
func TestVoteAfterCrash(t *testing.T) {
	type vote struct {
		term      uint64
		candidate string
	}
	// As raft does.
	store := func(s stableStore, v vote) error {
		return errors.Join(s.SetUint64(termKey, v.term), s.SetUint64(voteTermKey, v.term), s.Set(voteKey, []byte(v.candidate)))
	}
	votes := []vote{{2, "a"}, {3, "b"}, {5, "a"}}
	for crash := range 3*len(votes) + 1 {
		path, left := t.TempDir()+"/stable.db", crash
		s, err := openStable(crashingDisk{left: &left}, path)
		if err != nil {
			t.Fatal(err)
		}
		given := vote{} // the last one that raft may have answered
		for _, v := range votes {
			if err = store(s, v); err != nil {
				break
			}
			given = v
		}
		s.Close()
		if s, err = openStable(systemDisk{}, path); err != nil {
			t.Fatalf("after %d values: %v", crash, err)
		}
		term, _ := s.GetUint64(termKey)
		votedIn, _ := s.GetUint64(voteTermKey)
		candidate, _ := s.Get(voteKey)
		got := vote{votedIn, string(candidate)}
		if term == given.term && got != given {
			t.Errorf("after %d values: vote %v has become %v", crash, given, got)
		}
		if term == votedIn && candidate != nil && !slices.Contains(votes, got) {
			t.Errorf("after %d values: nobody gave the vote %v", crash, got)
		}
		s.Close()
	}
}

// The quarantine notes itself while raft votes: for the race detector.
func TestNoteDuringVote(t *testing.T) {
	s, err := openStable(systemDisk{}, t.TempDir()+"/stable.db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	noted := make(chan error, 1)
	go func() { noted <- s.Set(divergedKey, []byte{1}) }()
	for term := uint64(2); term < 5; term++ {
		if err := errors.Join(s.SetUint64(termKey, term), s.SetUint64(voteTermKey, term), s.Set(voteKey, []byte("a"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-noted; err != nil {
		t.Fatal(err)
	}
	if note, err := s.Get(divergedKey); err != nil || len(note) == 0 {
		t.Errorf("the note is %q, %v", note, err)
	}
	if term, err := s.GetUint64(voteTermKey); err != nil || term != 4 {
		t.Errorf("the vote is of term %d, %v, want 4", term, err)
	}
}
