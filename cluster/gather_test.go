package cluster

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who waits for whom, and for how long, in virtual time. Clients come after the times in
// comes; the last entry answered four of them and took 8 ms.
func TestGathering(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name  string
		idle  time.Duration // since the last entry
		comes []time.Duration
		want  time.Duration
	}{
		{"all wait already", 0, []time.Duration{0, 0, 0, 0}, 0},
		{"more than all", 0, []time.Duration{0, 0, 0, 0, 0}, 0},
		{"the last of them decides", 0, []time.Duration{0, 1 * ms, 2 * ms, 3 * ms}, 3 * ms},
		{"nobody comes", 0, nil, 2 * ms},
		{"some have gone", 0, []time.Duration{0, 1 * ms}, 4 * ms},
		{"they come one by one, but too slowly", 0, []time.Duration{0, 0, 3 * ms, 4 * ms}, 2 * ms},
		{"a lone command in a quiet cluster", 20 * ms, []time.Duration{0}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := newOutbox(time.Second, 1<<20, nil)
				wake := make(chan struct{}, 1)
				outbox.wake = func() { wake <- struct{}{} }
				come := func() {
					outbox.mu.Lock()
					outbox.waiting = append(outbox.waiting, &group{})
					enough := len(outbox.waiting) >= outbox.enough
					outbox.mu.Unlock()
					if enough {
						outbox.wake()
					}
				}
				start := time.Now()
				time.Sleep(8 * ms)
				var g gathering
				g.answered(4, start)
				time.Sleep(test.idle)
				for _, after := range test.comes {
					if after == 0 {
						outbox.waiting = append(outbox.waiting, &group{})
					} else {
						time.AfterFunc(after, come)
					}
				}
				begun := time.Now()
				g.wait(outbox.gather, wake)
				if got := time.Since(begun); got != test.want {
					t.Errorf("waited %v, want %v", got, test.want)
				}
				time.Sleep(time.Second) // those that were not waited for
			})
		})
	}
}
