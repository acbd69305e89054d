package resp

import (
	"context"
	"errors"
	"testing"
)

// unsaved is a store that cannot write a snapshot.
type unsaved struct{ *memoryStore }

func (unsaved) Save(context.Context) error { return errors.New("the disk is full") }

func TestShutdownCommand(t *testing.T) {
	s, address := serve(t, DefaultConfig(), unsaved{newMemoryStore()})
	c := dial(t, address)
	c.want("-ERR Errors trying to SHUTDOWN. Check logs.\r\n", "SHUTDOWN", "SAVE")
	c.want("-ERR No shutdown in progress.\r\n", "SHUTDOWN", "ABORT")
	select {
	case <-s.ShutdownAsked():
		t.Fatal("the node was asked to end")
	default:
	}
	for _, line := range []string{command("SHUTDOWN", "SAVE", "FORCE"), command("SHUTDOWN")} {
		c := dial(t, address)
		c.send(line)
		if rest := c.rest(); rest != "" {
			t.Errorf("SHUTDOWN was answered: %q", rest)
		}
		<-s.ShutdownAsked()
	}
}
