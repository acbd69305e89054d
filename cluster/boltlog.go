package cluster

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// boltLog is raft's log in a Bolt file, with a checksum to each entry: of what a page
// holds Bolt itself would notice no change. The checksum takes the place of the entry's
// Extensions, which nobody else uses.
type boltLog struct{ *raftboltdb.BoltStore }

// openBoltLog reads the whole log once, since the state must not be made of anything
// that is damaged.
func openBoltLog(path string) (boltLog, error) {
	var log boltLog
	err := careful(path, func() (err error) {
		if err := checkBolt(path); err != nil {
			return err
		}
		if log.BoltStore, err = raftboltdb.NewBoltStore(path); err != nil {
			return err
		}
		first, err := log.FirstIndex()
		if err != nil {
			return err
		}
		last, err := log.LastIndex()
		if err != nil || last == 0 {
			return err
		}
		var entry raft.Log
		for i := first; i <= last; i++ {
			if err := log.GetLog(i, &entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && log.BoltStore != nil {
		log.Close()
	}
	return log, err
}

// IsMonotonic has raft clear the log when it installs a snapshot that reaches beyond it, so
// that there are no gaps (raft.MonotonicLogStore).
func (b boltLog) IsMonotonic() bool { return true }

func (b boltLog) StoreLog(entry *raft.Log) error { return b.StoreLogs([]*raft.Log{entry}) }

func (b boltLog) StoreLogs(entries []*raft.Log) error {
	summed := make([]*raft.Log, len(entries))
	for i, entry := range entries {
		sum := *entry // raft sends its own to the followers
		sum.Extensions = checksum(entry)
		summed[i] = &sum
	}
	return b.BoltStore.StoreLogs(summed)
}

func (b boltLog) GetLog(index uint64, entry *raft.Log) error {
	if err := b.BoltStore.GetLog(index, entry); err != nil {
		return err
	}
	if string(entry.Extensions) != string(checksum(entry)) || entry.Index != index {
		return fmt.Errorf("the checksum of entry %d is wrong", index)
	}
	entry.Extensions = nil
	return nil
}

func checksum(entry *raft.Log) []byte {
	head := binary.BigEndian.AppendUint64(nil, entry.Index)
	head = binary.BigEndian.AppendUint64(head, entry.Term)
	head = append(head, byte(entry.Type))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, entry.Data)
	return binary.BigEndian.AppendUint32(nil, sum)
}
