package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"holdfast/fsm"
)

// damaged is a cluster of one node that is down, with a log of many batches.
type damaged struct {
	*testCluster
	segment string // the newest file of its log
	data    []byte // what is in it
	end     int    // where its last batch ends
}

const damagedKeys = 40

// newDamaged writes keys k0 to k39, and takes a snapshot after some of them, behind
// which trailing entries are kept.
func newDamaged(t *testing.T, trailing uint64, snapshots ...int) damaged {
	t.Helper()
	c := newCluster(t, 1, func(config *Config) { config.TrailingLogs = trailing })
	for k := range damagedKeys {
		c.write(0, fmt.Sprintf("SET k%d value-%d", k, k))
		for _, s := range snapshots {
			if s == k {
				if err := c.nodes[0].Save(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	c.stop(0)
	d := damaged{testCluster: c}
	segments, _ := filepath.Glob(filepath.Join(c.config(0).Dir, "raft/wal/*.wal"))
	d.segment = segments[len(segments)-1]
	var err error
	if d.data, err = os.ReadFile(d.segment); err != nil {
		t.Fatal(err)
	}
	d.end = intact(d.data)
	return d
}

// with returns the same node, down, with a change to the segment.
func (d damaged) with(t *testing.T, change func(d damaged, data []byte) []byte) damaged {
	t.Helper()
	d.t = t
	d.stop(0)
	if err := os.WriteFile(d.segment, change(d, slices.Clone(d.data)), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d damaged) change(path string, change func([]byte) []byte) {
	d.t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// offset of a key's entry.
func (d damaged) offset(key int) int {
	return bytes.Index(d.data, fmt.Appendf(nil, "value-%d", key))
}

// frame is where the frame of a key's entry begins.
func (d damaged) frame(key int) int {
	at, offset := segmentHeader, d.offset(key)
	for next := at; next <= offset; {
		at = next
		next += frameAlign
		if d.data[at] != commitFrame {
			next += (int(binary.LittleEndian.Uint32(d.data[at+4:])) + frameAlign - 1) / frameAlign * frameAlign
		}
	}
	return at
}

// wantKeys starts the node, which has to have the keys before missing and none after.
func (d damaged) wantKeys(missing int) {
	d.t.Helper()
	d.start(0)
	d.ready()
	for k := range damagedKeys {
		want := string(fsm.BulkString(fmt.Sprintf("value-%d", k)))
		if k >= missing {
			want = string(fsm.Nil)
		}
		if got := d.read(0, fmt.Sprintf("GET k%d", k)); got != want {
			d.t.Errorf("k%d: got %q, want %q", k, got, want)
		}
	}
}

// wantRefused starts the node, which has to say why it will not start.
func (d damaged) wantRefused(words ...string) {
	d.t.Helper()
	n, err := Open(context.Background(), d.config(0))
	if err == nil {
		n.Close()
		d.t.Fatalf("it starts; want a refusal with %q", words)
	}
	for _, word := range append(words, "restore it from a copy, or empty") {
		if !strings.Contains(err.Error(), word) {
			d.t.Errorf("got %v, want %q in it", err, word)
		}
	}
}

// What a write that was interrupted leaves of the last batch is cut off.
func TestTornLog(t *testing.T) {
	t.Parallel()
	const last = damagedKeys - 1
	whole := newDamaged(t, 0)
	for name, tear := range map[string]func(d damaged, data []byte) []byte{
		"a payload that was not written": func(d damaged, data []byte) []byte {
			clear(data[d.offset(last) : d.offset(last)+4])
			return data
		},
		"a frame that was not written": func(d damaged, data []byte) []byte {
			clear(data[d.frame(last) : d.frame(last)+frameAlign])
			return data
		},
		"no commit frame": func(d damaged, data []byte) []byte {
			clear(data[d.end-frameAlign : d.end])
			return data
		},
		"a wrong checksum": func(d damaged, data []byte) []byte {
			data[d.end-1]++
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.with(t, tear)
			d.wantKeys(last)
			d.write(0, "SET after the-tear")
			d.stop(0)
			d.wantKeys(last) // once more: the cut was durable, and the log went on well
			if got := d.read(0, "GET after"); got != string(fsm.BulkString("the-tear")) {
				t.Errorf("after: %q", got)
			}
		})
	}
}

// A log that is damaged before its end is not taken for a shorter one, nor for one with
// other entries in it.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	const k = damagedKeys / 2
	whole := newDamaged(t, 0)
	for name, damage := range map[string]func(d damaged, data []byte) []byte{
		"a byte of a value":      func(d damaged, data []byte) []byte { data[d.offset(k)] ^= 1; return data },
		"zeros for a frame":      func(d damaged, data []byte) []byte { clear(data[d.frame(k):][:frameAlign]); return data },
		"a length":               func(d damaged, data []byte) []byte { data[d.frame(k)+6] = 0xff; return data },
		"rubbish for the header": func(d damaged, data []byte) []byte { copy(data, "rubbish"); return data },
		"zeros for a page":       func(d damaged, data []byte) []byte { clear(data[:d.frame(k)]); return data },
		"a byte of the last but one": func(d damaged, data []byte) []byte {
			data[d.offset(damagedKeys-2)] ^= 1
			return data
		},
		"cut off in the middle": func(d damaged, data []byte) []byte { return data[:d.frame(k)] },
		"cut off to nothing":    func(d damaged, data []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.with(t, damage)
			d.wantRefused(d.segment, "at offset")
		})
	}
}

// The same in a segment that is full.
func TestDamagedFullSegment(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	value := strings.Repeat("v", 1<<20)
	for k := range 20 {
		c.write(0, fmt.Sprintf("SET k%d %d%s", k, k, value))
	}
	c.stop(0)
	segments, _ := filepath.Glob(filepath.Join(c.config(0).Dir, "raft/wal/*.wal"))
	if len(segments) < 2 {
		t.Fatalf("only %v", segments)
	}
	d := damaged{testCluster: c, segment: segments[0]}
	d.change(d.segment, func(data []byte) []byte { data[5<<20] ^= 1; return data })
	d.wantRefused(d.segment, "at offset")
	d.change(d.segment, func(data []byte) []byte { data[5<<20] ^= 1; return data[:6<<20] })
	d.wantRefused(d.segment, "at offset")
	if err := os.Remove(d.segment); err != nil {
		t.Fatal(err)
	}
	d.wantRefused(d.segment, "is missing")
}

func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	state := func(d damaged, i int) string {
		files, _ := filepath.Glob(filepath.Join(d.config(0).Dir, "raft/snapshots/*/state.bin"))
		return files[i]
	}
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }

	t.Run("the log does not hold what is in it", func(t *testing.T) {
		d := newDamaged(t, 5, 10, 30)
		d.change(state(d, 1), flip)
		d.wantRefused(state(d, 1), "damaged", "offset")
		d.change(state(d, 1), func(data []byte) []byte { return data[:len(data)/2] })
		d.wantRefused(state(d, 1), "cut off at offset")
		meta := filepath.Join(filepath.Dir(state(d, 1)), "meta.json")
		d.change(meta, func(data []byte) []byte { return data[:len(data)/2] })
		d.wantRefused(meta, "damaged")
	})
	t.Run("the log holds what is in it", func(t *testing.T) {
		d := newDamaged(t, 100, 10, 30)
		d.change(state(d, 0), flip)
		d.change(state(d, 1), flip)
		d.wantKeys(damagedKeys)
	})
	t.Run("a member is another one", func(t *testing.T) {
		d := newDamaged(t, 5, 10, 30)
		meta := filepath.Join(filepath.Dir(state(d, 1)), "meta.json")
		d.change(meta, func(data []byte) []byte { return bytes.Replace(data, []byte(`"ID":"n1"`), []byte(`"ID":"n3"`), 1) })
		d.wantRefused(meta, "damaged")
	})
	t.Run("a member is another one in the later of two of one entry", func(t *testing.T) {
		d := newDamaged(t, 5, 30, 30) // raft starts from that one
		meta := filepath.Join(filepath.Dir(state(d, 1)), "meta.json")
		d.change(meta, func(data []byte) []byte { return bytes.Replace(data, []byte(`"ID":"n1"`), []byte(`"ID":"n3"`), 1) })
		d.wantKeys(damagedKeys)
	})
	t.Run("its checksum is gone", func(t *testing.T) {
		d := newDamaged(t, 5, 10, 30)
		sum := filepath.Join(filepath.Dir(state(d, 1)), metaSum)
		if err := os.Remove(sum); err != nil {
			t.Fatal(err)
		}
		d.wantRefused(filepath.Dir(sum), "damaged", metaSum)
	})
	t.Run("an older one passes for the newest", func(t *testing.T) {
		for _, field := range []string{`"Term":`, `"Index":`} {
			d := newDamaged(t, 5, 10, 30)
			meta := filepath.Join(filepath.Dir(state(d, 0)), "meta.json")
			d.change(meta, func(data []byte) []byte { return bytes.Replace(data, []byte(field), []byte(field+"9"), 1) })
			d.wantKeys(damagedKeys)
			if _, err := os.Stat(meta); err == nil {
				t.Errorf("%s is there still", meta)
			}
		}
	})
	t.Run("an older one is of no use", func(t *testing.T) {
		d := newDamaged(t, 5, 10, 30)
		d.change(state(d, 0), flip)
		d.wantKeys(damagedKeys)
	})
}

// unreadableDisk has its newest snapshot damaged after it was looked at, at the start.
type unreadableDisk struct{ systemDisk }

type unreadableStore struct{ raft.SnapshotStore }

func (d unreadableDisk) Snapshots(dir string, retain int, log hclog.Logger) (raft.SnapshotStore, error) {
	s, err := d.systemDisk.Snapshots(dir, retain, log)
	return unreadableStore{s}, err
}

func (s unreadableStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if list, err := s.List(); err != nil || list[0].ID == id {
		return nil, nil, errors.Join(err, errors.New("CRC mismatch"))
	}
	return s.SnapshotStore.Open(id)
}

// Raft starts from the newest snapshot or not at all: the log goes on from no other.
func TestNoOlderSnapshot(t *testing.T) {
	config := newDamaged(t, 5, 10, 30).config(0)
	config.Disk = unreadableDisk{}
	n, err := Open(context.Background(), config)
	if err == nil {
		n.Close()
		t.Fatal("it starts")
	}
	if want := "start from " + config.Dir; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// One that is damaged while the node runs does not pass for the newest.
func TestOlderSnapshotDamaged(t *testing.T) {
	c := newCluster(t, 1, nil)
	for k := range 2 {
		c.write(0, fmt.Sprintf("SET k%d value", k))
		if err := c.nodes[0].Save(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(c.config(0).Dir, "raft/snapshots/*/meta.json"))
	d := damaged{testCluster: c}
	d.change(files[0], func(data []byte) []byte { return bytes.Replace(data, []byte(`"Term":`), []byte(`"Term":9`), 1) })
	for range 2 {
		if meta, _ := c.snapshot(0); filepath.Dir(files[0]) == filepath.Join(c.config(0).Dir, "raft/snapshots", meta.ID) {
			t.Errorf("%s passes for the newest", meta.ID)
		}
		c.write(0, "SET k value")
	}
}

// A snapshot that is damaged while the leader runs is not sent to a follower: there is another.
func TestSnapshotDamagedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	for _, damage := range []struct{ file, old, new string }{
		{"meta.json", `"ID":"n2"`, `"ID":"n7"`},
		{"state.bin", "value-1", "value-3"},
	} {
		t.Run(damage.file, func(t *testing.T) {
			// Of Bolt, from which an entry that is deleted is gone at once.
			c := newCluster(t, 3, func(config *Config) { config.TrailingLogs, config.LogStore = 5, "bolt" })
			c.lead(0)
			const lead, behind = 0, 1
			c.stop(behind)
			for k := range damagedKeys {
				c.write(lead, fmt.Sprintf("SET k%d value-%d", k, k))
			}
			if err := c.nodes[lead].Save(context.Background()); err != nil {
				t.Fatal(err)
			}
			files, _ := filepath.Glob(filepath.Join(c.config(lead).Dir, "raft/snapshots/*", damage.file))
			d := damaged{testCluster: c}
			d.change(files[len(files)-1], func(data []byte) []byte {
				changed := bytes.Replace(data, []byte(damage.old), []byte(damage.new), 1)
				if bytes.Equal(changed, data) {
					t.Fatalf("no %s in %s", damage.old, damage.file)
				}
				return changed
			})
			c.start(behind)
			c.eventually(c.nodes[behind].Ready)
			c.same()
		})
	}
}

// No bit of node.json can make a member pass for a node that has never been in a cluster, whose
// log is removed when it finds one.
func TestDamagedIdentity(t *testing.T) {
	d := newDamaged(t, 100)
	path := filepath.Join(d.config(0).Dir, identityFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded := func(data []byte) (identity, error) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		config := d.config(0)
		config.ID, config.Disk = "", systemDisk{}
		return loadIdentity(&config)
	}
	right, err := loaded(whole)
	if err != nil || right.ClusterID == "" || right.Sum == "" {
		t.Fatalf("%+v, %v", right, err)
	}
	for bit := range 8 * len(whole) {
		data := slices.Clone(whole)
		data[bit/8] ^= 1 << (bit % 8)
		got, err := loaded(data)
		got.Sum = right.Sum // whose own name may be the damage
		if err == nil && got != right {
			t.Errorf("bit %d of byte %d: %+v", bit%8, bit/8, got)
		}
	}
}

// The same where the log is in a Bolt file, and in the one that has term and vote.
func TestDamagedBolt(t *testing.T) {
	c := newCluster(t, 1, func(config *Config) { config.LogStore = "bolt" })
	for k := range damagedKeys {
		c.write(0, fmt.Sprintf("SET k%d value-%d", k, k))
	}
	d := damaged{testCluster: c}
	d.stop(0)
	const log, stable = "raft/log.db", "raft/stable.db"
	whole := c.dir
	for _, damage := range []struct {
		file   string
		change func([]byte) []byte
	}{
		{log, func(data []byte) []byte { return bytes.ReplaceAll(data, []byte("value-20"), []byte("value-21")) }},
		{log, func(data []byte) []byte { clear(data[16<<10:]); return data }},
		{log, func(data []byte) []byte { return data[:len(data)/2] }},
		{stable, func(data []byte) []byte { clear(data[:8<<10]); return data }},
		{stable, func(data []byte) []byte { return data[:10000] }},
		{stable, flipAfter("CurrentTerm")},
		{stable, flipAfter("LastVoteTerm")},
		{stable, flipAfter("LastVoteCand")},
		{stable, flipAfter("holdfast-cluster")},
		{stable, flipAfter("CurrentTer")}, // the key itself
		{stable, flipAfter("LastVoteCan")},
	} {
		c.dir = t.TempDir() // Bolt does not give a file back that it panics about
		if err := os.CopyFS(c.dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(c.config(0).Dir, damage.file)
		d.change(file, damage.change)
		d.wantRefused(file, "is damaged")
	}
	c.dir = whole
	d.wantKeys(damagedKeys)
}

// flipAfter flips a bit in what follows a word everywhere: Bolt has a value behind its key.
func flipAfter(word string) func([]byte) []byte {
	return func(data []byte) []byte {
		for at := 0; ; at += len(word) {
			next := bytes.Index(data[at:], []byte(word))
			if next < 0 {
				return data
			}
			at += next
			data[at+len(word)] ^= 1
		}
	}
}

// A log that is gone is not taken for that of a new node.
func TestLostLog(t *testing.T) {
	for files, store := range map[string]string{"raft/wal": "wal", "raft/wal/segments.db": "wal", "raft/log.db": "bolt"} {
		t.Run(filepath.Base(files), func(t *testing.T) {
			c := newCluster(t, 1, func(config *Config) { config.LogStore = store })
			c.write(0, "SET k v")
			c.stop(0)
			if err := os.RemoveAll(filepath.Join(c.config(0).Dir, files)); err != nil {
				t.Fatal(err)
			}
			damaged{testCluster: c}.wantRefused(c.config(0).Dir, "has lost its content")
		})
	}
}
