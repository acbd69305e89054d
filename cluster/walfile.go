package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/hashicorp/raft-wal/types"
)

// walFiles makes the segments of raft-wal out of files that were filled with zeros
// beforehand. Writing into blocks that exist changes nothing but the data, so that an
// fsync writes no metadata: it took half as long as in a file that was merely
// reserved. The next file is filled in the background while the present one is used.
//
// The disk's blocks are reserved for it when the last one was taken: raft-wal never writes
// again once it had no place for its next segment, so that a full disk has to be noticed
// a segment earlier (diskHealth).
//
// Invariant: whatever has the name of a segment has, or had, the full size, durably.
type walFiles struct {
	disk  Disk
	spare string      // where the next file is prepared
	size  int64       // of a segment
	told  func(error) // whether there is room for the next file

	mu      sync.Mutex
	filled  int64 // size of the file at spare, 0 without one
	filling bool  // the next file has its blocks, and is filled with zeros
	closed  bool
	work    sync.WaitGroup

	preparing sync.Mutex
}

func newWALFiles(disk Disk, spare string, size int64, told func(error)) *walFiles {
	w := &walFiles{disk: disk, spare: spare, size: size, told: told}
	if size, err := disk.Size(spare); err == nil {
		w.filled = size
	}
	return w
}

// Create returns a new file of size bytes, all zero.
func (w *walFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	path := filepath.Join(dir, name)
	f, err := w.create(path, int64(size))
	if err == nil && f == nil { // the first segment, or the log fills faster than zeros are written
		if f, err = w.reserve(path, int64(size)); err != nil {
			w.finish() // there is no room for two
			f, err = w.create(path, int64(size))
		}
	}
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("create %s: %w", path, syscall.ENOSPC)
	}
	w.told(w.prepare())
	return f, nil
}

// finish waits until no file is being filled.
func (w *walFiles) finish() {
	w.preparing.Lock()
	defer w.preparing.Unlock()
	w.work.Wait()
}

// create uses the spare file; nil when there is none.
func (w *walFiles) create(path string, size int64) (*walFile, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.filled != size || size == 0 {
		return nil, nil
	}
	w.filled = 0
	return w.name(w.spare, path)
}

// reserve makes a file of size bytes that the file system has merely set aside.
func (w *walFiles) reserve(path string, size int64) (*walFile, error) {
	reserved := w.spare + ".reserved"
	if err := w.disk.Remove(reserved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := w.disk.Reserve(reserved, size); err != nil {
		return nil, err
	}
	return w.name(reserved, path)
}

// name gives a file the name of a segment. The name has to be durable before the first
// byte is written: after a crash nothing must pass for a file of zeros that is not.
func (w *walFiles) name(from, path string) (*walFile, error) {
	if _, err := w.disk.Size(path); err == nil {
		return nil, fmt.Errorf("create %s: %w", path, os.ErrExist)
	}
	if err := w.disk.Rename(from, path); err != nil {
		return nil, err
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(from)} {
		if err := w.disk.SyncDir(dir); err != nil {
			return nil, err
		}
	}
	return w.open(path, os.O_RDWR)
}

func (w *walFiles) open(path string, flag int) (*walFile, error) {
	f, err := w.disk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &walFile{f}, nil
}

// OpenWriter opens a segment that the log goes on in.
func (w *walFiles) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := w.open(filepath.Join(dir, name), os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// OpenReader opens a segment that is full.
func (w *walFiles) OpenReader(dir, name string) (types.ReadableFile, error) {
	return w.disk.Open(filepath.Join(dir, name), os.O_RDONLY)
}

func (w *walFiles) ListDir(dir string) ([]string, error) { return w.disk.List(dir) }

// Delete removes a segment, durably.
func (w *walFiles) Delete(dir, name string) error {
	if err := w.disk.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return w.disk.SyncDir(dir)
}

// prepare makes sure that there is a next file, or will be: its blocks are reserved at
// once, and filled in the background. It fails when the disk is full.
func (w *walFiles) prepare() error {
	w.preparing.Lock()
	defer w.preparing.Unlock()
	w.mu.Lock()
	enough := w.filled == w.size || w.filling || w.closed
	w.mu.Unlock()
	if enough {
		return nil
	}
	unfinished := w.spare + ".tmp"
	if err := w.disk.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.disk.Reserve(unfinished, w.size); err != nil {
		w.disk.Remove(unfinished)
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.filling = true
	w.work.Go(func() { w.fill(unfinished) })
	return nil
}

// fill makes the spare file out of one whose blocks are reserved. Without it the log does
// as well, only slower, so that a failure is not reported here.
func (w *walFiles) fill(unfinished string) {
	err := w.zero(unfinished)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.filling = false
	if err == nil {
		err = w.disk.Rename(unfinished, w.spare)
	}
	if err == nil {
		w.filled = w.size
	} else {
		w.disk.Remove(unfinished)
	}
}

func (w *walFiles) zero(path string) error {
	f, err := w.disk.Open(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	zeros := make([]byte, 256<<10)
	for at := int64(0); at < w.size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), w.size-at)], at)
		// Little by little: the log's own fsyncs must not queue behind all of it.
		if at%(1<<20) == 0 {
			f.Datasync()
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (w *walFiles) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.finish()
	return nil
}

// walFile is a segment.
type walFile struct{ File }

func (f *walFile) Sync() error { return f.Datasync() }
