package cluster

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"holdfast/fsm"
)

// outbox holds a node's requests from when a connection hands them in until they are
// answered. Each has an id, (incarnation, number), under which it is sent to whoever
// leads, again after every change of leader, until it is answered: the machine sees
// to it that it counts once.
type outbox struct {
	timeout time.Duration
	room    *semaphore.Weighted // bytes
	max     int64
	wake    func() // there is something to take

	mu          sync.Mutex
	incarnation uint64   // 0 until this node is registered in the log
	next        uint64   // number of the next request
	groups      []*group // unanswered, by number; answered ones are cut off the front
	waiting     []*group // those of groups to be sent, in the order they came
	enough      int      // wake is called when so many wait
	frame       uint64   // number of the last frame taken
	closed      bool
}

// group is what one connection hands in at a time. Its requests stand together in one
// log entry.
type group struct {
	first   uint64 // number of the first request
	encoded []byte
	replies []fsm.Reply
	missing int        // replies that have not come
	frame   uint64     // the frame it is on its way in; 0 while it waits
	sent    int        // frames it has been on its way in: of these the outcome may be unknown
	since   time.Time  // when it was handed in
	done    chan error // gets one value
	ended   bool       // done has it
}

func newOutbox(timeout time.Duration, maxBytes int64, wake func()) *outbox {
	return &outbox{timeout: timeout, room: semaphore.NewWeighted(maxBytes), max: maxBytes, wake: wake, next: 1, enough: 1}
}

// write returns a reply to each request, or an error that says what became of all of
// them. It blocks while the outbox is full.
func (o *outbox) write(ctx context.Context, requests []fsm.Request) ([]fsm.Reply, error) {
	size := requestsSize(requests)
	if size > maxRequestBytes {
		return nil, errTooLarge(size)
	}
	weight := min(int64(size), o.max)
	if err := o.room.Acquire(ctx, weight); err != nil {
		return nil, ErrNoLeader
	}
	defer o.room.Release(weight)

	g := &group{replies: make([]fsm.Reply, len(requests)), missing: len(requests), since: time.Now(), done: make(chan error, 1)}
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil, ErrClosed
	}
	g.first = o.next
	o.next += uint64(len(requests))
	o.groups = append(o.groups, g)
	o.mu.Unlock()

	encoded := make([]byte, 0, size)
	for i, request := range requests {
		encoded = fsm.AppendRequest(encoded, g.first+uint64(i), request)
	}

	o.mu.Lock()
	g.encoded = encoded
	if !g.ended {
		o.waiting = append(o.waiting, g)
	}
	enough := len(o.waiting) >= o.enough
	o.mu.Unlock()
	if enough {
		o.wake()
	}

	var err error
	select {
	case err = <-g.done:
	case <-ctx.Done():
		err = o.abandon(g)
	}
	if err != nil {
		return nil, err
	}
	return g.replies, nil
}

// requestsSize is a little more than the bytes that the requests take when encoded.
func requestsSize(requests []fsm.Request) int {
	size := 0
	for _, request := range requests {
		size += 16
		for _, call := range request.Calls {
			size += 8
			for _, arg := range call.Args {
				size += len(arg) + 5
			}
		}
	}
	return size
}

// register sets the incarnation under which requests go out from now on.
func (o *outbox) register(incarnation uint64) {
	o.mu.Lock()
	o.incarnation = incarnation
	o.mu.Unlock()
	o.wake()
}

// frame is what is sent to the leader at a time.
type frame struct {
	fsm.Section
	id      uint64 // 0: there was nothing to send
	numbers []span // of the requests, in their order
}

// span is a run of request numbers.
type span struct {
	first uint64
	count int
}

func (o *outbox) registered() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.incarnation != 0
}

// gather returns how many groups wait. While they are fewer than enough, none that
// comes calls wake; take ends that.
func (o *outbox) gather(enough int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.enough = max(1, enough)
	return len(o.waiting)
}

