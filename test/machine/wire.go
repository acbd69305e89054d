package machine

import (
	"container/heap"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Weather is what a wire does to packets.
type Weather struct {
	Delay  time.Duration // of each packet
	Jitter time.Duration // up to so much more, chosen anew for each packet: they overtake
	// The chances of a packet to be lost, to arrive twice, and to go without the delay.
	Loss, Duplicate, Reorder float64
}

// Wire carries packets one way.
type Wire struct {
	to   *os.File
	wake chan struct{}
	end  chan struct{}

	cut       atomic.Bool
	carried   atomic.Int64
	dropped   atomic.Int64
	mu        sync.Mutex
	dice      *rand.Rand
	weather   Weather
	underway  underway
	sequences uint64
}

// maxUnderway bounds the packets on a wire; what comes beyond is lost, as in a router.
const maxUnderway = 1000

func newWire(to *os.File, seed uint64, from, target int) *Wire {
	w := &Wire{to: to, wake: make(chan struct{}, 1), end: make(chan struct{}), dice: rand.New(rand.NewPCG(seed, uint64(from)<<8|uint64(target)))}
	go w.deliver()
	return w
}

// Cut has the wire lose everything, or ends that. What is under way arrives.
func (w *Wire) Cut(cut bool) { w.cut.Store(cut) }

// SetWeather changes what the wire does from now on.
func (w *Wire) SetWeather(weather Weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weather = weather
}

// Carried counts the packets that came through and those that did not.
func (w *Wire) Carried() (carried, dropped int64) { return w.carried.Load(), w.dropped.Load() }

func (w *Wire) send(packet []byte) {
	if w.cut.Load() {
		w.dropped.Add(1)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.weather
	if w.dice.Float64() < now.Loss {
		w.dropped.Add(1)
		return
	}
	copies := 1
	if w.dice.Float64() < now.Duplicate {
		copies = 2
	}
	for range copies {
		w.sendOne(packet, now)
	}
}

func (w *Wire) sendOne(packet []byte, now Weather) {
	delay := now.Delay
	if now.Jitter > 0 {
		delay += time.Duration(w.dice.Int64N(int64(now.Jitter)))
	}
	if w.dice.Float64() < now.Reorder {
		delay = 0
	}
	if delay == 0 && (len(w.underway) == 0 || now.Reorder > 0) {
		w.to.Write(packet)
		w.carried.Add(1)
		return
	}
	if len(w.underway) == maxUnderway {
		w.dropped.Add(1)
		return
	}
	w.sequences++
	heap.Push(&w.underway, late{time.Now().Add(delay), w.sequences, append([]byte(nil), packet...)})
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// deliver hands packets over when they are due.
func (w *Wire) deliver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.end:
			return
		}
		w.mu.Lock()
		for len(w.underway) > 0 {
			if wait := time.Until(w.underway[0].due); wait > 0 {
				timer.Reset(wait)
				break
			}
			packet := heap.Pop(&w.underway).(late)
			w.to.Write(packet.data)
			w.carried.Add(1)
		}
		w.mu.Unlock()
	}
}

func (w *Wire) close() { close(w.end) }

// late is a packet on its way.
type late struct {
	due      time.Time
	sequence uint64
	data     []byte
}

// underway is a heap by due time.
type underway []late

func (u underway) Len() int { return len(u) }
func (u underway) Less(i, j int) bool {
	if !u[i].due.Equal(u[j].due) {
		return u[i].due.Before(u[j].due)
	}
	return u[i].sequence < u[j].sequence
}
func (u underway) Swap(i, j int) { u[i], u[j] = u[j], u[i] }
func (u *underway) Push(x any)   { *u = append(*u, x.(late)) }
func (u *underway) Pop() any {
	last := (*u)[len(*u)-1]
	(*u)[len(*u)-1] = late{}
	*u = (*u)[:len(*u)-1]
	return last
}
