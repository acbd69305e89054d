package cluster

import (
	"errors"
	"io/fs"
	"time"

	"github.com/hashicorp/raft-wal/types"
)

// rotatedLog is raft-wal's list of segments and their files, where the last one has room. When
// a segment is full raft-wal seals it with its last batch, and afterwards notes in the list that
// it is full and that there is a next one. A node that ends in between finds a last segment that
// takes nothing any more, and raft-wal on its own would never go on to the next.
type rotatedLog struct {
	types.MetaStore
	checkedSegments

	tail types.SegmentWriter // that Load has opened, for RecoverTail: it takes a while
}

// Load makes up for the note that is missing.
func (r *rotatedLog) Load(dir string) (types.PersistentState, error) {
	state, err := r.MetaStore.Load(dir)
	if err != nil || len(state.Segments) == 0 {
		return state, err
	}
	tail := &state.Segments[len(state.Segments)-1]
	if !tail.SealTime.IsZero() {
		return state, nil
	}
	segment, err := r.checkedSegments.RecoverTail(*tail)
	if errors.Is(err, fs.ErrNotExist) { // the note is there, but not the file yet
		return state, nil
	}
	if err != nil {
		return state, err
	}
	sealed, index, err := segment.Sealed()
	if err == nil && !sealed {
		r.tail = segment
		return state, nil
	}
	last := segment.LastIndex()
	if err = errors.Join(err, segment.Close()); err != nil {
		return state, err
	}
	now := time.Now()
	tail.SealTime, tail.MaxIndex, tail.IndexStart = now, last, index
	state.Segments = append(state.Segments, types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: last + 1, MinIndex: last + 1,
		Codec: tail.Codec, SizeLimit: tail.SizeLimit, CreateTime: now,
	})
	state.NextSegmentID++
	return state, r.CommitState(state)
}

// RecoverTail is asked for the last segment, once.
func (r *rotatedLog) RecoverTail(info types.SegmentInfo) (types.SegmentWriter, error) {
	if r.tail == nil {
		return r.checkedSegments.RecoverTail(info)
	}
	return r.tail, nil
}
