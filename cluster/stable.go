package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// summedStore is a Bolt file in which each value has a checksum of its key and of itself: of
// what a page holds Bolt would notice no change.
type summedStore struct{ StableStore }

// stableStore is what a node must not forget, raft's term and vote above all: one with
// another term or vote votes twice.
//
// A vote is a term and a candidate, which raft stores one after the other. It is the term that
// makes it count, so that it is held back until the candidate is there: a crash in between left
// the candidate of an earlier vote, and a node grants a vote that it has given before without
// comparing logs. The candidate alone does nothing: raft has stored the later term before.
type stableStore struct {
	summedStore
	heldTerm *[]byte // of a vote whose candidate has yet to come, nil without one
}

var (
	// The key under which the cluster's id is repeated: a directory in which the stable
	// store has been lost or exchanged must not vote.
	clusterKey = []byte("holdfast-cluster")

	// The key that is set once the node has had entries: an empty log is then a lost one.
	begunKey = []byte("holdfast-begun")

	// Raft's own.
	termKey     = []byte("CurrentTerm")
	voteTermKey = []byte("LastVoteTerm")
	voteKey     = []byte("LastVoteCand")
)

// openStable reads all values once.
func openStable(disk Disk, path string) (s stableStore, err error) {
	s.heldTerm = new([]byte)
	err = careful(path, func() (err error) {
		if s.StableStore, err = disk.Stable(path); err != nil {
			return err
		}
		has := map[string]bool{}
		for _, key := range [][]byte{clusterKey, begunKey, divergedKey, termKey, voteTermKey, voteKey} {
			switch _, err := s.Get(key); {
			case err == nil:
				has[string(key)] = true
			case !errors.Is(err, raftboltdb.ErrKeyNotFound):
				return err
			}
		}
		// Entries come with a term, and raft stores a vote's term before the candidate.
		for key, needs := range map[string][]byte{string(begunKey): termKey, string(voteKey): voteTermKey, string(voteTermKey): termKey} {
			if has[key] && !has[string(needs)] {
				return fmt.Errorf("it has %s and no %s", key, needs)
			}
		}
		return nil
	})
	if err != nil && s.StableStore != nil {
		s.Close()
	}
	return s, err
}

// Set is called by raft's goroutine for a vote, and by others for keys of the node's own, which
// must leave the held term alone.
func (s stableStore) Set(key, value []byte) error {
	switch {
	case bytes.Equal(key, voteTermKey):
		if _, err := s.Get(voteKey); err == nil { // there is no earlier vote without it
			*s.heldTerm = bytes.Clone(value)
			return nil
		}
	case bytes.Equal(key, voteKey):
		return s.setCandidate(value)
	}
	return s.set(key, value)
}

func (s stableStore) setCandidate(candidate []byte) error {
	if err := s.set(voteKey, candidate); err != nil || *s.heldTerm == nil {
		return err
	}
	term := *s.heldTerm
	*s.heldTerm = nil
	return s.set(voteTermKey, term)
}

func (s summedStore) set(key, value []byte) error {
	return s.StableStore.Set(key, binary.BigEndian.AppendUint32(append([]byte(nil), value...), valueSum(key, value)))
}

func (s summedStore) Get(key []byte) ([]byte, error) {
	stored, err := s.StableStore.Get(key)
	if err != nil {
		return nil, err
	}
	n := len(stored) - crc32.Size
	if n < 0 || binary.BigEndian.Uint32(stored[n:]) != valueSum(key, stored[:n]) {
		return nil, fmt.Errorf("the checksum of %s is wrong", key)
	}
	return stored[:n], nil
}

func (s stableStore) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

func (s stableStore) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%s has %d bytes, want 8", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func valueSum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
