package fsm

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"io"
	"strconv"
)

// A snapshot file is an RDB file, as Redis writes and reads it:
//
//	"REDIS" version(4 digits) | { AUX name value } | { database } | EOF | CRC-64
//	database: SELECTDB n | RESIZEDB keys expires | { [EXPIRETIME_MS deadline] type key value }
//
// What only Holdfast needs travels in AUX fields, which others skip. The bytes are a
// function of the state alone: databases in order, keys in the order of their hashes.
const (
	rdbVersion           = 10 // of Redis 7.0
	rdbVersionFieldTimes = 12 // of Redis 7.4: the first whose hashes have deadlines of fields

	rdbSlotInfo     = 0xf4
	rdbFunction2    = 0xf5
	rdbFunction     = 0xf6
	rdbModuleAux    = 0xf7
	rdbIdle         = 0xf8
	rdbFreq         = 0xf9
	rdbAux          = 0xfa
	rdbResizeDB     = 0xfb
	rdbExpireMillis = 0xfc
	rdbExpire       = 0xfd
	rdbSelectDB     = 0xfe
	rdbEOF          = 0xff
)

// The names of Holdfast's AUX fields.
const (
	auxIndex   = "holdfast-index"
	auxClock   = "holdfast-clock"
	auxFormed  = "holdfast-cluster"
	auxOnce    = "holdfast-once"
	auxWatches = "holdfast-watches"
	auxScripts = "holdfast-scripts"
	auxUser    = "holdfast-user"     // one for each, as in ACL LIST
	auxSetting = "holdfast-setting:" // followed by the setting's name
)

// jones is the CRC-64 of Redis: Jones's polynomial, reflected, without the inversions
// at both ends that hash/crc64 makes.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

func updateCRC(crc uint64, p []byte) uint64 { return ^crc64.Update(^crc, jones, p) }

// WriteTo writes the snapshot as an RDB file that redis-server 7.0 loads, or 7.4 if a field
// of a hash has a deadline. Its bytes are a function of the state alone.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	return s.write(w, func(out *rdbWriter) {
		out.aux(auxIndex, strconv.FormatUint(s.index, 10))
		out.aux(auxClock, strconv.FormatInt(int64(s.clock), 10))
		out.aux(auxFormed, s.formed)
		for _, setting := range s.settings {
			out.aux(auxSetting+setting.name, setting.value)
		}
		out.aux(auxOnce, string(s.once.encode()))
		out.aux(auxWatches, string(s.watches))
		out.aux(auxScripts, string(s.scripts))
		for _, user := range s.users.All() {
			out.aux(auxUser, user.String())
		}
	})
}

// WriteKeys is WriteTo for others: the keys without what only Holdfast needs, such as the
// passwords of its users.
func (s *Snapshot) WriteKeys(w io.Writer) (int64, error) { return s.write(w, func(*rdbWriter) {}) }

// pieceBytes is how much is written at a time: half a millisecond's work, so that a writer
// that rests in between disturbs nobody.
const pieceBytes = 64 << 10

func (s *Snapshot) write(w io.Writer, fields func(*rdbWriter)) (int64, error) {
	buffered := bufio.NewWriterSize(w, pieceBytes)
	out := &rdbWriter{w: buffered}
	version, redis := rdbVersion, "7.0.15"
	if s.fieldTimes {
		version, redis = rdbVersionFieldTimes, "7.4.0"
	}
	out.buf = fmt.Appendf(nil, "REDIS%04d", version)
	out.aux("redis-ver", redis)
	out.aux("redis-bits", "64")
	out.aux("ctime", strconv.FormatInt(int64(s.clock/1000), 10))
	fields(out)
	for db, keys := range s.dbs {
		if keys.keys > 0 {
			out.database(db, keys)
		}
	}
	out.buf = append(out.buf, rdbEOF)
	out.flush()
	out.buf = binary.LittleEndian.AppendUint64(out.buf, out.crc)
	out.flush()
	if out.err == nil {
		out.err = buffered.Flush()
	}
	return out.n, out.err
}

// rdbWriter gathers what is written and passes it on in large pieces.
type rdbWriter struct {
	w   io.Writer
	buf []byte // not written yet
	crc uint64
	n   int64
	err error
}

// pause passes on what was gathered, if that is much. Values call it between elements.
func (w *rdbWriter) pause() {
	if len(w.buf) > 16<<10 {
		w.flush()
	}
}

func (w *rdbWriter) flush() {
	if w.err == nil {
		w.crc = updateCRC(w.crc, w.buf)
		_, w.err = w.w.Write(w.buf)
		w.n += int64(len(w.buf))
	}
	w.buf = w.buf[:0]
}

// length writes a number of elements or bytes.
func (w *rdbWriter) length(n int) { w.buf = appendRDBLength(w.buf, uint64(n)) }

// string writes a string behind its length.
func (w *rdbWriter) string(s []byte) { w.buf = appendRDBString(w.buf, s) }

func (w *rdbWriter) aux(name, value string) {
	w.buf = appendRDBString(appendRDBString(append(w.buf, rdbAux), name), value)
}

func (w *rdbWriter) database(db int, keys *keyspace) {
	w.buf = appendRDBLength(append(w.buf, rdbSelectDB), uint64(db))
	w.buf = appendRDBLength(append(w.buf, rdbResizeDB), uint64(keys.keys))
	w.buf = appendRDBLength(w.buf, uint64(keys.expires))
	keys.walk(0, func(_ uint64, o *object) bool {
		if o.deadline != 0 {
			w.buf = binary.LittleEndian.AppendUint64(append(w.buf, rdbExpireMillis), uint64(o.deadline))
		}
		w.buf = appendRDBString(append(w.buf, o.value.rdbType()), o.key)
		o.value.writeRDB(w)
		w.pause()
		return w.err == nil
	})
}

func appendRDBString[T string | []byte](buf []byte, s T) []byte {
	return append(appendRDBLength(buf, uint64(len(s))), s...)
}

// appendRDBLength writes a length in 1, 2, 5 or 9 bytes; the top two bits of the first
// tell which.
func appendRDBLength(buf []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(buf, byte(n))
	case n < 1<<14:
		return append(buf, 0x40|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(buf, 0x80), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(buf, 0x81), n)
}
