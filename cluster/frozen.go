package cluster

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// frozen is a fsm.Snapshot seen as a raft.FSMSnapshot.
type frozen struct {
	*fsm.Snapshot
	disk Disk
	dir  string // where raft's snapshot store keeps its files
}

func (f *frozen) Persist(sink raft.SnapshotSink) error {
	err := f.write(sink)
	if err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (f *frozen) write(sink raft.SnapshotSink) error {
	file, err := f.disk.Open(filepath.Join(f.dir, sink.ID()+".tmp", "state.bin"), os.O_WRONLY)
	if err != nil {
		return fmt.Errorf("the snapshot that raft has begun: %w", err)
	}
	defer file.Close()
	_, err = f.WriteTo(&steadyWriter{to: sink, file: file})
	return err
}

// steadyBytes is how much of a snapshot is written between two visits to the disk.
const steadyBytes = 2 << 20

// steadyWriter has a file's data go to the disk while the rest is still being written.
// Otherwise the kernel gathers it and writes all of it at the end, and the fsyncs of the
// log, which clients wait for, queue behind hundreds of megabytes.
type steadyWriter struct {
	to      io.Writer
	file    File // what to writes to
	written int
}

func (w *steadyWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if w.written += n; err == nil && w.written >= steadyBytes {
		w.written = 0
		err = w.file.Datasync()
	}
	return n, err
}
