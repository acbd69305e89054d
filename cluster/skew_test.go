package cluster

import (
	"testing"
	"time"
)

const hour = int64(time.Hour / time.Millisecond)

func TestMedian(t *testing.T) {
	const bound = 1000
	tests := []struct {
		name   string
		clocks []int64
		latest int64
		want   int64
	}{
		{"alone", []int64{7}, 0, 7},
		{"three that are right", []int64{3, 9, 6}, 0, 6},
		{"one of three is ahead", []int64{hour, 3, 9}, 0, 9},
		{"one of three is behind", []int64{-hour, 3, 9}, 0, 3},
		{"one of two is ahead", []int64{5, hour}, 5, 5},
		{"one of two is behind the log", []int64{5, -hour}, 5, 5},
		{"one of two is behind the log, within the bound", []int64{5, -900}, 5, -900},
		{"one of two is behind, the log is old", []int64{5, -hour}, -2 * hour, -hour},
		{"both of two are behind the log", []int64{5, 3}, hour, 5},
		{"all of three are behind the log", []int64{5, 3, 4}, hour, 4},
		{"two of five are off", []int64{hour, 1, 2, 3, -hour}, 0, 2},
		{"two of five are ahead", []int64{hour, 1, 2, 3, hour}, 0, 3},
		{"one of four is ahead", []int64{hour, 1, 2, 3}, 2, 2},
		{"one of four is behind", []int64{-hour, 1, 2, 3}, 2, 2},
	}
	for _, test := range tests {
		var clocks []clock
		for _, at := range test.clocks {
			clocks = append(clocks, clock{at - 1, at, at + 1})
		}
		if got, want := median(clocks, test.latest, bound), (clock{test.want - 1, test.want, test.want + 1}); got != want {
			t.Errorf("%s: %v, want %v", test.name, got, want)
		}
	}
}

func TestAhead(t *testing.T) {
	exact := func(at int64) clock { return clock{at, at, at} }
	for _, test := range []struct {
		a, b clock
		want int64
	}{
		{exact(5), exact(3), 2},
		{exact(3), exact(5), -2},
		{clock{1, 3, 5}, clock{4, 6, 8}, 0},
		{clock{1, 3, 5}, clock{7, 8, 9}, -2},
		{clock{11, 13, 15}, clock{7, 8, 9}, 2},
	} {
		if got := test.a.ahead(test.b); got != test.want {
			t.Errorf("%v is ahead of %v by %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// The answer with the shortest trip is believed, until the clock has been moved or the
// answer is old.
func TestSamples(t *testing.T) {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	var s samples
	tell := func(asked, trip, told, want int64) {
		t.Helper()
		s = s.add(newSample(ms(asked), ms(asked+trip), told))
		if best, ok := s.best(ms(asked + trip)); !ok || best.at != want {
			t.Errorf("at %d ms: %v %v, want %d", asked, best, ok, want)
		}
	}
	tell(1000, 100, 11090, 10040)                       // too much by 40, as most of the trip was there
	tell(1500, 20, 11510, 10000)                        // a better one
	tell(2000, 200, 12190, 10000)                       // a worse one
	tell(2500, 200, 13700, 11100)                       // it has been moved
	tell(3000, 300, 14300, 11100)                       // that is all that is known
	tell(9000, 400, 20300, 11100)                       // and it is old
	if best, ok := s.best(ms(9000) + sampleLife); !ok { // it lives for that long,
		t.Errorf("%v is forgotten", best)
	}
	if best, ok := s.best(ms(9001) + sampleLife); ok { // and no longer
		t.Errorf("%v is believed", best)
	}
}
