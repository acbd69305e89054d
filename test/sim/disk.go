package sim

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/cluster"
)

// disk is a cluster.Disk in memory that knows what would be left after the power is cut.
// Of a file that is what was fsynced, and of what was written since as much as the dice
// say, down to single sectors. Names are kept in a journal, as file systems do: syncing a
// directory makes its names durable and all that happened to others before; of the rest
// some of the first operations may have reached the disk, never a later one without those
// before it.
type disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	journal []change // what distinguishes names from durable
	locked  map[string]bool

	points  int        // moments at which something became durable, so far
	crashAt int        // the point at which the host crashes, 0 for none
	after   bool       // it crashes when that is done, not before
	crash   func()     // called then, with mu held
	image   *disk      // what is left after the crash
	dice    *rand.Rand // of crashes
	lies    bool       // the log is said to be durable when it is not

	pace atomic.Int64 // how long an fsync of the log or of the stable store takes, a time.Duration
	full atomic.Bool  // there is no room for new files of the log
}

// inode is a file, or a directory if it has no content.
type inode struct {
	dir     bool
	data    []byte
	durable []byte
	writes  []write // what distinguishes data from durable
}

// write is one to a file; without data it sets the size.
type write struct {
	at   int64
	data []byte
}

// change is one to the names, done at once.
type change struct {
	gone []string
	new  map[string]*inode
}

func newDisk(dice *rand.Rand) *disk {
	return &disk{names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}, dice: dice}
}

const sector = 512

// left returns the disk as the host finds it after it crashed. If only the process did, all
// that it has written is there.
func (d *disk) left(powerCut bool) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image != nil {
		return d.image
	}
	return d.cut(powerCut)
}

func (d *disk) cut(powerCut bool) *disk {
	after := newDisk(d.dice)
	after.lies = d.lies
	names := d.names
	if powerCut {
		names = maps.Clone(d.durable)
		for _, c := range d.journal[:d.dice.IntN(len(d.journal)+1)] {
			c.apply(names)
		}
	}
	copies := map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		i := names[name]
		if copies[i] == nil {
			content := i.data
			if powerCut {
				content = i.torn(d.dice)
			}
			copies[i] = &inode{dir: i.dir, data: slices.Clone(content), durable: slices.Clone(content)}
		}
		after.names[name], after.durable[name] = copies[i], copies[i]
	}
	return after
}

// torn is the content after a power cut: none, all, the first or any of the writes since
// the last sync, and of one of them only some sectors.
func (i *inode) torn(dice *rand.Rand) []byte {
	data := slices.Clone(i.durable)
	if len(i.writes) == 0 {
		return data
	}
	mode := dice.IntN(4)
	upTo := dice.IntN(len(i.writes))
	for k, w := range i.writes {
		switch {
		case mode == 0, mode == 1 && k > upTo, mode == 2 && dice.IntN(2) == 0:
			continue
		case k == upTo && w.data != nil:
			for at := 0; at < len(w.data); {
				end := min(len(w.data), at+sector-int((w.at+int64(at))%sector))
				if dice.IntN(2) == 0 {
					data = write{w.at + int64(at), w.data[at:end]}.apply(data)
				}
				at = end
			}
		default:
			data = w.apply(data)
		}
	}
	return data
}

func (w write) apply(data []byte) []byte {
	if w.data == nil {
		return resize(data, w.at)
	}
	end := w.at + int64(len(w.data))
	if int64(len(data)) < end {
		data = resize(data, end)
	}
	copy(data[w.at:], w.data)
	return data
}

