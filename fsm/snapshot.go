package fsm

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Snapshot is the state after some entry. Nobody changes it any more: see keyspace.
type Snapshot struct {
	dbs      [Databases]*keyspace
	index    uint64
	clock    Millis
	formed   string
	settings settings
	once     *once
	watches  []byte // encoded
	users    *Users
	scripts  []byte // encoded

	fieldTimes bool // some hash has fields with deadlines
}

// Index is the index of the last entry in the snapshot.
func (s *Snapshot) Index() uint64 { return s.index }

// Release ends the use of the snapshot.
func (s *Snapshot) Release() { s.dbs, s.once = [Databases]*keyspace{}, nil }

// Digest is 40 hexadecimal digits that depend on every key, value and deadline, and
// zeros for an empty keyspace.
func (s *Snapshot) Digest() string {
	hash := sha1.New()
	out := &rdbWriter{w: hash}
	for db, keys := range s.dbs {
		keys.walk(0, func(_ uint64, o *object) bool {
			out.buf = append(out.buf, byte(db), o.value.rdbType())
			out.buf = binary.BigEndian.AppendUint64(out.buf, uint64(o.deadline))
			out.buf = appendRDBString(out.buf, o.key)
			o.value.writeRDB(out)
			out.pause()
			return true
		})
	}
	if out.flush(); out.n == 0 {
		return strings.Repeat("0", 2*sha1.Size)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
