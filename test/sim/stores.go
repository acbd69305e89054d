package sim

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"holdfast/cluster"
)

// Bolt maps its files into memory, so that it cannot be on a simulated disk. All that is
// asked of it is that a transaction is there whole after a crash or not at all, and that it
// is there when it has returned. A file that is replaced by rename keeps the same promises,
// and crashes at each of its steps.

// replace gives a file new content.
func (d *disk) replace(path string, content any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	f, err := d.Open(path+".new", os.O_CREATE|os.O_TRUNC)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = errors.Join(f.Sync(), d.Rename(path+".new", path), d.SyncDir(filepath.Dir(path)))
	}
	return err
}

// load reads what replace has written; it leaves content alone if there is no such file.
func (d *disk) load(path string, content any) error {
	f, err := d.Open(path, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.NewDecoder(f).Decode(content)
}

// stable stands in for a Bolt file of keys and values.
type stable struct {
	disk *disk
	path string

	mu     sync.Mutex
	values map[string][]byte
}

func (d *disk) Stable(path string) (cluster.StableStore, error) {
	s := &stable{disk: d, path: path, values: map[string][]byte{}}
	if err := d.load(path, &s.values); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, d.replace(path, s.values)
}

func (s *stable) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[string(key)]
	if !ok {
		return nil, raftboltdb.ErrKeyNotFound
	}
	return value, nil
}

func (s *stable) Set(key, value []byte) error {
	if filepath.Base(s.path) != "segments.db" { // raft-wal holds a mutex then: no time would pass
		time.Sleep(time.Duration(s.disk.pace.Load())) // without the mutex: see disk.Reserve
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[string(key)] = slices.Clone(value)
	return s.disk.replace(s.path, s.values)
}

func (s *stable) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *stable) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

func (s *stable) Close() error { return nil }

// snapshots stands in for raft's FileSnapshotStore, which knows only the system's disk:
// the same files, written in the same order.
type snapshots struct {
	disk   *disk
	dir    string
	retain int
}

func (d *disk) Snapshots(dir string, retain int, _ hclog.Logger) (raft.SnapshotStore, error) {
	s := &snapshots{d, filepath.Join(dir, "snapshots"), retain}
	return s, d.MkdirAll(s.dir)
}

type snapshotMeta struct {
	raft.SnapshotMeta
	CRC []byte
}

func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	id := fmt.Sprintf("%d-%d-%d", term, index, time.Now().UnixMilli())
	k := &sink{store: s, dir: filepath.Join(s.dir, id+".tmp"), sum: crc64.New(crc64.MakeTable(crc64.ECMA))}
	k.meta.SnapshotMeta = raft.SnapshotMeta{Version: version, ID: id, Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex}
	if err := s.disk.MkdirAll(k.dir); err != nil {
		return nil, err
	}
	if err := k.writeMeta(); err != nil {
		return nil, err
	}
	var err error
	k.state, err = s.disk.Open(filepath.Join(k.dir, "state.bin"), os.O_CREATE|os.O_TRUNC)
	return k, err
}

func (s *snapshots) all() (metas []*snapshotMeta, err error) {
	names, err := s.disk.List(s.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var meta snapshotMeta
		if strings.HasSuffix(name, ".tmp") || s.disk.load(filepath.Join(s.dir, name, "meta.json"), &meta) != nil || meta.ID != name {
			continue
		}
		metas = append(metas, &meta)
	}
	taken := func(m *snapshotMeta) int {
		ms, _ := strconv.Atoi(m.ID[strings.LastIndexByte(m.ID, '-')+1:])
		return ms
	}
	slices.SortFunc(metas, func(a, b *snapshotMeta) int { // the newest first
		if a.Term != b.Term {
			return int(b.Term) - int(a.Term)
		}
		if a.Index != b.Index {
			return int(b.Index) - int(a.Index)
		}
		return taken(b) - taken(a)
	})
	return metas, nil
}

func (s *snapshots) List() (list []*raft.SnapshotMeta, err error) {
	metas, err := s.all()
	for _, meta := range metas[:min(len(metas), s.retain)] {
		list = append(list, &meta.SnapshotMeta)
	}
	return list, err
}

func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	var meta snapshotMeta
	if err := s.disk.load(filepath.Join(s.dir, id, "meta.json"), &meta); err != nil {
		return nil, nil, err
	}
	f, err := s.disk.Open(filepath.Join(s.dir, id, "state.bin"), os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	if _, err := io.Copy(sum, f); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(sum.Sum(nil), meta.CRC) {
		return nil, nil, errors.New("CRC mismatch")
	}
	_, err = f.Seek(0, io.SeekStart)
	return &meta.SnapshotMeta, f, err
}

// sink is a snapshot that is being written.
type sink struct {
	store  *snapshots
	dir    string
	meta   snapshotMeta
	state  cluster.File
	sum    hash.Hash64
	closed bool
}

func (k *sink) ID() string { return k.meta.ID }

func (k *sink) Write(b []byte) (int, error) {
	k.sum.Write(b)
	k.meta.Size += int64(len(b))
	return k.state.Write(b)
}

func (k *sink) writeMeta() error {
	f, err := k.store.disk.Open(filepath.Join(k.dir, "meta.json"), os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(&k.meta); err != nil {
		return err
	}
	return f.Sync()
}

func (k *sink) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	k.meta.CRC = k.sum.Sum(nil)
	d, s := k.store.disk, k.store
	if err := errors.Join(k.state.Sync(), k.writeMeta(), d.Rename(k.dir, strings.TrimSuffix(k.dir, ".tmp")), d.SyncDir(s.dir)); err != nil {
		return err
	}
	metas, err := s.all()
	for _, old := range metas[min(len(metas), s.retain):] {
		err = errors.Join(err, d.RemoveAll(filepath.Join(s.dir, old.ID)))
	}
	return err
}

func (k *sink) Cancel() error {
	if k.closed {
		return nil
	}
	k.closed = true
	return k.store.disk.RemoveAll(k.dir)
}

// forget removes the vote from a disk that nobody uses.
func (d *disk) forget() {
	const path = "/data/raft/stable.db"
	values := map[string][]byte{}
	if d.names[path] == nil || d.load(path, &values) != nil {
		return
	}
	delete(values, "LastVoteTerm")
	delete(values, "LastVoteCand")
	d.replace(path, values)
}
