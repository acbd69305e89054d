package fsm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// state is what a file holds of a machine.
type state struct {
	dbs      [Databases]*database
	index    uint64
	clock    Millis
	formed   string
	settings settings
	once     *once
	watches  *watches
	users    *Users
	scripts  *scripts
}

// Restore replaces the state with what WriteTo, or Redis, wrote. Keys whose deadline
// has passed come along: reaping them is for the log. On an error the machine is as it
// was; the error names the offset.
func (m *Machine) Restore(r io.Reader) error {
	in := &rdbReader{r: bufio.NewReaderSize(r, 256<<10)}
	s, err := in.file()
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file ends too early")
		}
		return fmt.Errorf("RDB file, offset %d: %w", in.n, err)
	}
	m.become(s)
	return nil
}

type rdbReader struct {
	r   *bufio.Reader
	crc uint64
	n   int64
	tmp [16]byte
}

const rdbMaxVersion = 12

func (r *rdbReader) file() (*state, error) {
	magic, err := r.fixed(9)
	if err != nil {
		return nil, err
	}
	version, err := strconv.Atoi(string(magic[5:]))
	if string(magic[:5]) != "REDIS" || err != nil {
		return nil, fmt.Errorf("it begins with %q: not an RDB file", magic)
	}
	if version < 1 || version > rdbMaxVersion {
		return nil, fmt.Errorf("version %d: this program reads 1 to %d", version, rdbMaxVersion)
	}
	s := &state{once: &once{}, watches: newWatches(), users: &Users{}, scripts: newScripts()}
	for i := range s.dbs {
		s.dbs[i] = newDatabase()
	}
	db, deadline := s.dbs[0], Millis(0)
	for {
		op, err := r.byte()
		if err != nil {
			return nil, err
		}
		switch op {
		case rdbEOF:
			return s, r.checksum(version)
		case rdbSelectDB:
			n, err := r.length()
			if err != nil {
				return nil, err
			}
			if n >= Databases {
				return nil, fmt.Errorf("database %d: there are %d", n, Databases)
			}
			db = s.dbs[n]
		case rdbResizeDB:
			if err := r.lengths(2); err != nil {
				return nil, err
			}
		case rdbSlotInfo:
			if err := r.lengths(3); err != nil {
				return nil, err
			}
		case rdbIdle:
			if err := r.lengths(1); err != nil {
				return nil, err
			}
		case rdbFreq:
			if _, err := r.byte(); err != nil {
				return nil, err
			}
		case rdbFunction2:
			if _, err := r.string(); err != nil {
				return nil, err
			}
		case rdbAux:
			if err := r.aux(s); err != nil {
				return nil, err
			}
		case rdbExpireMillis:
			b, err := r.fixed(8)
			if err != nil {
				return nil, err
			}
			deadline = max(1, Millis(binary.LittleEndian.Uint64(b))) // 0 would be never
		case rdbExpire:
			b, err := r.fixed(4)
			if err != nil {
				return nil, err
			}
			deadline = max(1, Millis(binary.LittleEndian.Uint32(b))*1000)
		case rdbModuleAux:
			return nil, errors.New("it holds data of a Redis module, which cannot be read here")
		default:
			if err := r.key(db, op, deadline); err != nil {
				return nil, err
			}
			deadline = 0
		}
	}
}

// key reads one key with its value into a database.
func (r *rdbReader) key(db *database, kind byte, deadline Millis) error {
	key, err := r.string()
	if err != nil {
		return err
	}
	v, err := r.value(kind)
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	hash := hashOf(key)
	if db.keys.get(hash, key) != nil {
		return fmt.Errorf("key %q is there twice", key)
	}
	db.put(hash, &object{key: string(key), value: v, deadline: deadline}, 0)
	return nil
}

// The types of values in an RDB file. Redis writes a type anew whenever it invents a
// more compact form, and reads all the older ones.
const (
	rdbString         = 0
	rdbList           = 1
	rdbSet            = 2
	rdbZset           = 3 // scores as text
	rdbHash           = 4
	rdbZset2          = 5 // scores as doubles
	rdbHashZipmap     = 9
	rdbListZiplist    = 10
	rdbSetIntset      = 11
	rdbZsetZiplist    = 12
	rdbHashZiplist    = 13
	rdbListQuicklist  = 14 // of ziplists
	rdbHashListpack   = 16
	rdbZsetListpack   = 17
	rdbListQuicklist2 = 18 // of listpacks
	rdbSetListpack    = 20
	rdbHashMetadata   = 24 // with deadlines of fields
	rdbHashListpackEx = 25 // the same
)

// rdbLoaders read the values of a type.
var rdbLoaders = map[byte]func(r *rdbReader) (value, error){
	rdbString:       loadString,
	rdbList:         loadList,
	rdbHash:         loadHash,
	rdbHashMetadata: loadHashMetadata,
	rdbSet:          loadSet,
	rdbZset:         loadZset,
	rdbZset2:        loadZset2,
}

// rdbForeign are types that Redis writes and Holdfast does not read.
var rdbForeign = map[byte]string{6: "module value", 7: "module value", 15: "stream", 19: "stream", 21: "stream"}

