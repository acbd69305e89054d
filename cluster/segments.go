package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// checkedSegments are the files of a log in raft-wal's format, each of which is read
// through before it is used. On its own raft-wal takes the first frame that makes no
// sense for the end of the log, and looks at the checksum of the last batch only: a
// file that is damaged in the middle would pass for a shorter log, or for other entries.
//
//	segment: header, 32 bytes | batch ... | zeros
//	batch:   frame ... | commit frame
//	frame:   type u8 | 0 0 0 | length u32 | payload | zeros up to a multiple of 8
//
// A commit frame has no payload, and for its length the CRC-32C of everything since the
// last one; the first one's covers the header too. All is little-endian.
//
// Invariant: beyond the batches a segment is zero, for files begin as zeros and what a
// torn write leaves is cleared here. So the remains of a torn batch are the only thing
// that can follow the last good one, and they hold no good one themselves.
type checkedSegments struct {
	*segment.Filer
	disk Disk
	dir  string
	log  *slog.Logger
}

const (
	segmentHeader = 32
	frameAlign    = 8

	entryFrame  = 1
	indexFrame  = 2
	commitFrame = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens a segment that is full.
func (c checkedSegments) Open(info types.SegmentInfo) (types.SegmentReader, error) {
	path := c.path(info)
	data, err := readFile(c.disk, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errDamaged("%s is missing", path)
	}
	if err != nil {
		return nil, err
	}
	// It ends with its index, which its own batch follows.
	if end := intact(data); uint64(end) <= info.IndexStart {
		return nil, errDamaged("%s is damaged at offset %d", path, end)
	}
	return c.Filer.Open(info)
}

// RecoverTail opens the segment that the log goes on in, and clears what a write that
// was interrupted has left behind the last good batch.
func (c checkedSegments) RecoverTail(info types.SegmentInfo) (types.SegmentWriter, error) {
	path := c.path(info)
	data, err := readFile(c.disk, path)
	if err != nil {
		return nil, err // if it was not made yet, raft-wal makes it
	}
	if len(data) < int(info.SizeLimit) { // files appear under their names in full size
		return nil, errDamaged("%s is cut off at offset %d of %d", path, len(data), info.SizeLimit)
	}
	end := intact(data)
	rest := data[end:]
	last := len(rest)
	for last > 0 && rest[last-1] == 0 {
		last--
	}
	if last > 0 {
		if after := batchAfter(data, end, end+last); after > 0 {
			return nil, errDamaged("%s is damaged at offset %d, and goes on at offset %d", path, end, after)
		}
		c.log.Warn("cut off what an interrupted write has left of the log", "file", path, "offset", end, "bytes", last)
		if err := clearFile(c.disk, path, int64(end), last); err != nil {
			return nil, err
		}
	}
	return c.Filer.RecoverTail(info)
}

func (c checkedSegments) path(info types.SegmentInfo) string {
	return filepath.Join(c.dir, segment.FileName(info))
}

// errDamaged is for what raft must not be started on.
func errDamaged(format string, args ...any) error {
	return fmt.Errorf(format+": restore it from a copy, or empty the node's data directory and let the node join anew", args...)
}

// intact returns where the good batches at the beginning of a segment end, 0 if there
// is none.
func intact(data []byte) (end int) {
	from := segmentHeader
	for {
		commit := commitOf(data, from)
		if commit < 0 || !sealed(data, end, commit) {
			return end
		}
		end = commit + frameAlign
		from = end
	}
}

// commitOf returns the offset of the commit frame of the batch that begins with the
// frame at some offset, or -1 if the frames do not lead to one.
func commitOf(data []byte, at int) int {
	for start := at; at+frameAlign <= len(data); {
		frame := data[at : at+frameAlign]
		if frame[1]|frame[2]|frame[3] != 0 {
			return -1
		}
		switch frame[0] {
		case entryFrame, indexFrame:
			length := int(binary.LittleEndian.Uint32(frame[4:]))
			at += frameAlign + (length+frameAlign-1)/frameAlign*frameAlign
		case commitFrame:
			if at == start {
				return -1 // no batch is empty
			}
			return at
		default:
			return -1
		}
	}
	return -1
}

// sealed reports whether a commit frame has the checksum of what stands between some
// offset and itself.
func sealed(data []byte, from, commit int) bool {
	return binary.LittleEndian.Uint32(data[commit+4:]) == crc32.Checksum(data[from:commit], castagnoli)
}

// batchAfter tells damage from a torn write: it returns where, behind the bad batch
// that begins at bad, something was written later, 0 if nothing was. Only the last
// write can be torn.
func batchAfter(data []byte, bad, last int) int {
	from := max(bad, segmentHeader)
	if commit := commitOf(data, from); commit >= 0 { // the batch has an end
		if next := commit + frameAlign; next < last {
			return next
		}
		return 0
	}
	for at := from + frameAlign; at < last; at += frameAlign {
		if commit := commitOf(data, at); commit >= 0 && sealed(data, at, commit) {
			return at
		}
	}
	return 0
}

// clearFile overwrites a part of a file with zeros, durably.
func clearFile(disk Disk, path string, at int64, bytes int) error {
	f, err := disk.Open(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, bytes), at)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
