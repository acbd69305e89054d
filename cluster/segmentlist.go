package cluster

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

// segmentList is raft-wal's list of segments, with a checksum. raft-wal's own has none: a
// digit that is another one there makes another log.
type segmentList struct {
	disk  Disk
	begun bool // the node has had entries, so that there has to be a list

	summedStore
}

var segmentsKey = []byte("segments")

// Load is called once, before all else.
func (l *segmentList) Load(dir string) (state types.PersistentState, err error) {
	path := filepath.Join(dir, "segments.db")
	err = careful(path, func() (err error) {
		if l.StableStore, err = l.disk.Stable(path); err != nil {
			return err
		}
		list, err := l.Get(segmentsKey)
		if err == nil {
			return json.Unmarshal(list, &state)
		}
		if !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return err
		}
		return l.disk.SyncDir(dir)
	})
	if err != nil || len(state.Segments) > 0 {
		return state, err
	}
	if state, err = l.earlier(dir); err != nil || len(state.Segments) > 0 {
		return state, err
	}
	names, err := l.disk.List(dir)
	segment := func(name string) bool { return strings.HasSuffix(name, ".wal") }
	if err == nil && (l.begun || slices.ContainsFunc(names, segment)) {
		err = errDamaged("%s has lost its content", path)
	}
	return state, err
}

// earlier takes the list over from raft-wal's own file, in which versions before this one
// have it.
func (l *segmentList) earlier(dir string) (state types.PersistentState, err error) {
	path := filepath.Join(dir, metadb.FileName)
	if _, err := l.disk.Size(path); err != nil {
		return state, nil // there is none
	}
	err = careful(path, func() (err error) {
		if err := checkBolt(path); err != nil {
			return err
		}
		var own metadb.BoltMetaDB
		if state, err = own.Load(dir); err != nil {
			return err
		}
		return own.Close()
	})
	if err != nil {
		return state, err
	}
	if err := l.CommitState(state); err != nil {
		return state, err
	}
	return state, l.disk.Remove(path)
}

func (l *segmentList) CommitState(state types.PersistentState) error {
	list, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return l.set(segmentsKey, list)
}

// GetStable and SetStable are for other values, which the node has elsewhere.
func (*segmentList) GetStable([]byte) ([]byte, error) { return nil, raftboltdb.ErrKeyNotFound }
func (*segmentList) SetStable([]byte, []byte) error   { return errors.ErrUnsupported }

func (l *segmentList) Close() error {
	if l.StableStore == nil { // it could not be opened
		return nil
	}
	return l.StableStore.Close()
}