// take puts what waits, up to max bytes but at least one group, into a frame. The
// requests are copied into memory, which is replaced where it is too small.
func (o *outbox) take(max int, memory *[]byte) (f frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.enough = 1
	if o.incarnation == 0 || len(o.waiting) == 0 {
		return frame{}
	}
	taken, size := 0, 0
	for _, g := range o.waiting {
		if taken > 0 && size+len(g.encoded) > max {
			break
		}
		size += len(g.encoded)
		taken++
	}
	o.frame++
	f.id, f.numbers = o.frame, make([]span, 0, taken)
	f.Section = fsm.Section{Incarnation: o.incarnation, LowWater: o.lowWater(), Requests: slices.Grow((*memory)[:0], size)}
	for _, g := range o.waiting[:taken] {
		if g.ended {
			continue
		}
		f.Requests = append(f.Requests, g.encoded...)
		f.Count += len(g.replies)
		f.numbers = append(f.numbers, span{g.first, len(g.replies)})
		g.frame = o.frame
		g.sent++
	}
	if cap(f.Requests) <= 2*max { // one huge request leaves nothing behind
		*memory = f.Requests
	}
	n := copy(o.waiting, o.waiting[taken:])
	clear(o.waiting[n:])
	o.waiting = o.waiting[:n]
	if f.Count == 0 {
		return frame{}
	}
	return f
}

// lowWater is the number up to which every request has been answered.
func (o *outbox) lowWater() uint64 {
	if len(o.groups) == 0 {
		return o.next - 1
	}
	return o.groups[0].first - 1
}

// resend lets everything that is on its way, or only what is in one frame, wait
// again: the leader it went to may never answer.
func (o *outbox) resend(frame uint64) {
	o.mu.Lock()
	o.waiting = o.waiting[:0]
	for _, g := range o.groups {
		if g.frame != 0 && (frame == 0 || g.frame == frame) {
			g.frame = 0
		}
		if g.frame == 0 && g.encoded != nil && !g.ended {
			o.waiting = append(o.waiting, g)
		}
	}
	o.mu.Unlock()
	o.wake()
}

// applied takes the replies to this node's requests out of the results of an entry.
func (o *outbox) applied(results []fsm.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range results {
		if r.Incarnation == o.incarnation && r.Reply != nil {
			o.answer(r.Seq, r.Reply)
		}
	}
	o.trim()
}

func (o *outbox) answer(seq uint64, reply fsm.Reply) {
	i := sort.Search(len(o.groups), func(i int) bool { return o.groups[i].first > seq }) - 1
	if i < 0 {
		return // answered before
	}
	g := o.groups[i]
	k := seq - g.first
	if g.ended || k >= uint64(len(g.replies)) || g.replies[k] != nil {
		return
	}
	g.replies[k] = reply
	if g.missing--; g.missing == 0 {
		g.end(nil)
	}
}

func (g *group) end(err error) {
	g.ended = true
	g.done <- err
}

// trim cuts off the groups that have ended at the front: the low water rises.
func (o *outbox) trim() {
	n := 0
	for n < len(o.groups) && o.groups[n].ended {
		n++
	}
	if n > 0 {
		k := copy(o.groups, o.groups[n:])
		clear(o.groups[k:])
		o.groups = o.groups[:k]
	}
}

// abandon gives a group up, as its connection has gone, and says what is known of it: nil
// if it has been answered meanwhile.
func (o *outbox) abandon(g *group) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !g.ended {
		g.end(g.fate())
		o.trim()
	}
	return <-g.done
}

func (g *group) fate() error {
	if g.sent > 0 {
		return ErrUncertain
	}
	return ErrNoLeader
}

// turnedAway ends the groups of a frame that the leader has not proposed, or, without a
// frame, of what waits: there is no room for them. Those that have been on their way in
// another frame as well are sent again, to learn what became of them.
func (o *outbox) turnedAway(frame uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.groups {
		if g.frame != frame || g.ended || g.encoded == nil {
			continue
		}
		if frame != 0 {
			g.sent--
		}
		if g.sent == 0 {
			g.end(ErrDiskFull)
		}
	}
	o.trim()
}

// expire gives up every group older than the timeout. Their numbers fall below the
// low water with the next frame, so that none of them runs later than that. It reports
// whether one has been on its way.
func (o *outbox) expire(now time.Time) (sent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.groups {
		if !g.ended && now.Sub(g.since) >= o.timeout {
			sent = sent || g.sent > 0
			g.end(g.fate())
		}
	}
	o.trim()
	return sent
}

// close refuses further requests.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
}

// abort ends everything that is left.
func (o *outbox) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.groups {
		if !g.ended {
			g.end(g.fate())
		}
	}
	o.trim()
}

// pending counts the unanswered requests.
func (o *outbox) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, g := range o.groups {
		if !g.ended {
			n += len(g.replies)
		}
	}
	return n
}

// answered takes the leader's replies to a frame, in the order of its requests.
func (o *outbox) answered(numbers []span, replies []fsm.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range numbers {
		for i := 0; i < s.count && len(replies) > 0; i++ {
			if len(replies[0]) > 0 {
				o.answer(s.first+uint64(i), replies[0])
			}
			replies = replies[1:]
		}
	}
	o.trim()
}
