package fsm

import (
	"fmt"
	"testing"
)

// A scan visits every key that is there from its first call to its last, however many
// there are, come and go.
func TestScan(t *testing.T) {
	for _, count := range []int{1, 7, 10, 100} {
		for size := 1; size < 3000; size += 1 + size/3 {
			tx := Tx{m: New()}
			stay := func(i int) []byte { return fmt.Appendf(nil, "stay:%d", i) }
			for i := range size {
				tx.put(stay(i), &str{}, 0)
			}
			seen := map[string]bool{}
			for cursor, calls := uint64(0), 0; calls == 0 || cursor != 0; calls++ {
				cursor = tx.scan(cursor, count, func(o *object) { seen[o.key] = true })
				if key := fmt.Appendf(nil, "go:%d", calls/2); calls%2 == 0 {
					tx.put(key, &str{}, 0)
				} else {
					tx.del(key)
				}
			}
			missed := 0
			for i := range size {
				if !seen[string(stay(i))] {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("COUNT %d: missed %d of %d keys", count, missed, size)
			}
		}
	}
}
