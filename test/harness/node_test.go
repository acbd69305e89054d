package harness

import (
	"os"
	"testing"
	"time"
)

// A process may end by SIGTERM itself as long as it has not said anything. Later it has to
// catch it.
func TestStopAtOnce(t *testing.T) {
	for script, good := range map[string]bool{
		"exec sleep 60":               true,
		"echo serving; exec sleep 60": false,
		"trap 'exit 0' TERM; echo serving; while :; do sleep 0.01; done": true,
		"trap 'exit 1' TERM; echo serving; while :; do sleep 0.01; done": false,
	} {
		n := NewProcess("n1", "", t.TempDir(), "/bin/sh", "-c", script)
		for life := range 2 { // what was said in the first does not count in the second
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
			for said := script == "exec sleep 60"; !said; time.Sleep(time.Millisecond) {
				info, err := os.Stat(n.log)
				if err != nil {
					t.Fatal(err)
				}
				said = info.Size() > n.process.start
			}
			if err := n.Stop(); (err == nil) != good {
				t.Errorf("%s, life %d: %v", script, life+1, err)
			}
		}
	}
}
