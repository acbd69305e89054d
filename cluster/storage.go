package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

const (
	raftDir = "raft"

	// cachedEntries is how many of the last entries are kept in memory. An entry is
	// wanted again at once: to be sent to each follower, to be applied, and for its
	// term when the next one is sent. Few, since an entry may be large.
	cachedEntries = 4

	// maxRequestBytes bounds a group of requests: raft-wal holds entries of up to
	// 64 MiB, and a group must leave room beside it.
	maxRequestBytes = 48 << 20
)

// storage is what raft keeps on disk: term and vote in Bolt, the log in a WAL or in
// Bolt, and snapshots in files. All of it is fsynced before raft goes on.
type storage struct {
	stable    stableStore
	log       raft.LogStore
	snapshots raft.SnapshotStore
	disk      Disk
	dir       string
	health    *diskHealth
	prepare   func() error // makes sure that the log has a place for what comes next
	probing   baton        // see probe; Close keeps it
	damaged   atomic.Bool  // a snapshot could not be read
	cramped   atomic.Bool  // there was no room for a snapshot, and the disk was not asked since
	closers   []io.Closer
}

func openStorage(c *Config, clusterID string, fresh bool, health *diskHealth) (s *storage, err error) {
	dir := filepath.Join(c.Dir, raftDir)
	s = &storage{disk: c.Disk, dir: dir, health: health, probing: newBaton(), prepare: func() error { return nil }}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := c.Disk.MkdirAll(dir); err != nil {
		return s, err
	}
	stablePath := filepath.Join(dir, "stable.db")
	if s.stable, err = openStable(c.Disk, stablePath); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.stable)
	if err := s.checkCluster(stablePath, clusterID, fresh); err != nil {
		return s, err
	}

	switch c.LogStore {
	case "wal":
		err = s.openWAL(filepath.Join(dir, "wal"), c)
	case "bolt":
		var log boltLog
		if log, err = openBoltLog(filepath.Join(dir, "log.db")); err == nil {
			s.log = log
			s.closers = append(s.closers, log)
		}
	}
	if err != nil {
		return s, err
	}

	if s.log, err = raft.NewLogCache(cachedEntries, watchedLog{s.log, health}); err != nil {
		return s, err
	}
	snapshots, err := c.Disk.Snapshots(dir, c.SnapshotRetain, raftLogger(c.Logger))
	if err != nil {
		return s, err
	}
	s.snapshots = steadySnapshots{snapshots, c.Disk, filepath.Join(dir, "snapshots"), &s.damaged, &s.cramped}
	if err := dropUnfinished(c.Disk, filepath.Join(dir, "snapshots"), c.Logger); err != nil {
		return s, err
	}
	covered, err := checkStart(c.Disk, dir, s.log, c.Logger)
	if err != nil {
		return s, err
	}
	if s.hasBegun() && covered == 0 {
		return s, errDamaged("the log in %s has lost its content", dir)
	}
	return s, s.dropCovered()
}

// dropOld clears a log that ends before what is applied, which is then in a snapshot: when raft
// installs one it clears the log, and goes on where that fails, as on a full disk. No entry fits
// behind what is left. It returns the log's first index, 0 if it is empty.
func (s *storage) dropOld(applied uint64) (first uint64, err error) {
	if first, err = s.log.FirstIndex(); err != nil || first == 0 {
		return first, err
	}
	last, err := s.log.LastIndex()
	if err != nil || last == 0 || last >= applied {
		return first, err
	}
	return 0, s.log.DeleteRange(first, last)
}

// dropCovered clears a log that ends before the newest snapshot does, where the next entry would
// leave a gap, or whose entry at the end of the snapshot is another one, so that nothing behind
// it is the cluster's (Raft, section 7): raft has installed the snapshot and had no time to
// clear the log.
func (s *storage) dropCovered() error {
	snapshots, err := s.snapshots.List()
	if err != nil || len(snapshots) == 0 {
		return err
	}
	first, err := s.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.log.LastIndex()
	if err != nil || last == 0 || first > snapshots[0].Index {
		return err
	}
	var end raft.Log
	if last >= snapshots[0].Index {
		if err := s.log.GetLog(snapshots[0].Index, &end); err != nil {
			return err
		}
	}
	if end.Term == snapshots[0].Term {
		return nil
	}
	return s.log.DeleteRange(first, last)
}

// begin notes that the node has had entries.
func (s *storage) begin() error {
	if s.hasBegun() {
		return nil
	}
	return s.stable.Set(begunKey, []byte{1})
}

func (s *storage) hasBegun() bool {
	begun, err := s.stable.Get(begunKey)
	return err == nil && len(begun) > 0
}

func (s *storage) checkCluster(path, clusterID string, fresh bool) error {
	stored, err := s.stable.Get(clusterKey)
	switch {
	case err == nil && bytes.Equal(stored, []byte(clusterID)):
		return nil
	case err == nil:
		return fmt.Errorf("%s belongs to cluster %s, %s to cluster %s: the directory is put together from two nodes; empty it and let the node join anew", path, stored, identityFile, clusterID)
	case !errors.Is(err, raftboltdb.ErrKeyNotFound):
		return fmt.Errorf("read %s: %w", path, err)
	case !fresh:
		return fmt.Errorf("%s has lost its content: the node has forgotten its vote; empty the directory and let the node join anew", path)
	}
	return s.stable.Set(clusterKey, []byte(clusterID))
}

func (s *storage) openWAL(dir string, c *Config) error {
	if err := c.Disk.MkdirAll(dir); err != nil {
		return err
	}
	files := newWALFiles(c.Disk, filepath.Join(filepath.Dir(dir), "wal-spare"), int64(c.SegmentBytes), func(err error) {
		s.health.filled(err)
		s.health.allow(c.SegmentBytes / 4)
	})
	s.prepare = files.prepare
	s.closers = append(s.closers, files)
	rotated := &rotatedLog{MetaStore: &segmentList{disk: c.Disk, begun: s.hasBegun()}, checkedSegments: checkedSegments{segment.NewFiler(dir, files), c.Disk, dir, c.Logger}}
	log, err := wal.Open(dir, wal.WithSegmentSize(c.SegmentBytes), wal.WithLogger(raftLogger(c.Logger)), wal.WithMetaStore(rotated), wal.WithSegmentFiler(rotated))
	if err != nil {
		rotated.Close() // which otherwise the log does
		return fmt.Errorf("open the log in %s: %w", dir, err)
	}
	s.log = log
	s.closers = append(s.closers, log)
	return nil
}

// probe finds out whether the disk has room and takes a write, which lasts as long as that
// does. One that lasts too long answers for all that come meanwhile.
func (s *storage) probe() error {
	select {
	case s.probing <- struct{}{}:
		defer s.probing.give()
	default:
		return errProbing
	}
	const bytes = 1 << 20
	path := filepath.Join(s.dir, "probe")
	if err := s.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := s.disk.Reserve(path, bytes)
	s.disk.Remove(path)
	if err == nil {
		err = s.prepare()
	}
	return err
}

var errProbing = errors.New("the disk has not answered the last question")

// Close closes the files in the reverse order of opening.
func (s *storage) Close() error {
	s.probing.take()
	var first error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i].Close(); err != nil && first == nil {
			first = err
		}
	}
	s.closers = nil
	return first
}