func (r *rdbReader) value(kind byte) (value, error) {
	if load := rdbLoaders[kind]; load != nil {
		return load(r)
	}
	if name, known := rdbForeign[kind]; known {
		return nil, fmt.Errorf("it is a %s (type %d), which cannot be read here", name, kind)
	}
	return nil, fmt.Errorf("unknown type %d", kind)
}

func (r *rdbReader) aux(s *state) error {
	name, err := r.string()
	if err != nil {
		return err
	}
	data, err := r.string()
	if err != nil {
		return err
	}
	switch name := string(name); {
	case name == auxIndex:
		s.index, err = strconv.ParseUint(string(data), 10, 64)
	case name == auxClock:
		var clock int64
		clock, err = strconv.ParseInt(string(data), 10, 64)
		if clock < 0 {
			return fmt.Errorf("field %s: the clock %d", name, clock)
		}
		s.clock = Millis(clock)
	case name == auxFormed:
		s.formed = string(data)
	case name == auxOnce:
		s.once, err = decodeOnce(data)
	case name == auxUser:
		var user *User
		if user, err = ParseUser(string(data)); err == nil {
			s.users = s.users.with(user)
		}
	case name == auxScripts:
		s.scripts, err = decodeScripts(data)
	case name == auxWatches:
		s.watches, err = decodeWatches(data)
	case strings.HasPrefix(name, auxSetting):
		s.settings.set(name[len(auxSetting):], string(data))
	}
	if err != nil {
		return fmt.Errorf("field %s: %w", name, err)
	}
	return nil
}

func (r *rdbReader) checksum(version int) error {
	want := r.crc
	if version < 5 {
		return nil
	}
	b, err := r.fixed(8)
	if err != nil {
		return err
	}
	if got := binary.LittleEndian.Uint64(b); got != 0 && got != want { // 0: it was switched off
		return fmt.Errorf("checksum %016x, but the content has %016x: the file is damaged", got, want)
	}
	return nil
}

// fixed reads up to 16 bytes, valid until the next read.
func (r *rdbReader) fixed(n int) ([]byte, error) {
	b := r.tmp[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, err
	}
	r.crc = updateCRC(r.crc, b)
	r.n += int64(n)
	return b, nil
}

func (r *rdbReader) byte() (byte, error) {
	b, err := r.fixed(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// read reads n bytes without trusting n: memory grows with what is really there.
func (r *rdbReader) read(n uint64) ([]byte, error) {
	const chunk = 1 << 20
	if n > 1<<32 {
		return nil, fmt.Errorf("string of %d bytes", n)
	}
	b := make([]byte, 0, min(n, chunk))
	for uint64(len(b)) < n {
		part := int(min(n-uint64(len(b)), chunk))
		b = slices.Grow(b, part)
		got, err := io.ReadFull(r.r, b[len(b):len(b)+part])
		if err != nil {
			return nil, err
		}
		b = b[:len(b)+got]
	}
	r.crc = updateCRC(r.crc, b)
	r.n += int64(n)
	return b, nil
}

// lengthOrEncoding reads a length, or the number of a special encoding.
func (r *rdbReader) lengthOrEncoding() (n uint64, encoded bool, err error) {
	first, err := r.byte()
	if err != nil {
		return 0, false, err
	}
	switch first >> 6 {
	case 0:
		return uint64(first & 0x3f), false, nil
	case 1:
		next, err := r.byte()
		return uint64(first&0x3f)<<8 | uint64(next), false, err
	case 3:
		return uint64(first & 0x3f), true, nil
	}
	switch first {
	case 0x80:
		b, err := r.fixed(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case 0x81:
		b, err := r.fixed(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(b), false, nil
	}
	return 0, false, fmt.Errorf("length that begins with %#x", first)
}

func (r *rdbReader) length() (uint64, error) {
	n, encoded, err := r.lengthOrEncoding()
	if err == nil && encoded {
		err = fmt.Errorf("encoding %d where a length belongs", n)
	}
	return n, err
}

func (r *rdbReader) lengths(n int) error {
	for range n {
		if _, err := r.length(); err != nil {
			return err
		}
	}
	return nil
}

// string reads a string, written plainly, as an integer, or compressed.
func (r *rdbReader) string() ([]byte, error) {
	n, encoded, err := r.lengthOrEncoding()
	if err != nil {
		return nil, err
	}
	if !encoded {
		return r.read(n)
	}
	switch n {
	case 0, 1, 2: // an integer of 1, 2 or 4 bytes
		b, err := r.fixed(1 << n)
		if err != nil {
			return nil, err
		}
		var v int64
		switch n {
		case 0:
			v = int64(int8(b[0]))
		case 1:
			v = int64(int16(binary.LittleEndian.Uint16(b)))
		case 2:
			v = int64(int32(binary.LittleEndian.Uint32(b)))
		}
		return strconv.AppendInt(nil, v, 10), nil
	case 3:
		return r.compressed()
	}
	return nil, fmt.Errorf("string of unknown encoding %d", n)
}

func (r *rdbReader) compressed() ([]byte, error) {
	packed, err := r.length()
	if err != nil {
		return nil, err
	}
	size, err := r.length()
	if err != nil {
		return nil, err
	}
	data, err := r.read(packed)
	if err != nil {
		return nil, err
	}
	return lzfDecompress(data, size)
}
