package chaos

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/checked"
)

// What was acknowledged is there after the power of all nodes has gone at once: nothing is
// acknowledged that is not fsynced on a majority.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	a := start(t)
	for round := range 3 {
		const clients = 6
		acknowledged := make([]int, clients)
		var all atomic.Int64
		stop := make(chan struct{})
		var running sync.WaitGroup
		for k := range clients {
			c := a.newClient(a.Nodes[k%3])
			running.Go(func() {
				defer c.Close()
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, out := c.Do("SET", fmt.Sprintf("k:%d:%d:%d", round, k, acknowledged[k]), "v"); out != checked.Done {
						return
					}
					acknowledged[k]++
					all.Add(1)
				}
			})
		}
		const least = 200
		for deadline := time.Now().Add(time.Minute); all.Load() < least && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		if err := a.cutPower(a.Nodes); err != nil {
			t.Fatal(err)
		}
		close(stop)
		running.Wait()
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		c := a.newClient(a.Nodes[round])
		lost := 0
		for k, count := range acknowledged {
			for i := range count {
				reply, err := c.Must("GET", fmt.Sprintf("k:%d:%d:%d", round, k, i))
				if err != nil {
					t.Fatal(err)
				}
				if reply != "v" {
					lost++
				}
			}
		}
		if lost > 0 || all.Load() < least {
			t.Errorf("round %d: %d of %d acknowledged writes are lost, want at least %d of them", round, lost, all.Load(), least)
		}
	}
	if err := a.Agree(); err != nil {
		t.Error(err)
	}
}
