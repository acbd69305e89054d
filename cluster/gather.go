package cluster

import "time"

// gathering decides when what waits is sent. Whoever has just been answered is likely to
// ask again at once, and a log entry for all of them costs hardly more than one for the
// first who does: an fsync on every node, and a dozen wakeups. So after an entry of n
// askers the next one waits until n ask again, or until they stop coming. Whoever asks
// when nobody has just been answered never waits.
type gathering struct {
	askers int           // that were answered last
	at     time.Time     // when
	took   time.Duration // from their entry's start until then
}

// answered takes note of an entry.
func (g *gathering) answered(askers int, start time.Time) {
	const longest = 20 * time.Millisecond // an entry that took longer was held up, and says nothing
	g.askers, g.at = askers, time.Now()
	g.took = min(g.at.Sub(start), longest)
}

// wait returns when it is time to send. waiting returns how many wait now, and has wake
// signalled when they are as many as it is told.
func (g *gathering) wait(waiting func(enough int) int, wake <-chan struct{}) {
	const (
		patience = 4 // a client that takes longer than this part of took is not on its way
		most     = 2 // times took
	)
	end := g.at.Add(most * g.took)
	for before := -1; time.Now().Before(end); {
		now := waiting(g.askers)
		if now >= g.askers || now == before {
			return
		}
		before = now
		timer := time.NewTimer(g.took / patience)
		select {
		case <-wake: // enough, or another node's
			before = -1
		case <-timer.C:
		}
		timer.Stop()
	}
}
