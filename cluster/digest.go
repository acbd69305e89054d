package cluster

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"time"

	"holdfast/fsm"
)

// digests are hashes of this node's whole state, each as of a check entry in the log: what
// the nodes compare. The state is frozen when the entry is applied, and hashed beside all
// else, little by little.
type digests struct {
	n *Node

	mu      sync.Mutex
	kept    []*digest // of the last check entries, the latest at the end
	hashing bool      // one is on its way; check entries that come meanwhile get none
	last    time.Time // when the last check entry was applied
	cost    time.Duration
}

// digest is that of the state at an index.
type digest struct {
	index uint64
	known chan struct{} // closed once sum is final
	sum   string        // hexadecimal; "" if it was given up
}

const (
	keptDigests = 4

	// digestRest is how many times as long as it has worked the hashing rests after each
	// piece, at most maxRest: clients do not wait for it longer than the piece takes.
	digestRest = 9
	maxRest    = 50 * time.Millisecond

	// digestShare is how many times as long as the last digest has taken of a core the
	// next one waits.
	digestShare = 100
)

var errNoDigest = errors.New("this node has no digest of that index")

// freeze begins a digest. It is called with applyMu held, when the machine has applied
// the entry at the index.
func (d *digests) freeze(index uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = time.Now()
	if d.hashing {
		return
	}
	d.hashing = true
	if len(d.kept) == keptDigests {
		d.kept = append(d.kept[:0], d.kept[1:]...)
	}
	next := &digest{index: index, known: make(chan struct{})}
	d.kept = append(d.kept, next)
	go d.hash(d.n.machine.Snapshot(), next)
}

func (d *digests) hash(s *fsm.Snapshot, of *digest) {
	defer s.Release()
	sum := sha1.New()
	pace := &pacer{to: sum, rest: digestRest, closing: d.n.closing, began: time.Now()}
	_, err := s.WriteTo(pace)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		of.sum = hex.EncodeToString(sum.Sum(nil))
		d.cost = pace.worked
	}
	d.hashing = false
	close(of.known)
}

// at returns the digest of the state at an index as soon as there is one, or says that
// there will be none.
func (d *digests) at(ctx context.Context, index uint64) (string, error) {
	if err := d.n.progress.wait(ctx, d.n.machine, index, 0); err != nil {
		return "", err
	}
	d.n.applyMu.Lock() // who sees that the entry is applied may come before freeze
	of := d.find(index)
	d.n.applyMu.Unlock()
	if of == nil {
		return "", errNoDigest
	}
	select {
	case <-of.known:
		if of.sum == "" {
			return "", errNoDigest
		}
		return of.sum, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// find returns nil if there is none of the index.
func (d *digests) find(index uint64) *digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, of := range d.kept {
		if of.index == index {
			return of
		}
	}
	return nil
}

// due reports whether it is time for the next check.
func (d *digests) due(interval time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.hashing && time.Since(d.last) >= max(interval, digestShare*d.cost)
}

// pacer is a writer that rests after each piece of work, so that what else there is to do
// does not wait long.
type pacer struct {
	to      io.Writer
	rest    int // times as long as it has worked
	closing <-chan struct{}
	began   time.Time     // the present piece
	worked  time.Duration // altogether
}

func (p *pacer) Write(piece []byte) (int, error) {
	n, err := p.to.Write(piece)
	took := time.Since(p.began)
	p.worked += took
	timer := time.NewTimer(min(time.Duration(p.rest)*took, maxRest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.closing:
		return n, ErrClosed
	}
	p.began = time.Now()
	return n, err
}
