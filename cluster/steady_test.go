package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// watchedDisk knows how often content was made durable.
type watchedDisk struct {
	systemDisk
	visits *int
}

type watchedFile struct {
	File
	visits *int
}

func (d watchedDisk) Open(path string, flag int) (File, error) {
	f, err := d.systemDisk.Open(path, flag)
	if filepath.Base(path) != "state.bin" {
		return f, err
	}
	return watchedFile{f, d.visits}, err
}

func (f watchedFile) Datasync() error {
	*f.visits++
	return f.File.Datasync()
}

// A snapshot that raft receives goes to the disk bit by bit, and is whole in the end.
func TestSnapshotsAreWrittenSteadily(t *testing.T) {
	t.Parallel()
	config, visits := DefaultConfig(), 0
	config.Dir, config.Disk = t.TempDir(), watchedDisk{visits: &visits}
	s, err := openStorage(&config, "", true, &diskHealth{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sink, err := s.snapshots.Create(raft.SnapshotVersionMax, 7, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("snapshot"), 10*steadyBytes/8)
	if _, err := io.Copy(sink, struct{ io.Reader }{bytes.NewReader(sent)}); err != nil {
		t.Fatal(err)
	}
	if visits != 10 {
		t.Errorf("%d bytes went to the disk in %d parts before the end, want 10", len(sent), visits)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	_, r, err := s.snapshots.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
	}

	if sink, err = s.snapshots.Create(raft.SnapshotVersionMax, 8, 1, raft.Configuration{}, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := sink.Cancel(); err != nil {
		t.Fatal(err)
	}
	if list, err := s.snapshots.List(); err != nil || len(list) != 1 {
		t.Errorf("a snapshot that was given up is there: %v, %v", list, err)
	}
}

// What a full disk, or a crash, leaves of a snapshot does not stay on the disk.
func TestUnfinishedSnapshotsAreRemoved(t *testing.T) {
	config := DefaultConfig()
	config.Dir, config.Logger = t.TempDir(), slog.New(slog.DiscardHandler)
	begin := func(s *storage, store raft.SnapshotStore) raft.SnapshotSink {
		sink, err := steadySnapshots{store, config.Disk, filepath.Join(s.dir, "snapshots"), &s.damaged, &s.cramped}.Create(raft.SnapshotVersionMax, 7, 1, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("state")); err != nil {
			t.Fatal(err)
		}
		return sink
	}
	open := func(new bool) (*storage, raft.SnapshotStore) {
		s, err := openStorage(&config, "", new, &diskHealth{})
		if err != nil {
			t.Fatal(err)
		}
		return s, s.snapshots.(steadySnapshots).SnapshotStore
	}
	wantNone := func(when string) {
		if left, _ := filepath.Glob(filepath.Join(config.Dir, raftDir, "snapshots", "*")); len(left) > 0 {
			t.Errorf("%s: %v", when, left)
		}
	}
	full := func(s raft.SnapshotSink) raft.SnapshotSink { return fullSink{s} }
	s, store := open(true)
	if err := begin(s, endingStore{store, full}).Cancel(); !errors.Is(err, errCrashed) {
		t.Error(err)
	}
	wantNone("given up")
	if err := begin(s, endingStore{store, full}).Close(); !errors.Is(err, errCrashed) {
		t.Error(err)
	}
	wantNone("not written to its end")
	begin(s, store)
	s.Close()
	s, _ = open(false)
	s.Close()
	wantNone("after a restart")
}

// endingStore is a store whose snapshots end in another way.
type endingStore struct {
	raft.SnapshotStore
	ends func(raft.SnapshotSink) raft.SnapshotSink
}

func (s endingStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, configuration, configurationIndex, trans)
	if err != nil {
		return nil, err
	}
	return s.ends(sink), nil
}

// fullSink fails when the snapshot ends, and leaves it there.
type fullSink struct{ raft.SnapshotSink }

func (fullSink) Close() error  { return errCrashed }
func (fullSink) Cancel() error { return errCrashed }

// crashingSink has the process end as soon as the snapshot has its name.
type crashingSink struct{ raft.SnapshotSink }

func (s crashingSink) Close() error { return errors.Join(s.SnapshotSink.Close(), errCrashed) }

// A snapshot that a crash has left is there with the checksum of who the members are, or not
// at all.
func TestSnapshotAfterCrash(t *testing.T) {
	disk, dir := systemDisk{}, t.TempDir()
	store, err := disk.Snapshots(dir, 2, raftLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	members := raft.Configuration{Servers: []raft.Server{{ID: "n<1>", Address: "h:1"}, {ID: "n2", Address: "h:2", Suffrage: raft.Nonvoter}}}
	_, trans := raft.NewInmemTransport("")
	crashing := func(s raft.SnapshotSink) raft.SnapshotSink { return crashingSink{s} }
	s := steadySnapshots{endingStore{store, crashing}, disk, filepath.Join(dir, "snapshots"), new(atomic.Bool), new(atomic.Bool)}
	sink, err := s.Create(raft.SnapshotVersionMax, 7, 1, members, 1, trans)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write([]byte("state")); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	list, err := listSnapshots(disk, s.dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d snapshots, %v", len(list), err)
	}
	if err := list[0].check(disk); err != nil {
		t.Error(err)
	}
}

// fullDisk has no room for new files while it is full; the store for term and vote keeps its own.
type fullDisk struct {
	Disk
	full atomic.Bool
}

func (d *fullDisk) Open(path string, flag int) (File, error) {
	if d.full.Load() && strings.HasSuffix(path, "state.bin") && flag == os.O_WRONLY {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
	}
	return d.Disk.Open(path, flag)
}

func (d *fullDisk) Reserve(path string, size int64) error {
	if d.full.Load() {
		return &os.PathError{Op: "reserve", Path: path, Err: syscall.ENOSPC}
	}
	return d.Disk.Reserve(path, size)
}

// A follower that only a snapshot brings back, and that has no room for it, says so; its log,
// to which nothing is written, could not. It goes on when there is room.
func TestNoRoomForSnapshot(t *testing.T) {
	t.Parallel()
	disk := &fullDisk{Disk: systemDisk{}}
	c := newCluster(t, 3, func(config *Config) { config.TrailingLogs, config.LogStore, config.Disk = 5, "bolt", disk })
	c.lead(0)
	const lead, behind = 0, 1
	c.stop(behind)
	for k := range 200 {
		c.write(lead, fmt.Sprintf("SET k%d value", k))
	}
	if err := c.nodes[lead].Save(context.Background()); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	c.start(behind)
	c.eventually(func() error {
		if err := c.nodes[behind].Status().DiskErr; err == nil || !strings.Contains(err.Error(), "full") {
			return fmt.Errorf("its disk: %v", err)
		}
		return nil
	})
	disk.full.Store(false)
	c.eventually(c.nodes[behind].Ready)
	c.same()
	if err := c.nodes[behind].Status().DiskErr; err != nil {
		t.Error(err)
	}
}
