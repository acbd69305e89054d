package chaos

import (
	"testing"
	"time"

	"holdfast/test/checked"
	"holdfast/test/harness"
)

// A node that was cut off works again soon after it can be reached: nothing waits for the
// kernel to send once more what it could not deliver, which it does ever more seldom.
func TestHealedWire(t *testing.T) {
	t.Parallel()
	a := start(t)
	leader, err := a.Leader()
	if err != nil {
		t.Fatal(err)
	}
	victim := a.Others(leader)[0]
	c := a.newClient(victim)
	defer c.Close()
	if _, err := c.Must("SET", "k", "before"); err != nil {
		t.Fatal(err)
	}
	// The client asks without a pause, so that something is always under way.
	stop, ended := make(chan struct{}), make(chan struct{})
	answered := make(chan time.Time, 1)
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			begun := time.Now()
			if _, out := c.Do("SET", "k", "v"); out == checked.Done {
				select {
				case <-answered:
				default:
				}
				answered <- begun
			}
		}
	}()
	a.cut(fault{kind: "alone"}, []*harness.Node{victim})
	time.Sleep(17 * time.Second)
	a.join()
	healed := time.Now()
	const soon = 4 * time.Second
	took := time.Duration(0)
	for {
		<-answered
		if took = time.Since(healed); victim.Ready() == nil || took > time.Minute {
			break
		}
	}
	close(stop)
	<-ended
	t.Logf("it works again %v after it can be reached", took)
	if took > soon {
		t.Errorf("it works again only %v after it can be reached, want %v", took, soon)
	}
}
