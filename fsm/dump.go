package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

var dumpCommands = []Command{
	{Name: "DUMP", Arity: 2, Flags: ReadOnly, Keys: firstKey, Group: "generic", Since: "2.6.0",
		Summary: "Returns the value at a key in a form that RESTORE takes.", Syntax: "key",
		Cost: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size",
		Run:  dumpCommand},
	{Name: "RESTORE", Arity: -4, Flags: Write | DenyOOM | Dangerous, Keys: firstKey, Group: "generic", Since: "2.6.0",
		Summary: "Creates a key from what DUMP has returned.", Syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
		Cost: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size",
		Run:  restoreCommand},
}

// What DUMP returns, here and in Redis:
//
//	type u8 | value | version of RDB u16 | CRC-64 of all before it u64
const dumpFooter = 2 + 8

var (
	errBusyKey = NewError("BUSYKEY", "Target key name already exists.")
	errPayload = NewError("ERR", "DUMP payload version or checksum are wrong")
	errData    = NewError("ERR", "Bad data format")
)

func dumpCommand(tx *Tx, args [][]byte) (Reply, error) {
	object := tx.lookup(args[1])
	if object == nil {
		return Nil, nil
	}
	v := object.value
	if h, ok := v.(*hash); ok && h.timed != nil && tx.passed(h.timed.next) {
		v = tx.liveHash(h)
	}
	return Bulk(dumpOf(v)), nil
}

// liveHash is a hash of the fields that have not expired.
func (tx *Tx) liveHash(h *hash) *hash {
	live := newHash()
	for f := range tx.liveFields(h) {
		live.set(f)
	}
	if live.timed != nil {
		live.retime()
	}
	return live
}

// dumpOf is a value as DUMP returns it, with the oldest version of RDB that has its type.
func dumpOf(v value) []byte {
	version := uint16(rdbVersion)
	if v.rdbType() == rdbHashMetadata {
		version = rdbVersionFieldTimes
	}
	var dump bytes.Buffer
	w := &rdbWriter{w: &dump, buf: []byte{v.rdbType()}}
	v.writeRDB(w)
	w.buf = binary.LittleEndian.AppendUint16(w.buf, version)
	w.flush()
	w.buf = binary.LittleEndian.AppendUint64(w.buf, w.crc)
	w.flush()
	return dump.Bytes()
}

// readDump reads what DUMP has returned.
func readDump(dump []byte) (value, error) {
	at := len(dump) - dumpFooter
	if at < 0 || binary.LittleEndian.Uint16(dump[at:]) > rdbMaxVersion ||
		binary.LittleEndian.Uint64(dump[at+2:]) != updateCRC(0, dump[:at+2]) {
		return nil, errPayload
	}
	in := &rdbReader{r: bytes.NewReader(dump[:at]), unpack: maxStringBytes}
	kind, err := in.byte()
	if err != nil {
		return nil, errData
	}
	v, err := in.value(kind)
	if err != nil || in.n != int64(at) {
		return nil, errData
	}
	return v, nil
}

// restoreOptions are what stands behind RESTORE's value. How long the key was not used, and
// how often it was, is read and not kept.
type restoreOptions struct{ replace, absolute bool }

func parseRestore(args [][]byte) (o restoreOptions, err error) {
	idle, freq := false, false
	for i := 4; i < len(args); i++ {
		more := i+1 < len(args)
		switch {
		case is(args[i], "REPLACE"):
			o.replace = true
		case is(args[i], "ABSTTL"):
			o.absolute = true
		case is(args[i], "IDLETIME") && more && !freq:
			i++
			if err := usage(args[i], "IDLETIME", math.MaxInt64, "must be >= 0"); err != nil {
				return o, err
			}
			idle = true
		case is(args[i], "FREQ") && more && !idle:
			i++
			if err := usage(args[i], "FREQ", 255, "must be >= 0 and <= 255"); err != nil {
				return o, err
			}
			freq = true
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func usage(arg []byte, name string, most int64, rule string) error {
	n, err := intArg(arg)
	if err == nil && (n < 0 || n > most) {
		err = NewError("ERR", fmt.Sprintf("Invalid %s value, %s", name, rule))
	}
	return err
}

func restoreCommand(tx *Tx, args [][]byte) (Reply, error) {
	o, err := parseRestore(args)
	if err != nil {
		return nil, err
	}
	there := tx.lookup(args[1]) != nil
	if there && !o.replace {
		return nil, errBusyKey
	}
	ttl, err := intArg(args[2])
	if err != nil {
		return nil, err
	}
	if ttl < 0 {
		return nil, NewError("ERR", "Invalid TTL value, must be >= 0")
	}
	v, err := readDump(args[3])
	if err != nil {
		return nil, err
	}
	deadline := Millis(ttl)
	if ttl != 0 && !o.absolute {
		deadline += tx.Now()
	}
	if ttl != 0 && deadline <= tx.Now() || !tx.reapRestored(v) {
		if there {
			tx.del(args[1])
			tx.changed(genericEvent, "del", args[1])
		}
		return OK, nil
	}
	tx.del(args[1])
	tx.put(args[1], v, deadline)
	tx.changed(genericEvent, "restore", args[1])
	return OK, nil
}

// reapRestored takes the fields out of a hash that have expired, and reports whether there
// is anything left of the value.
func (tx *Tx) reapRestored(v value) bool {
	h, ok := v.(*hash)
	if !ok || h.timed == nil {
		return true
	}
	h.reap(tx.Now(), math.MaxInt)
	if !h.retime() {
		h.timed = nil
	}
	return h.len() > 0
}