func resize(data []byte, size int64) []byte {
	if int64(len(data)) >= size {
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

func (c change) apply(names map[string]*inode) {
	for _, name := range c.gone {
		delete(names, name)
	}
	maps.Copy(names, c.new)
}

// in reports whether a name in a directory changes.
func (c change) in(dir string) bool {
	for name := range c.new {
		if filepath.Dir(name) == dir {
			return true
		}
	}
	return slices.ContainsFunc(c.gone, func(name string) bool { return filepath.Dir(name) == dir })
}

func (d *disk) do(c change) {
	c.apply(d.names)
	d.journal = append(d.journal, c)
}

// point is a moment at which something becomes durable: the place to crash.
func (d *disk) point(do func()) {
	d.points++
	here := d.points == d.crashAt && d.image == nil
	if here && !d.after {
		d.crash()
		d.image = d.cut(true)
	}
	do()
	if here && d.after {
		d.crash()
		d.image = d.cut(true)
	}
}

// spare takes back a crash that has not come yet.
func (d *disk) spare() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = 0
}

// crashSoon has the host crash at one of the next points.
func (d *disk) crashSoon(within int, crash func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt, d.after, d.crash = d.points+1+d.dice.IntN(within), d.dice.IntN(2) == 0, crash
}

func missing(op, path string) error { return &os.PathError{Op: op, Path: path, Err: fs.ErrNotExist} }

func (d *disk) Open(path string, flag int) (cluster.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.names[path]
	switch {
	case i == nil && flag&os.O_CREATE == 0:
		return nil, missing("open", path)
	case i == nil:
		if parent := d.names[filepath.Dir(path)]; parent == nil {
			return nil, missing("open", path)
		}
		i = &inode{}
		d.do(change{new: map[string]*inode{path: i}})
	case i.dir:
		return nil, fmt.Errorf("open %s: is a directory", path)
	}
	f := &file{disk: d, inode: i, log: strings.HasSuffix(path, ".wal"), lies: d.lies && strings.HasSuffix(path, ".wal")}
	if flag&os.O_TRUNC != 0 && len(i.data) > 0 {
		f.write(write{at: 0})
	}
	return f, nil
}

func (d *disk) Reserve(path string, size int64) error {
	if strings.HasSuffix(path, "/probe") { // the log's own are made with its mutex held
		time.Sleep(time.Duration(d.pace.Load()))
	}
	if d.full.Load() {
		return &os.PathError{Op: "reserve", Path: path, Err: syscall.ENOSPC}
	}
	f, err := d.Open(path, os.O_CREATE)
	if err == nil {
		_, err = f.WriteAt(make([]byte, size), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return err
}

func (d *disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[dir] == nil {
		return nil, missing("open", dir)
	}
	var names []string
	for name := range d.names {
		if filepath.Dir(name) == dir && name != dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *disk) Size(path string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.names[path]
	if i == nil {
		return 0, missing("stat", path)
	}
	return int64(len(i.data)), nil
}

func (d *disk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at := 1; at <= len(dir); at++ {
		if at == len(dir) || dir[at] == filepath.Separator {
			if d.names[dir[:at]] == nil {
				d.do(change{new: map[string]*inode{dir[:at]: {dir: true}}})
			}
		}
	}
	return nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[from] == nil {
		return missing("rename", from)
	}
	c := change{new: map[string]*inode{}}
	for name, inode := range d.names {
		if name == from || strings.HasPrefix(name, from+"/") {
			c.gone = append(c.gone, name)
			c.new[to+name[len(from):]] = inode
		}
	}
	d.do(c)
	return nil
}

func (d *disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[path] == nil {
		return missing("remove", path)
	}
	d.do(change{gone: []string{path}})
	return nil
}

// RemoveAll removes what is in a directory first, one after the other.
func (d *disk) RemoveAll(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for name := range d.names {
		if name == path || strings.HasPrefix(name, path+"/") {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	for _, name := range slices.Backward(all) {
		d.do(change{gone: []string{name}})
	}
	return nil
}

func (d *disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.point(func() {
		upTo := 0
		for k, c := range d.journal {
			if c.in(dir) {
				upTo = k + 1
			}
		}
		for _, c := range d.journal[:upTo] {
			c.apply(d.durable)
		}
		d.journal = slices.Clone(d.journal[upTo:])
	})
	return nil
}

// Lock fails while another process has the directory of this disk.
func (d *disk) Lock(dir string) (io.Closer, error) {
	if err := d.MkdirAll(dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[dir] {
		return nil, fmt.Errorf("the data directory %s is in use", dir)
	}
	d.locked[dir] = true
	return unlock{d, dir}, nil
}

type unlock struct {
	disk *disk
	dir  string
}

func (u unlock) Close() error {
	u.disk.mu.Lock()
	defer u.disk.mu.Unlock()
	delete(u.disk.locked, u.dir)
	return nil
}

// file is an open one.
type file struct {
	disk  *disk
	inode *inode
	at    int64 // of the next Read or Write
	log   bool  // it is one of the log's
	lies  bool  // Sync does nothing
}

func (f *file) write(w write) {
	f.inode.data = w.apply(f.inode.data)
	f.inode.writes = append(f.inode.writes, w)
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if len(b) > 0 {
		f.write(write{at, slices.Clone(b)})
	}
	return len(b), nil
}

func (f *file) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.at)
	f.at += int64(n)
	return n, err
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if at >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.inode.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		f.disk.mu.Lock()
		offset += int64(len(f.inode.data))
		f.disk.mu.Unlock()
	}
	f.at = offset
	return f.at, nil
}

func (f *file) Sync() error {
	if f.log {
		time.Sleep(time.Duration(f.disk.pace.Load()))
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.point(func() {
		if f.lies {
			return
		}
		for _, w := range f.inode.writes {
			f.inode.durable = w.apply(f.inode.durable)
		}
		f.inode.writes = nil
	})
	return nil
}

func (f *file) Datasync() error { return f.Sync() }
func (f *file) Close() error    { return nil }
