package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/hashicorp/raft-wal/metadb"
)

// careful runs what opens a Bolt file and reads it. Should Bolt panic or the kernel fault in
// spite of checkBolt, it is damage as well. What the system refuses is none.
func careful(path string, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		} else if errors.As(err, new(*fs.PathError)) || errors.As(err, new(syscall.Errno)) {
			err = fmt.Errorf("open %s: %w", path, err)
			return
		}
		if err != nil {
			err = errDamaged("%s is damaged (%v)", path, err)
		}
	}()
	return read()
}

// boltCheck reads all pages of a Bolt file. Bolt has checksums for two pages alone, and looks
// at the others when it needs them. A flipped bit has it go on from the last transaction but
// one, find no key behind one that is out of order, walk in circles, or write over a page that
// is in use. All that it relies on is looked at here; what values hold is for others to check.
//
//	file:   meta 0 | meta 1 | page ...
//	page:   id u64 | flags u16 | count u16 | overflow u32 | content
//	meta:   magic u32 | version u32 | page size u32 | flags u32 | bucket | free pages' id u64
//	        | number of pages u64 | transaction u64 | FNV-1a of all before u64
//	branch: (offset u32 | key size u32 | id u64) ... | key ...
//	leaf:   (flags u32 | offset u32 | key size u32 | value size u32) ... | key and value ...
//	free:   id u64 ..., the first is their number if count is 65535
//	bucket: root page's id u64 | sequence u64 | without an id: a leaf page of its own
//
// Offsets are from the element; overflow is how many pages more a page has. All is
// little-endian, as on every machine that this runs on.
type boltCheck struct {
	file     *os.File
	pageSize int
	pages    uint64
	used     map[uint64]bool // pages that have been seen
}

const (
	boltPageHeader = 16
	boltElement    = 16
	boltMeta       = 64

	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltMetaPage = 0x04
	boltFree     = 0x10

	boltMagic     = 0xED0CDAED
	boltNoFree    = 1<<64 - 1
	maxBoltPage   = 1 << 31
	boltBucketBit = 0x01
)

// checkBolt returns what is wrong with a Bolt file, if it is there and has been begun.
func checkBolt(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	c := boltCheck{file: f, used: map[uint64]bool{0: true, 1: true}}
	first, err := c.read(0, boltPageHeader+boltMeta)
	if err != nil {
		return err
	}
	if c.pageSize = int(binary.LittleEndian.Uint32(first[boltPageHeader+8:])); c.pageSize < 512 || c.pageSize > 1<<16 {
		return fmt.Errorf("its pages have %d bytes", c.pageSize)
	}
	var newest []byte
	var transaction uint64
	for id := range 2 {
		meta, err := c.meta(uint64(id))
		if err != nil {
			return err
		}
		if number := binary.LittleEndian.Uint64(meta[48:]); newest == nil || number > transaction {
			newest, transaction = meta, number
		}
	}
	c.pages = binary.LittleEndian.Uint64(newest[40:])
	if most := uint64(info.Size()) / uint64(c.pageSize); c.pages > most {
		return fmt.Errorf("it is cut off: %d of %d pages are left", most, c.pages)
	}
	if err := c.tree(binary.LittleEndian.Uint64(newest[16:]), boltBounds{}); err != nil {
		return err
	}
	if free := binary.LittleEndian.Uint64(newest[32:]); free != boltNoFree {
		return c.free(free)
	}
	return nil
}

func (c *boltCheck) read(at int64, size int) ([]byte, error) {
	data := make([]byte, size)
	if _, err := c.file.ReadAt(data, at); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is cut off before offset %d", at+int64(size))
	} else if err != nil {
		return nil, err
	}
	return data, nil
}

func (c *boltCheck) meta(id uint64) ([]byte, error) {
	page, err := c.read(int64(id)*int64(c.pageSize), boltPageHeader+boltMeta)
	if err != nil {
		return nil, err
	}
	meta := page[boltPageHeader:]
	sum := fnv.New64a()
	sum.Write(meta[:56])
	if binary.LittleEndian.Uint64(page) != id || binary.LittleEndian.Uint16(page[8:]) != boltMetaPage ||
		binary.LittleEndian.Uint32(meta) != boltMagic || binary.LittleEndian.Uint64(meta[56:]) != sum.Sum64() {
		return nil, fmt.Errorf("the checksum of page %d is wrong", id)
	}
	return meta, nil
}

