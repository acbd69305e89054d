package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft-wal/types"
)

// walFiles makes the segments of raft-wal out of files that were filled with zeros
// beforehand. Writing into blocks that exist changes nothing but the data, so that an
// fsync writes no metadata: it took half as long as in a file that was merely
// reserved. The next file is filled in the background while the present one is used.
//
// Invariant: whatever has the name of a segment has, or had, the full size, durably.
type walFiles struct {
	disk  Disk
	spare string // where the next file is prepared

	mu     sync.Mutex
	filled int64 // size of the file at spare, 0 without one
	work   sync.WaitGroup

	filling sync.Mutex // of one file at a time: see fill
}

func newWALFiles(disk Disk, spare string) *walFiles {
	w := &walFiles{disk: disk, spare: spare}
	if size, err := disk.Size(spare); err == nil {
		w.filled = size
	}
	return w
}

// Create returns a new file of size bytes, all zero.
func (w *walFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := w.create(filepath.Join(dir, name), int64(size))
	if err != nil {
		return nil, err
	}
	if f == nil { // the first segment, or the log fills faster than zeros are written
		if f, err = w.reserve(filepath.Join(dir, name), int64(size)); err != nil {
			return nil, err
		}
	}
	w.work.Add(1)
	go func() {
		defer w.work.Done()
		w.fill(int64(size))
	}()
	return f, nil
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

// fill prepares the spare file. Without it the log does as well, only slower, so that
// a failure (a full disk) is not reported here.
func (w *walFiles) fill(size int64) {
	// Of two who fill one file, the slower would go on when it has become a segment, and
	// overwrite what the log has written.
	if !w.filling.TryLock() {
		return
	}
	defer w.filling.Unlock()
	w.mu.Lock()
	have := w.filled
	w.mu.Unlock()
	if have == size {
		return
	}
	unfinished := w.spare + ".tmp"
	defer w.disk.Remove(unfinished) // fails once it has been renamed
	f, err := w.disk.Open(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return
	}
	zeros := make([]byte, 256<<10)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err = f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			break
		}
		// Little by little: the log's own fsyncs must not queue behind all of it.
		if at%(1<<20) == 0 {
			f.Datasync()
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err != nil || closeErr != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.disk.Rename(unfinished, w.spare) == nil {
		w.filled = size
	}
}

// Close waits until no file is being filled.
func (w *walFiles) Close() error {
	w.work.Wait()
	return nil
}

// walFile is a segment.
type walFile struct{ File }

func (f *walFile) Sync() error { return f.Datasync() }
