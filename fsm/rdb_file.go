package fsm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

const rdbMaxVersion = 12 // of Redis 7.4

// rdbKey is a key as a file has it.
type rdbKey struct {
	db       uint64
	key      []byte
	deadline Millis // 0 means never
	value    value
	foreign  string // what the value is, where that has no place here
}

// rdbVisitor is shown what a file holds. An error of it is about the key that it was shown.
type rdbVisitor struct {
	aux func(name string, data []byte) error
	key func(rdbKey) error

	mayBeEmpty bool // a collection without elements comes as a key without a value, and is no error
}

// readRDB reads a file and its checksum. An error names the offset.
func readRDB(from io.Reader, visit rdbVisitor) error {
	in := &rdbReader{r: bufio.NewReaderSize(from, 256<<10), unpack: math.MaxUint64}
	err := in.file(visit)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends too early")
	}
	if err != nil {
		return fmt.Errorf("RDB file, offset %d: %w", in.n, err)
	}
	return nil
}

func (r *rdbReader) file(visit rdbVisitor) error {
	magic, err := r.fixed(9)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(string(magic[5:]))
	if string(magic[:5]) != "REDIS" || err != nil {
		return fmt.Errorf("it begins with %q: not an RDB file", magic)
	}
	if version < 1 || version > rdbMaxVersion {
		return fmt.Errorf("version %d: this program reads 1 to %d", version, rdbMaxVersion)
	}
	var k rdbKey
	for {
		op, err := r.byte()
		if err != nil {
			return err
		}
		switch op {
		case rdbEOF:
			return r.checksum(version)
		case rdbSelectDB:
			k.db, err = r.length()
		case rdbExpireMillis:
			k.deadline, err = r.deadline(8)
		case rdbExpire:
			k.deadline, err = r.deadline(4)
		case rdbResizeDB:
			err = r.lengths(2)
		case rdbSlotInfo:
			err = r.lengths(3)
		case rdbIdle:
			err = r.lengths(1)
		case rdbFreq:
			_, err = r.byte()
		case rdbFunction2:
			_, err = r.string()
		case rdbFunction:
			err = errors.New("it holds functions in a form that Redis 7.0 had before its release")
		case rdbModuleAux:
			err = r.skipModuleAux()
		case rdbAux:
			err = r.aux(visit)
		default:
			err = r.key(op, &k, visit)
			k.deadline = 0
		}
		if err != nil {
			return err
		}
	}
}

// deadline reads a number of seconds, 4 bytes, or of milliseconds, 8.
func (r *rdbReader) deadline(size int) (Millis, error) {
	b, err := r.fixed(size)
	if err != nil {
		return 0, err
	}
	if size == 4 {
		return max(1, Millis(binary.LittleEndian.Uint32(b))*1000), nil
	}
	return max(1, Millis(binary.LittleEndian.Uint64(b))), nil // 0 would be never
}

func (r *rdbReader) aux(visit rdbVisitor) error {
	name, err := r.string()
	if err != nil {
		return err
	}
	data, err := r.string()
	if err != nil || visit.aux == nil {
		return err
	}
	return visit.aux(string(name), data)
}

// key reads a key with a value of that type.
func (r *rdbReader) key(kind byte, k *rdbKey, visit rdbVisitor) (err error) {
	if k.key, err = r.string(); err != nil {
		return err
	}
	if foreign := rdbForeign[kind]; foreign.skip != nil {
		k.value, k.foreign = nil, foreign.name
		err = foreign.skip(r)
	} else {
		k.foreign = ""
		k.value, err = r.value(kind)
		if visit.mayBeEmpty && errors.Is(err, errEmpty) {
			k.value, err = nil, nil
		}
	}
	if err == nil {
		err = visit.key(*k)
	}
	if err != nil {
		return fmt.Errorf("key %q: %w", k.key, err)
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
