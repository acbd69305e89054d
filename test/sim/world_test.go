package sim

import (
	"testing"
	"testing/synctest"
	"time"
)

// A world is not ready while a host still stops, which a pause draws out: the host would be
// gone in the middle of the next fault, which may count on it.
func TestReadyAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 3, plants{})
		for _, h := range w.hosts {
			h.run()
		}
		w.ready()
		h := w.leader(0)
		before := h.alive()
		h.pause()
		w.running.Go(h.stop)
		time.Sleep(100 * time.Millisecond)
		h.resume()
		if !w.ready() {
			t.Error(w.found())
		}
		if now := h.alive(); now == nil || now == before {
			t.Error("ready before the host has stopped and runs again")
		}
		w.close()
	})
}
