package cluster

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// steadySnapshots has a snapshot's data go to the disk while the rest is still being
// written, be it the node's own or one that the leader sends. Otherwise the kernel gathers
// it and writes all of it at the end, and the fsyncs of logs on that disk, which clients
// wait for, queue behind hundreds of megabytes.
type steadySnapshots struct {
	raft.SnapshotStore
	disk    Disk
	dir     string       // where the store keeps its files
	damaged *atomic.Bool // set when a snapshot could not be read: another one is needed
	cramped *atomic.Bool // set when there was no room for one: see compareDisks
}

// List is the newest snapshot alone. Raft takes an older one where the newest cannot be read,
// but the log need not go on from there: it is the newest that checkStart has compared it with.
// Raft's own store would order them by what they say of themselves, damaged or not.
func (s steadySnapshots) List() ([]*raft.SnapshotMeta, error) {
	all, err := listSnapshots(s.disk, s.dir)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	meta, err := all[0].meta(s.disk)
	if err != nil {
		s.damaged.Store(true)
		return nil, err
	}
	return []*raft.SnapshotMeta{&meta.SnapshotMeta}, nil
}

// Open is of a snapshot that List has checked or that was just taken; the state is compared with
// its checksum.
func (s steadySnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, state, err := s.SnapshotStore.Open(id)
	if err != nil {
		s.damaged.Store(true)
	}
	return meta, state, err
}

func (s steadySnapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, configuration, configurationIndex, trans)
	if s.noteRoom(err); err != nil {
		return nil, err
	}
	file, err := s.disk.Open(filepath.Join(s.dir, sink.ID()+unfinished, "state.bin"), os.O_WRONLY)
	if s.noteRoom(err); err != nil {
		return nil, errors.Join(fmt.Errorf("the snapshot that raft has begun: %w", err), sink.Cancel())
	}
	return &steadySink{
		SnapshotSink: sink, file: file, store: s, dir: filepath.Join(s.dir, sink.ID()+unfinished),
		sum: crc64.New(crc64.MakeTable(crc64.ECMA)),
	}, nil
}

// noteRoom takes note of an error that tells of no room.
func (s steadySnapshots) noteRoom(err error) {
	if noRoom(err) {
		s.cramped.Store(true)
	}
}

// steadyBytes is how much of a snapshot is written between two visits to the disk.
const steadyBytes = 2 << 20

type steadySink struct {
	raft.SnapshotSink
	file    File // what the sink writes to; the sink itself syncs the last of it
	written int  // since the last visit
	store   steadySnapshots
	dir     string // where the snapshot is until it is whole
	size    int64
	sum     hash.Hash64 // of all that was written, as raft's own
	closed  bool
}

func (s *steadySink) Write(p []byte) (int, error) {
	n, err := s.SnapshotSink.Write(p)
	s.size += int64(n)
	s.sum.Write(p[:n])
	if s.written += n; err == nil && s.written >= steadyBytes {
		s.written = 0
		err = s.file.Datasync()
	}
	s.store.noteRoom(err)
	return n, err
}

// Close is called by who writes the state, and again by raft.
func (s *steadySink) Close() (err error) {
	if s.closed {
		return nil
	}
	defer func() { s.store.noteRoom(err) }()
	s.closed = true
	s.file.Close()
	if err := writeMetaSum(s.store.disk, s.dir, s.size, s.sum.Sum(nil)); err != nil {
		return errors.Join(fmt.Errorf("the snapshot's checksum: %w", err), s.Cancel())
	}
	if err := s.SnapshotSink.Close(); err != nil {
		return errors.Join(err, s.store.disk.RemoveAll(s.dir))
	}
	return nil
}

// Cancel removes what was written, which raft's own leaves there when the disk is full.
func (s *steadySink) Cancel() error {
	s.file.Close()
	return errors.Join(s.SnapshotSink.Cancel(), s.store.disk.RemoveAll(s.dir))
}