// page reads a page with those that it has more, and notes that all of them are in use.
func (c *boltCheck) page(id uint64) ([]byte, error) {
	if id < 2 || id >= c.pages {
		return nil, fmt.Errorf("there is no page %d of %d", id, c.pages)
	}
	at := int64(id) * int64(c.pageSize)
	page, err := c.read(at, c.pageSize)
	if err != nil {
		return nil, err
	}
	itself, more := binary.LittleEndian.Uint64(page), uint64(binary.LittleEndian.Uint32(page[12:]))
	if itself != id || id+more >= c.pages || (more+1)*uint64(c.pageSize) > maxBoltPage {
		return nil, fmt.Errorf("page %d calls itself %d, with %d more", id, itself, more)
	}
	for i := range more + 1 {
		if c.used[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		c.used[id+i] = true
	}
	if more == 0 {
		return page, nil
	}
	return c.read(at, int(more+1)*c.pageSize)
}

// boltBounds are between which keys those of a page have to be, nil without a limit, and
// which bucket they are in.
type boltBounds struct {
	least, below []byte
	bucket       string // "" for the root, whose keys are buckets' names
}

// tree looks at a page and at those below it. It ends, since no page is used twice.
func (c *boltCheck) tree(id uint64, in boltBounds) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	return c.elements(id, page, in)
}

// elements looks at what is on a branch or leaf page, or in a bucket without a page.
func (c *boltCheck) elements(id uint64, page []byte, in boltBounds) error {
	if len(page) < boltPageHeader {
		return fmt.Errorf("page %d is cut off", id)
	}
	kind, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if kind != boltBranch && kind != boltLeaf || boltPageHeader+count*boltElement > len(page) {
		return fmt.Errorf("page %d is of kind %#x with %d keys", id, kind, count)
	}
	children := make([]uint64, 0, count)
	keys := make([][]byte, 0, count+1)
	for i := range count {
		element := page[boltPageHeader+i*boltElement:]
		field := func(n int) uint64 { return uint64(binary.LittleEndian.Uint32(element[4*n:])) }
		flags, offset, keySize, valueSize := field(0), field(1), field(2), field(3)
		if kind == boltBranch {
			offset, keySize, valueSize = field(0), field(1), 0
			children = append(children, binary.LittleEndian.Uint64(element[8:]))
		}
		if offset < boltElement || offset+keySize+valueSize > uint64(len(element)) {
			return fmt.Errorf("key %d on page %d is not on it", i, id)
		}
		key, value := element[offset:offset+keySize], element[offset+keySize:offset+keySize+valueSize]
		switch {
		case in.least != nil && bytes.Compare(key, in.least) < 0, in.below != nil && bytes.Compare(key, in.below) >= 0,
			i > 0 && bytes.Compare(key, keys[i-1]) <= 0:
			return fmt.Errorf("key %d on page %d is out of order", i, id)
		case kind == boltBranch:
		case flags > boltBucketBit || (flags == boltBucketBit) != (in.bucket == ""):
			return fmt.Errorf("key %d on page %d has flags %#x", i, id, flags)
		case !in.known(key):
			return fmt.Errorf("key %d on page %d is %q", i, id, key)
		case in.bucket == "":
			if err := c.bucket(string(key), value); err != nil {
				return err
			}
		}
		keys = append(keys, key)
	}
	keys = append(keys, in.below)
	for i, child := range children {
		if err := c.tree(child, boltBounds{keys[i], keys[i+1], in.bucket}); err != nil {
			return err
		}
	}
	return nil
}

func (c *boltCheck) bucket(name string, value []byte) error {
	if len(value) < 16 {
		return fmt.Errorf("the bucket %s has %d bytes", name, len(value))
	}
	in := boltBounds{bucket: name}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return c.tree(root, in)
	}
	if len(value) < 16+boltPageHeader || binary.LittleEndian.Uint16(value[16+8:]) != boltLeaf {
		return fmt.Errorf("the bucket %s is no leaf", name)
	}
	return c.elements(0, value[16:], in)
}

// known reports whether there are such keys: one with a flipped bit may still be in order, and
// is not found.
func (in boltBounds) known(key []byte) bool {
	if in.bucket == "logs" {
		return len(key) == 8 // an index
	}
	return boltKeys[in.bucket][string(key)]
}

var boltKeys = map[string]map[string]bool{
	"": {"logs": true, "conf": true, metadb.MetaBucket: true, metadb.StableBucket: true},
	"conf": {
		string(clusterKey): true, string(begunKey): true, string(divergedKey): true, string(segmentsKey): true,
		string(termKey): true, string(voteTermKey): true, string(voteKey): true,
	},
	metadb.MetaBucket: {metadb.MetaKey: true},
}

// free looks at the list of free pages: Bolt writes over them.
func (c *boltCheck) free(id uint64) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	count, list := uint64(binary.LittleEndian.Uint16(page[10:])), page[boltPageHeader:]
	if count == 0xFFFF {
		count, list = binary.LittleEndian.Uint64(list), list[8:]
	}
	if binary.LittleEndian.Uint16(page[8:]) != boltFree || count > uint64(len(list)/8) {
		return fmt.Errorf("page %d is no list of %d free pages", id, count)
	}
	for i := range count {
		free := binary.LittleEndian.Uint64(list[8*i:])
		if free < 2 || free >= c.pages || c.used[free] {
			return fmt.Errorf("page %d is free, and in use", free)
		}
		c.used[free] = true
	}
	return nil
}
