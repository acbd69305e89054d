package cluster

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// TestTornOrDamaged makes segments of random batches and tears the last write at random,
// or damages one before it: the first is always cut off where that write began, the
// second always refused.
func TestTornOrDamaged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	files := newWALFiles(systemDisk{}, filepath.Join(dir, "spare"), 256<<10, func(error) {})
	checked := checkedSegments{segment.NewFiler(dir, files), systemDisk{}, dir, slog.New(slog.NewTextHandler(io.Discard, nil))}
	for round := range uint64(150) {
		info := types.SegmentInfo{ID: round, BaseIndex: 1, MinIndex: 1, Codec: 1, SizeLimit: 256 << 10, CreateTime: time.Now()}
		w, err := checked.Create(info)
		if err != nil {
			t.Fatal(err)
		}
		var ends []int // of the batches
		var last uint64
		path := checked.path(info)
		for range 2 + dice.IntN(8) {
			var entries []types.LogEntry
			for range 1 + dice.IntN(5) {
				last++
				data := make([]byte, 1+dice.IntN(3000))
				for i := range data {
					data[i] = byte(1 + dice.IntN(255))
				}
				entries = append(entries, types.LogEntry{Index: last, Data: data})
			}
			if err := w.Append(entries); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, intact(data))
		}
		w.Close()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := ends[len(ends)-2], ends[len(ends)-1] // of the last write
		torn := dice.IntN(2) == 0
		if torn {
			for n := 1 + dice.IntN(4); n > 0; n-- { // sectors that did not reach the disk
				at := max(begin, (begin+dice.IntN(end-begin))&^511)
				clear(data[at:min(end, at+512)])
			}
		} else {
			data[dice.IntN(begin)] ^= byte(1 + dice.IntN(255))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}

		w, err = checked.RecoverTail(info)
		switch {
		case !torn && (err == nil || !strings.Contains(err.Error(), path)):
			t.Fatalf("round %d: damage before %d: %v", round, begin, err)
		case torn && err != nil:
			t.Fatalf("round %d: a write from %d to %d was torn: %v", round, begin, end, err)
		case torn:
			if got := intact(must(os.ReadFile(path))); got != begin {
				t.Fatalf("round %d: a torn write from %d was cut off at %d", round, begin, got)
			}
			next := w.LastIndex() + 1
			if err := w.Append([]types.LogEntry{{Index: next, Data: []byte("on")}}); err != nil {
				t.Fatal(err)
			}
			w.Close()
			if w, err = checked.RecoverTail(info); err != nil || w.LastIndex() != next {
				t.Fatalf("round %d: after the cut: %v", round, err)
			}
			w.Close()
		}
		os.Remove(path)
	}
	files.Close()
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprint("read back: ", err))
	}
	return data
}
