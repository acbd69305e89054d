package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// Leadership goes where it is wanted, and whoever writes meanwhile only waits.
func TestLead(t *testing.T) {
	c := newCluster(t, 3, nil)
	var written atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := int64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if got, want := c.write(int(i%3), "INCR n"), fmt.Sprintf(":%d\r\n", i); got != want {
				t.Errorf("increment %d: %q", i, got)
				return
			}
			written.Store(i)
		}
	}()
	for round := range 6 {
		i := (c.leader() + 1) % 3
		if err := c.nodes[i].Lead(context.Background()); err != nil {
			t.Fatalf("round %d: n%d: %v", round, i+1, err)
		}
		if !c.nodes[i].route.leading() {
			t.Errorf("round %d: n%d does not lead", round, i+1)
		}
		if err := c.nodes[i].Lead(context.Background()); !errors.Is(err, ErrLeads) {
			t.Errorf("at the leader: %v", err)
		}
		before := written.Load()
		c.eventually(func() error {
			if written.Load() == before {
				return errors.New("nothing was written under the new leader")
			}
			return nil
		})
	}
	close(stop)
	<-done
}

// Without a majority nobody is made leader.
func TestLeadAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(config *Config) { config.CommitTimeout = time.Second })
	last := (c.leader() + 1) % 3
	for i := range 3 {
		if i != last {
			c.stop(i)
		}
	}
	n := c.nodes[last]
	c.eventually(func() error { // it leads until it misses the others
		if err := n.Lead(context.Background()); !errors.Is(err, ErrNoLeader) {
			return fmt.Errorf("got %v, want %w", err, ErrNoLeader)
		}
		return nil
	})
}

// Raft that has been shut down may take a transfer, and never answers it.
func TestTransferAfterClose(t *testing.T) {
	c := newCluster(t, 3, nil)
	i := c.leader()
	n := c.nodes[i]
	r := n.raft()
	heir, _ := n.server(r, raft.ServerID(c.config((i+1)%3).ID))
	c.stop(i)
	ended := make(chan error, 10)
	go func() {
		for range cap(ended) {
			ended <- n.handOver(r, heir)
		}
	}()
	for range cap(ended) {
		select {
		case err := <-ended:
			if !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, want %v", err, ErrClosed)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a transfer never ended")
		}
	}
}

// stallingDisk holds up the log of a node: every write to it waits for the end.
type stallingDisk struct {
	systemDisk
	node atomic.Pointer[string] // its directory
	end  chan struct{}
}

type stallingFile struct {
	File
	path string
	disk *stallingDisk
}

func (d *stallingDisk) Open(path string, flag int) (File, error) {
	f, err := d.systemDisk.Open(path, flag)
	return stallingFile{f, path, d}, err
}

func (f stallingFile) Datasync() error {
	if node := f.disk.node.Load(); node != nil && strings.HasPrefix(f.path, *node) && filepath.Ext(f.path) == ".wal" {
		<-f.disk.end
	}
	return f.File.Datasync()
}

// A leader that cannot hand over, as the other log does not come as far as its own, leads on.
func TestTransferToStalled(t *testing.T) {
	disk := &stallingDisk{end: make(chan struct{})}
	c := newCluster(t, 3, func(config *Config) { config.Disk = disk })
	t.Cleanup(func() { close(disk.end) })
	lead := c.leader()
	leader, heir := c.nodes[lead], c.config((lead+1)%3)
	c.write(lead, "SET k v")
	c.same()
	disk.node.Store(&heir.Dir)
	c.write(lead, "SET k w")
	for range 2 {
		if err := leader.leadTo(heir.ID); err == nil {
			t.Fatal("a node leads whose log stands still")
		}
	}
	if err := leader.raft().Barrier(0).Error(); err != nil {
		t.Errorf("the leader takes no more entries: %v", err)
	}
}
