package history

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history that nobody can judge ends at the limit, in virtual time, too.
func TestCheckEnds(t *testing.T) {
	var hard []porcupine.Operation
	for client := range 60 { // any of them may have run, in any order
		hard = append(hard, operation(client, 0, open, Op{Name: "SET", Key: "k", Value: int64(client)}, Result{Unknown: true}))
	}
	hard = append(hard, operation(60, 1, 2, Op{Name: "GET", Key: "k"}, Result{Value: -1})) // nobody wrote that
	synctest.Test(t, func(t *testing.T) {
		err := Check(hard, time.Second)
		if err == nil || !strings.Contains(err.Error(), "was not checked within 1s") {
			t.Error(err)
		}
	})
}
