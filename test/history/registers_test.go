package history

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What is chosen keeps to the mix, exchanges what was seen last, and is judged as a whole.
func TestRegisters(t *testing.T) {
	var r Registers
	dice := rand.New(rand.NewPCG(1, 1))
	mix := Mix{{"GET", 30}, {"SET", 50}, {"CAS", 20}}
	chosen := map[string]int{}
	var now, last int64
	for range 1000 {
		op := r.Choose(dice, "k", mix)
		chosen[op.Name]++
		if op.Name == "CAS" && op.Expect != last {
			t.Fatalf("CAS expects %d, %d was seen last", op.Expect, last)
		}
		op.Call, op.End = now, now+1
		now += 2
		reply := any("OK")
		switch {
		case op.Name == "GET" && last == 0:
			reply = nil
		case op.Name == "GET":
			reply = last
		case op.Name == "CAS" && last == 0:
			reply = int64(0)
		case op.Name == "CAS":
			reply, last = int64(1), op.Value
		default:
			last = op.Value
		}
		operation, ok := Learned(1, op, reply, Done)
		if !ok {
			t.Fatalf("nothing was learned from %v", op)
		}
		r.Add(operation)
	}
	for _, kind := range mix {
		if got := chosen[kind.Name]; got < 10*kind.Share-60 || got > 10*kind.Share+60 {
			t.Errorf("%s was chosen %d times of 1000, want about %d", kind.Name, got, 10*kind.Share)
		}
	}
	if err := r.Check(time.Minute); err != nil {
		t.Error(err)
	}
	stale, _ := Learned(2, Op{Name: "GET", Key: "k", Call: now, End: now + 1}, last-1, Done)
	r.Add(stale)
	if r.Check(time.Minute) == nil {
		t.Error("a stale read is not found")
	}
}

// Of an unknown outcome only a change is told: it stays open, as it may run yet.
func TestLearned(t *testing.T) {
	for _, test := range []struct {
		name string
		out  Outcome
		told bool
		end  int64
	}{
		{"GET", Done, true, 5}, {"GET", Refused, false, 0}, {"GET", Unknown, false, 0}, {"PTTL", Unknown, false, 0},
		{"SET", Done, true, 5}, {"SET", Refused, false, 0}, {"SET", Unknown, true, open},
	} {
		operation, told := Learned(1, Op{Name: test.name, Key: "k", Call: 1, End: 5}, "7", test.out)
		if told != test.told || operation.Return != test.end {
			t.Errorf("%s with outcome %d: told %v until %d, want %v until %d", test.name, test.out, told, operation.Return, test.told, test.end)
		}
	}
}
