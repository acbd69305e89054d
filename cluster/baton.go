package cluster

// baton is a mutex for what takes time: whoever holds it may wait for timers, disks and
// other nodes. In virtual time nothing would go on while somebody waits for a sync.Mutex.
type baton chan struct{}

func newBaton() baton { return make(baton, 1) }

func (b baton) take() { b <- struct{}{} }
func (b baton) give() { <-b }
