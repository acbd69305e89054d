package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/hashicorp/raft-wal/metadb"
)

const damages = 150 // of each file

// A Bolt file with a flipped bit, or without its end, is refused with its name, or it holds
// what it held and takes more. Nothing of it ends the process, at the start or later.
func TestDamagedBoltFiles(t *testing.T) {
	t.Parallel()
	for _, logStore := range []string{"wal", "bolt"} {
		t.Run(logStore, func(t *testing.T) {
			t.Parallel()
			config := DefaultConfig()
			config.Dir, config.LogStore, config.SegmentBytes, config.Logger = t.TempDir(), logStore, 16<<10, slog.New(slog.DiscardHandler)
			var last, term uint64
			add := func(s *storage) error {
				for range 40 {
					last++
					if err := s.log.StoreLog(&raft.Log{Index: last, Term: 1, Data: make([]byte, 1000)}); err != nil {
						return fmt.Errorf("entry %d: %w", last, err)
					}
				}
				for range 5 {
					term++
					if err := errors.Join(s.stable.SetUint64(termKey, term), s.stable.SetUint64(voteTermKey, term), s.stable.Set(voteKey, []byte("n2"))); err != nil {
						return fmt.Errorf("term %d: %w", term, err)
					}
				}
				return nil
			}
			s, err := openDisk(&config, true)
			if err == nil {
				err = errors.Join(s.begin(), add(s), s.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			holds := func(s *storage) error {
				if got, err := s.log.LastIndex(); err != nil || got != last {
					return fmt.Errorf("the log ends at %d, %v, want %d", got, err, last)
				}
				var entry raft.Log
				for i := range last {
					if err := s.log.GetLog(i+1, &entry); err != nil || entry.Index != i+1 || len(entry.Data) != 1000 {
						return fmt.Errorf("entry %d is %d of %d bytes, %v", i+1, entry.Index, len(entry.Data), err)
					}
				}
				if got, err := s.stable.GetUint64(voteTermKey); err != nil || got != term {
					return fmt.Errorf("the vote's term is %d, %v, want %d", got, err, term)
				}
				if got, err := s.stable.Get(voteKey); err != nil || string(got) != "n2" {
					return fmt.Errorf("the vote is for %q, %v", got, err)
				}
				return nil
			}
			written, writtenTerm := last, term
			original := config.Dir
			dice := rand.New(rand.NewPCG(1, 2))
			for _, name := range map[string][]string{"wal": {"stable.db", "wal/segments.db"}, "bolt": {"log.db"}}[logStore] {
				data, err := os.ReadFile(filepath.Join(original, "raft", name))
				if err != nil {
					t.Fatal(err)
				}
				refused := 0
				for range damages {
					at := dice.IntN(len(data))
					for data[at] == 0 && dice.IntN(20) > 0 {
						at = dice.IntN(len(data))
					}
					changed, what := append([]byte(nil), data...), ""
					if dice.IntN(5) == 0 {
						changed, what = changed[:at], fmt.Sprintf("cut off at %d of %d", at, len(data))
					} else {
						bit := dice.IntN(8)
						changed[at] ^= 1 << bit
						what = fmt.Sprintf("bit %d of byte %d of %d", bit, at, len(data))
					}
					config.Dir = t.TempDir() // Bolt does not give a file back that it panics about
					if err := os.CopyFS(config.Dir, os.DirFS(original)); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(config.Dir, "raft", name), changed, 0o600); err != nil {
						t.Fatal(err)
					}
					last, term = written, writtenTerm
					err := func() (err error) {
						defer func() {
							if problem := recover(); problem != nil {
								err = fmt.Errorf("panic: %v", problem)
							}
						}()
						s, err := openDisk(&config, false)
						if err != nil {
							refused++
							if !strings.Contains(err.Error(), filepath.Join(config.Dir, "raft")) {
								return fmt.Errorf("refused: %w", err)
							}
							return nil
						}
						if err := errors.Join(holds(s), add(s), holds(s), s.Close()); err != nil {
							return err
						}
						if s, err = openDisk(&config, false); err != nil {
							return fmt.Errorf("opened again: %w", err)
						}
						return errors.Join(holds(s), s.Close())
					}()
					if err != nil {
						t.Errorf("%s, %s: %v", name, what, err)
					}
					os.RemoveAll(config.Dir)
				}
				t.Logf("%s: %d of %d refused", name, refused, damages)
				if refused == 0 {
					t.Errorf("%s: nothing was refused", name)
				}
			}
		})
	}
}

// Whatever Bolt makes of a file is whole to the check.
func TestBoltCheckKnowsBolt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.db")
	log, err := openBoltLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { log.Close() }()
	dice := rand.New(rand.NewPCG(3, 4))
	var first, last uint64 = 1, 0
	for step := range 400 {
		switch {
		case dice.IntN(4) > 0 || last < first:
			var entries []*raft.Log
			for range 1 + dice.IntN(200) {
				size := dice.IntN(300)
				if dice.IntN(50) == 0 {
					size = dice.IntN(20_000) // more than a page
				}
				last++
				entries = append(entries, &raft.Log{Index: last, Term: 1, Data: make([]byte, size)})
			}
			err = log.StoreLogs(entries)
		case dice.IntN(2) == 0:
			from := first + dice.Uint64N(last-first+1)
			err, last = log.DeleteRange(from, last), from-1
		default:
			to := first + dice.Uint64N(last-first+1)
			err, first = log.DeleteRange(first, to), to+1
		}
		if err == nil {
			err = checkBolt(path)
		}
		if err == nil && dice.IntN(20) == 0 {
			if err = log.Close(); err == nil {
				log, err = openBoltLog(path)
			}
		}
		if err != nil {
			t.Fatalf("step %d, entries %d to %d: %v", step, first, last, err)
		}
	}
}

