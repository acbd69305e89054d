package history

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/test/harness"
)

// Recorder lets clients loose on nodes and keeps what they did.
type Recorder struct {
	// Addrs has an address for each client.
	Addrs []string
	// Keys is how many keys are in use at a time.
	Keys int
	// Turn is how long before other keys are taken. The time a checker needs grows
	// with the number of commands without an answer in one key's history.
	Turn time.Duration
	// Rest is a client's mean pause between two commands.
	Rest time.Duration
	// Nap is how long one pause in fifty may be, if that is not 0. A client that waits for
	// its answer asks a paused leader just once, at the beginning; who wakes up later and
	// reads is the one that can find it stale.
	Nap time.Duration
	// Seed is of the dice that choose commands, keys and pauses.
	Seed uint64

	registers Registers

	mu      sync.Mutex
	clients int
	err     error
}

// Run records until stop is closed and returns the history, or the first answer that no
// client should have got.
func (r *Recorder) Run(stop <-chan struct{}) ([]porcupine.Operation, error) {
	start := time.Now()
	var done sync.WaitGroup
	for i, addr := range r.Addrs {
		done.Go(func() {
			var conn *harness.Conn
			dice := rand.New(rand.NewPCG(r.Seed, uint64(i)))
			client := r.number()
			for {
				rest, napping := r.rest(dice)
				select {
				case <-stop:
					if conn != nil {
						conn.Close()
					}
					return
				case <-time.After(rest):
				}
				if conn == nil {
					var err error
					if conn, err = harness.Dial(addr); err != nil {
						continue
					}
				}
				conn.SetDeadline(time.Now().Add(time.Minute))
				turn := time.Since(start) / r.Turn
				key := fmt.Sprintf("history:%d:%d", dice.IntN(r.Keys), turn)
				op := r.choose(dice, key)
				if napping {
					op = Op{Name: "GET", Key: key}
				}
				answered, broken := r.one(conn, client, op)
				if !answered {
					client = r.number() // a client that waits for ever asks nothing else
				}
				if broken {
					conn.Close()
					conn = nil
				}
			}
		})
	}
	done.Wait()
	return r.registers.operations, r.err
}

func (r *Recorder) rest(dice *rand.Rand) (rest time.Duration, napping bool) {
	if r.Nap != 0 && dice.IntN(50) == 0 {
		return time.Duration(dice.Int64N(int64(r.Nap))), true
	}
	return time.Duration(dice.Int64N(int64(2 * r.Rest))), false
}

func (r *Recorder) number() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients++
	return r.clients
}

// mix has deadlines in it: SETPX is a SET with one.
var mix = Mix{{"GET", 40}, {"SET", 15}, {"SETPX", 10}, {"INCR", 15}, {"DEL", 5}, {"SETNX", 4}, {"PEXPIRE", 4}, {"PERSIST", 3}, {"PTTL", 4}}

func (r *Recorder) choose(dice *rand.Rand, key string) Op {
	ttl := 20_000 + dice.Int64N(600)*1000
	op := r.registers.Choose(dice, key, mix)
	switch op.Name {
	case "SETPX":
		op.Name, op.TTL = "SET", ttl
	case "PEXPIRE":
		op.TTL = ttl
	}
	return op
}

// compareAndSet is CAS, which Redis has as a script.
const compareAndSet = `if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "KEEPTTL") return 1`

// Args is the operation as a command.
func (op Op) Args() []string {
	switch op.Name {
	case "SET":
		args := []string{"SET", op.Key, strconv.FormatInt(op.Value, 10)}
		if op.TTL != 0 {
			args = append(args, "PX", strconv.FormatInt(op.TTL/1000, 10))
		}
		return args
	case "SETNX":
		return []string{"SETNX", op.Key, strconv.FormatInt(op.Value, 10)}
	case "PEXPIRE":
		return []string{"PEXPIRE", op.Key, strconv.FormatInt(op.TTL/1000, 10)}
	case "CAS":
		return []string{"EVAL", compareAndSet, "1", op.Key, strconv.FormatInt(op.Expect, 10), strconv.FormatInt(op.Value, 10)}
	}
	return []string{op.Name, op.Key}
}

// one runs a command and records it. answered is false if the command may yet run,
// broken if the connection is of no more use.
func (r *Recorder) one(conn *harness.Conn, client int, op Op) (answered, broken bool) {
	op.Call = time.Now().UnixMicro()
	reply, err := conn.Do(op.Args()...)
	op.End = time.Now().UnixMicro()

	result := Result{}
	var answer harness.Error
	switch {
	case errors.As(err, &answer) && strings.HasPrefix(string(answer), "CLUSTERDOWN"):
		return true, false // it did not run
	case errors.As(err, &answer) && !strings.HasPrefix(string(answer), "UNCERTAIN"):
		r.mu.Lock()
		r.err = fmt.Errorf("%v at %v: %w", op.Args(), conn.RemoteAddr(), err)
		r.mu.Unlock()
		return true, false
	case err != nil:
		if op.Name == "GET" || op.Name == "PTTL" {
			return true, true // nothing was learned
		}
		result.Unknown = true
		broken = answer == ""
	default:
		result = Answer(reply)
	}
	r.registers.Add(Operation(client, op, result))
	return !result.Unknown, broken
}

// Answer is a reply as a Result.
func Answer(reply any) (r Result) {
	switch v := reply.(type) {
	case nil:
		r.Nil = true
	case int64:
		r.Value = v
	case string:
		r.Value, _ = strconv.ParseInt(v, 10, 64) // "OK" is 0
	}
	return r
}

// Operation is what Check wants to know of an operation. A client whose operation has no
// answer must not be heard of again: it is waiting.
func Operation(client int, op Op, result Result) porcupine.Operation {
	if result.Unknown {
		op.End = open
	}
	return porcupine.Operation{ClientId: client, Input: op, Call: op.Call, Output: result, Return: op.End}
}
