package cluster

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// snapshotFiles is a snapshot as raft's FileSnapshotStore keeps it: a directory with the
// state in state.bin, and in meta.json its size and CRC-64. It gets its name when both,
// and the checksum of meta.json in meta.sum, are on disk.
type snapshotFiles struct {
	dir         string
	term, index uint64
}

// checkStart makes sure that the newest snapshot and the log together hold all that the
// node ever had. Raft would start from an older snapshot, or from none, without asking
// whether the log goes on from there. It returns the last entry there is, 0 for none.
func checkStart(disk Disk, dir string, log raft.LogStore, logger *slog.Logger) (uint64, error) {
	first, err := log.FirstIndex()
	if err != nil {
		return 0, fmt.Errorf("read the log in %s: %w", dir, err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return 0, fmt.Errorf("read the log in %s: %w", dir, err)
	}
	snapshots, err := listSnapshots(disk, filepath.Join(dir, "snapshots"))
	if err != nil {
		return 0, err
	}
	var damaged, older []snapshotFiles
	var damage error // to the newest
	covered := uint64(0)
	for i, s := range snapshots { // the newest first
		err := s.check(disk)
		if err == nil {
			covered, older = s.index, snapshots[i+1:]
			break
		}
		if damage == nil {
			damage = err
		}
		damaged = append(damaged, s)
	}
	switch {
	case damage == nil && first > covered+1:
		return 0, errDamaged("%s: entries %d to %d are missing between the newest snapshot and the log", dir, covered+1, first-1)
	case damage == nil:
		return max(covered, last), dropDamaged(disk, older, logger)
	case first == 0 || first > covered+1 || last < damaged[0].index:
		return 0, damage
	}
	for _, s := range damaged {
		logger.Warn("drop a damaged snapshot: the log holds what is in it", "error", s.check(disk))
		if err := disk.RemoveAll(s.dir); err != nil {
			return 0, err
		}
	}
	return last, dropDamaged(disk, older, logger)
}

// dropDamaged removes those of the older snapshots that do not say what they are. Raft's store
// goes by what they say when it looks for the oldest to remove, so that one of them could pass
// for the newest.
func dropDamaged(disk Disk, older []snapshotFiles, logger *slog.Logger) error {
	for _, s := range older {
		if _, err := s.meta(disk); err != nil {
			logger.Warn("drop a damaged snapshot: there is a newer one", "error", err)
			if err := disk.RemoveAll(s.dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished is how the name of a snapshot ends that is being written.
const unfinished = ".tmp"

// dropUnfinished removes what a crash has left of snapshots that were being written: raft does
// not, and each is as large as the keyspace.
func dropUnfinished(disk Disk, dir string, logger *slog.Logger) error {
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, unfinished) {
			logger.Info("drop an unfinished snapshot", "name", name)
			if err := disk.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// listSnapshots lists the snapshots that were finished, the newest first. It goes by their names:
// what they say of themselves may be damaged.
func listSnapshots(disk Disk, dir string) ([]snapshotFiles, error) {
	names, err := disk.List(dir)
	if err != nil {
		return nil, err
	}
	var list []snapshotFiles
	for _, name := range names {
		var numbers [3]uint64 // term, index, and when it was taken
		parts := strings.Split(name, "-")
		if len(parts) != len(numbers) {
			continue
		}
		for i, part := range parts {
			if numbers[i], err = strconv.ParseUint(part, 10, 64); err != nil {
				break // unfinished
			}
		}
		if err == nil {
			list = append(list, snapshotFiles{filepath.Join(dir, name), numbers[0], numbers[1]})
		}
	}
	slices.SortFunc(list, func(a, b snapshotFiles) int {
		return cmp.Or(cmp.Compare(b.term, a.term), cmp.Compare(b.index, a.index), strings.Compare(b.dir, a.dir))
	})
	return list, nil
}

// meta is what the snapshot says of itself. An error is of damage to that.
func (s snapshotFiles) meta(disk Disk) (meta snapshotMeta, err error) {
	path := filepath.Join(s.dir, "meta.json")
	data, err := readFile(disk, path)
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	if err == nil && (meta.Term != s.term || meta.Index != s.index) {
		err = fmt.Errorf("it is of entry %d in term %d", meta.Index, meta.Term)
	}
	if err == nil {
		err = checkMeta(disk, s.dir, data)
	}
	if err != nil {
		err = errDamaged("%s is damaged (%v)", path, err)
	}
	return meta, err
}

// check reads the files through.
func (s snapshotFiles) check(disk Disk) error {
	meta, err := s.meta(disk)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, "state.bin")
	f, err := disk.Open(path, os.O_RDONLY)
	if err != nil {
		return errDamaged("%s is damaged (%v)", path, err)
	}
	defer f.Close()
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	size, err := io.Copy(sum, f)
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case size != meta.Size:
		return errDamaged("%s is cut off at offset %d of %d", path, size, meta.Size)
	case bytes.Equal(sum.Sum(nil), meta.CRC):
		return nil
	}
	where := "its checksum is wrong"
	if _, err := f.Seek(0, io.SeekStart); err == nil {
		if err := fsm.New().Restore(f); err != nil {
			where = err.Error()
		}
	}
	return errDamaged("%s is damaged (%s)", path, where)
}

// snapshotMeta is what raft's FileSnapshotStore writes to meta.json.
type snapshotMeta struct {
	raft.SnapshotMeta
	CRC []byte // CRC-64 of state.bin, ECMA polynomial
}

// metaSum is the file with the checksum of a snapshot's meta.json, in which raft keeps who
// the members are without one.
const metaSum = "meta.sum"

// writeMetaSum is called before raft gives a snapshot its name: none has a name and no checksum.
// What raft will write to meta.json is what it wrote when it began, with the state's size and
// checksum.
func writeMetaSum(disk Disk, dir string, size int64, crc []byte) error {
	data, err := readFile(disk, filepath.Join(dir, "meta.json"))
	if err != nil {
		return err
	}
	var meta snapshotMeta
	if err := json.Unmarshal(data, &meta); err != nil {
		return err
	}
	meta.Size, meta.CRC = size, crc
	var final bytes.Buffer
	if err := json.NewEncoder(&final).Encode(meta); err != nil {
		return err
	}
	return writeFileSync(disk, filepath.Join(dir, metaSum), fmt.Appendf(nil, "%08x", crc32.Checksum(final.Bytes(), castagnoli)))
}

func checkMeta(disk Disk, dir string, meta []byte) error {
	sum, err := readFile(disk, filepath.Join(dir, metaSum))
	if err == nil && string(sum) != fmt.Sprintf("%08x", crc32.Checksum(meta, castagnoli)) {
		err = errors.New("its checksum is wrong")
	}
	return err
}
