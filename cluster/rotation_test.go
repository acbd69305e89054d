package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// unlistedDisk is one whose list of segments takes nothing once the first two are in it.
type unlistedDisk struct{ Disk }

type unlistedStore struct{ StableStore }

func (d unlistedDisk) Stable(path string) (StableStore, error) {
	s, err := d.Disk.Stable(path)
	return unlistedStore{s}, err
}

func (s unlistedStore) Set(key, value []byte) error {
	if bytes.Count(value, []byte("BaseIndex")) > 2 {
		return errors.New("no")
	}
	return s.StableStore.Set(key, value)
}

// A log whose last segment is full, and which was not told of the next one, ends the process
// and goes on after a restart: a crash may come right there as well.
func TestUnfinishedRotation(t *testing.T) {
	var dead error
	open := func(disk Disk, dir string, fresh bool) *storage {
		config := DefaultConfig()
		config.Dir, config.Disk, config.SegmentBytes = dir, disk, 64<<10
		s, err := openStorage(&config, "c", fresh, &diskHealth{took: func(string, time.Time) {}, dead: func(err error) { dead = err }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dir := t.TempDir()
	s, index := open(unlistedDisk{DefaultConfig().Disk}, dir, true), uint64(0)
	var err error
	store := func() {
		index++
		err = s.log.StoreLog(&raft.Log{Index: index, Term: 1, Data: make([]byte, 1000)})
	}
	for range 200 {
		if store(); err != nil {
			break
		}
	}
	if err == nil || !errors.Is(dead, wal.ErrSealed) {
		t.Fatalf("a log that cannot go on says %v, and to the node %v", err, dead)
	}
	index--
	for _, want := range []uint64{index, index + 200} { // found as it was left, and once more as it then is
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(DefaultConfig().Disk, dir, false)
		if last, err := s.log.LastIndex(); err != nil || last != want {
			t.Fatalf("the log ends at %d, %v, want %d", last, err, want)
		}
		for i := range want {
			var entry raft.Log
			if err := s.log.GetLog(i+1, &entry); err != nil || entry.Index != i+1 {
				t.Fatalf("entry %d: %v", i+1, err)
			}
		}
		for range 200 {
			if store(); err != nil {
				t.Fatalf("entry %d: %v", index, err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
