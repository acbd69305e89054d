package workload

import (
	"testing"
	"time"
)

// A percentile is never too short, and at most an eighth too long.
func TestWaits(t *testing.T) {
	for _, longest := range []int{1, 15, 16, 17, 31, 32, 1000, 12_345, 300_000, 30_000_000} {
		var w waits
		for i := range 100 {
			w.add(time.Duration((i+1)*longest/100) * time.Microsecond)
		}
		for _, percent := range []int{1, 50, 99, 100} {
			want := time.Duration(percent*longest/100) * time.Microsecond
			if got := w.percentile(percent); got < want || got > want+want/8 {
				t.Errorf("up to %d µs: percentile %d is %v, want %v", longest, percent, got, want)
			}
		}
	}
	var w waits
	w.add(time.Hour)
	if got := w.percentile(50); got < time.Minute {
		t.Errorf("an hour is %v", got)
	}
	if got := new(waits).percentile(99); got != 0 {
		t.Errorf("of no waits: %v", got)
	}
}

func TestTimeline(t *testing.T) {
	line := NewTimeline()
	at := func(ms int) time.Time { return line.Began.Add(time.Duration(ms) * time.Millisecond) }
	line.reply(at(10), 8*time.Microsecond, true)
	line.reply(at(99), 12*time.Microsecond, true)
	line.reply(at(350), time.Second, false)
	line.failure(at(399))
	line.reply(at(-1), time.Second, true) // of a crowd that was there before
	want := []Moment{{2, 0, 8 * time.Microsecond, 12 * time.Microsecond}, {}, {}, {1, 1, 0, 0}}
	got := line.Moments()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("moment %d: got %v, want %v", i, got[i], want[i])
		}
	}
	(*Timeline)(nil).reply(at(10), time.Second, true)
}

func TestBars(t *testing.T) {
	ms := func(list ...float64) (p Pauses) {
		for _, m := range list {
			p = append(p, time.Duration(m*float64(time.Millisecond)))
		}
		return p
	}
	for want, p := range map[string]Pauses{
		"··············": nil,
		"█·············": ms(0.1),
		"·█············": ms(1),
		"▄█···········▄": ms(0.5, 1, 1.9, 10_000),
		"·····▁█·······": ms(49, 50, 51, 52, 53, 54, 55, 56, 57),
	} {
		if got := p.Bars(); got != want {
			t.Errorf("%v: got %s, want %s", p, got, want)
		}
	}
	if got := ms(3, 1, 2).Percentile(0); got != time.Millisecond {
		t.Errorf("the shortest is %v", got)
	}
}