// The list of segments that an earlier version has left is taken over, once.
func TestEarlierSegmentList(t *testing.T) {
	config := DefaultConfig()
	config.Dir, config.SegmentBytes, config.Logger = t.TempDir(), 16<<10, slog.New(slog.DiscardHandler)
	open := func(fresh bool) *storage {
		t.Helper()
		s, err := openDisk(&config, fresh)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const last = 100
	s := open(true)
	for i := range uint64(last) {
		if err := s.log.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.stable.SetUint64(termKey, 1), s.begin(), s.Close()); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(config.Dir, raftDir, "wal")
	list := segmentList{disk: config.Disk}
	state, err := list.Load(dir)
	if err == nil {
		err = errors.Join(list.Close(), os.Remove(filepath.Join(dir, "segments.db")))
	}
	if err != nil || len(state.Segments) < 3 {
		t.Fatal(state, err)
	}
	var earlier metadb.BoltMetaDB
	_, err = earlier.Load(dir)
	if err = errors.Join(err, earlier.CommitState(state), earlier.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = open(false)
		if got, err := s.log.LastIndex(); err != nil || got != last {
			t.Errorf("the log ends at %d, %v, want %d", got, err, last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, metadb.FileName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the earlier list is still there: %v", err)
		}
	}
}

// What the system refuses is not for the node's directory to be emptied.
func TestCareful(t *testing.T) {
	for err, damaged := range map[error]bool{
		&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}: false,
		fmt.Errorf("map: %w", syscall.ENOMEM):                     false,
		errors.New("invalid database"):                            true,
	} {
		if got := careful("x.db", func() error { return err }); strings.Contains(got.Error(), "damaged") != damaged || !strings.Contains(got.Error(), "x.db") {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// Whatever a Bolt file holds, it is looked at to its end, with the checksums that Bolt would
// want.
func FuzzBoltFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "log.db")
	log, err := openBoltLog(path)
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(120) {
		if err := log.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: make([]byte, 50)}); err != nil {
			f.Fatal(err)
		}
	}
	if err := errors.Join(log.SetUint64(termKey, 1), log.Set(voteKey, []byte("n1")), log.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2*len(whole) {
			return
		}
		data = append([]byte(nil), data...)
		for at := boltPageHeader; at+boltMeta <= min(len(data), 2*os.Getpagesize()); at += os.Getpagesize() {
			sum := fnv.New64a()
			sum.Write(data[at : at+56])
			binary.LittleEndian.PutUint64(data[at+56:], sum.Sum64())
		}
		path := filepath.Join(t.TempDir(), "log.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkBolt(path); err != nil {
			return
		}
		// What passes is for Bolt to work with.
		if len(data) > 0 {
			log, err := raftboltdb.NewBoltStore(path)
			if err != nil {
				t.Fatal(err)
			}
			last, err := log.LastIndex()
			if err == nil {
				err = errors.Join(log.StoreLog(&raft.Log{Index: last + 1, Data: make([]byte, 10_000)}), log.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := checkBolt(path); err != nil {
				t.Fatal(err)
			}
		}
	})
}
