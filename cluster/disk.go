package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/hashicorp/raft-wal/fs"
)

// Disk is where a node keeps its files. Errors are those of package os: a file that is
// not there is fs.ErrNotExist. It may be a simulated one, except for a log in a Bolt file,
// which is always on the system's.
type Disk interface {
	// Open is os.OpenFile. Files are for the node's user alone.
	Open(path string, flag int) (File, error)
	// Reserve makes a new file of zeros that is durable but for its name.
	Reserve(path string, size int64) error
	// List returns the names of what is in a directory.
	List(dir string) ([]string, error)
	Size(path string) (int64, error)
	MkdirAll(dir string) error
	Rename(from, to string) error
	Remove(path string) error
	RemoveAll(path string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error

	// Lock makes a directory this process's own until the lock is closed.
	Lock(dir string) (io.Closer, error)
	// Stable opens a file of keys and values, such as raft's term and vote. What is set in it
	// is durable.
	Stable(path string) (StableStore, error)
	// Snapshots opens raft's snapshots, in the directory "snapshots" below the one named.
	Snapshots(dir string, retain int, log hclog.Logger) (raft.SnapshotStore, error)
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Sync() error
	// Datasync makes the content durable, and of the rest only the size.
	Datasync() error
}

// StableStore is raft's, as a file. The error of a key that is not there is that of
// raft-boltdb.
type StableStore interface {
	raft.StableStore
	io.Closer
}

// systemDisk is the operating system's.
type systemDisk struct{}

type systemFile struct{ *os.File }

func (f systemFile) Datasync() error { return datasync(f.File) }

func (systemDisk) Open(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

func (systemDisk) Reserve(path string, size int64) error {
	f, err := fs.New().Create(filepath.Dir(path), filepath.Base(path), uint64(size))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (systemDisk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}

func (systemDisk) Size(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (systemDisk) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o700) }
func (systemDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (systemDisk) Remove(path string) error     { return os.Remove(path) }
func (systemDisk) RemoveAll(path string) error  { return os.RemoveAll(path) }

func (systemDisk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (systemDisk) Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another process: give every node a directory of its own (--dir)", dir)
	}
	return f, nil
}

func (systemDisk) Stable(path string) (StableStore, error) {
	if err := checkBolt(path); err != nil {
		return nil, err
	}
	s, err := raftboltdb.NewBoltStore(path)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (systemDisk) Snapshots(dir string, retain int, log hclog.Logger) (raft.SnapshotStore, error) {
	s, err := raft.NewFileSnapshotStoreWithLogger(dir, retain, log)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// readFile returns what is in a file.
func readFile(disk Disk, path string) ([]byte, error) {
	size, err := disk.Size(path)
	if err != nil {
		return nil, err
	}
	f, err := disk.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // it has been cut off meanwhile
	}
	return data[:n], err
}

// writeFileSync replaces a file so that after a crash either the old or the new content is
// there. One goroutine may do so at a time.
func writeFileSync(disk Disk, path string, data []byte) error {
	unfinished := path + ".tmp"
	f, err := disk.Open(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = disk.Rename(unfinished, path)
	}
	if err != nil {
		disk.Remove(unfinished)
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}
