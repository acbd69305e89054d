package test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/fsm"
	"holdfast/test/random"
	"holdfast/test/talk"
)

var (
	differentialTime = flag.Duration("differential", 30*time.Second, "for how long random commands are compared with redis-server")
	differentialSeed = flag.Uint64("differential-seed", 0, "the seed to begin with; 0 chooses one")
)

// Random commands have the same replies, and leave the same keys behind, on a bare
// machine and on a real Redis. A round is made from one seed, which a failure tells.
func TestDifferential(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	for end := time.Now().Add(*differentialTime); time.Now().Before(end); {
		machine := talk.NewMachine()
		machine.Seed = d.seed
		d.round(machine, func(batch int) {
			machine.Clock = fsm.Millis(time.Now().UnixMilli())
			if batch%10 == 5 { // it goes on alike from its own snapshot
				restoreFromItself(t, machine)
			}
		})
	}
}

// So they have on a cluster of three, where each batch goes to another node; and the nodes
// end up equal.
func TestDifferentialCluster(t *testing.T) {
	t.Parallel()
	c := start(t)
	d := newDifferential(t)
	for end := time.Now().Add(*differentialTime / 2); time.Now().Before(end); {
		d.round(dialTalk(t, d.version(), c.Addrs()...), func(int) {})
		agree(t, c)
	}
}

func restoreFromItself(t *testing.T, machine *talk.Machine) {
	t.Helper()
	snapshot := machine.Snapshot()
	defer snapshot.Release()
	var file bytes.Buffer
	if _, err := snapshot.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if err := machine.Restore(&file); err != nil {
		t.Fatal(err)
	}
}

// keyspace is what commands are run on: a machine, the nodes of a cluster, or Redis.
type keyspace interface {
	Do(args []string) (talk.Value, error)
	Pipeline(commands [][]string) ([]talk.Value, error)
}

type differential struct {
	t                 *testing.T
	redis             [2]string // for RESP2 and RESP3
	seed              uint64    // of the round
	history           []string  // of the round
	commands, refused int
}

func newDifferential(t *testing.T) *differential {
	d := &differential{t: t, redis: [2]string{startRedis(t).Addr, startRedis(t).Addr}, seed: *differentialSeed}
	if d.seed == 0 {
		d.seed = rand.Uint64()
	}
	first := d.seed
	t.Cleanup(func() {
		t.Logf("%d commands, %d of them refused, in the rounds from -differential-seed %d on", d.commands, d.refused, first)
	})
	return d
}

func (d *differential) version() int { return 2 + int(d.seed%2) }

const (
	roundCommands = 4000
	batchCommands = 100
)

// round compares a number of commands, then all keys. It calls before ahead of each batch.
func (d *differential) round(ours keyspace, before func(batch int)) {
	version := d.version()
	redis := dialTalk(d.t, version, d.redis[version-2])
	defer redis.Close()
	d.history = nil
	// What OBJECT says of a value's history is no part of the state; EVAL_RO, a read, makes
	// no script known, so all are known from the beginning.
	source := random.New(d.seed, append(withoutPeer(), "script|flush")...)
	d.both(ours, redis, "SCRIPT", "FLUSH")
	for _, script := range random.Scripts {
		d.both(ours, redis, "SCRIPT", "LOAD", script)
	}
	for batch := range roundCommands / batchCommands {
		before(batch)
		if source.IntN(4) == 0 {
			d.both(ours, redis, "SELECT", strconv.Itoa(source.IntN(3)))
		}
		d.batch(source, ours, redis)
	}
	for db := range fsm.Databases {
		d.compareKeys(ours, redis, db)
	}
	d.seed++
}

// both runs a command that must not fail on both sides.
func (d *differential) both(ours, redis keyspace, args ...string) {
	d.t.Helper()
	for _, k := range []keyspace{ours, redis} {
		if reply, err := k.Do(args); err != nil || reply.Kind == '-' {
			d.t.Fatalf("%q: %v, %v", args, reply, err)
		}
	}
}

// batch runs commands on one side, then on Redis what comes to the same there.
func (d *differential) batch(source *random.Source, ours, redis keyspace) {
	var asked, commands [][]string
	for range batchCommands {
		asked = append(asked, source.Command())
	}
	got, err := ours.Pipeline(asked)
	if err != nil {
		d.t.Fatal(err)
	}
	for i, args := range asked {
		commands = append(commands, withoutChance(args, got[i]))
	}
	want, err := redis.Pipeline(commands)
	if err != nil {
		d.t.Fatal(err)
	}
	for i, args := range asked {
		d.history = append(d.history, fmt.Sprintf("%q", args))
		d.compare(args, commands[i], got[i], want[i])
		if d.commands++; want[i].Kind == '-' {
			d.refused++
		}
	}
}

// compare compares the reply to what was asked with that of Redis to a command.
func (d *differential) compare(asked, command []string, got, want talk.Value) {
	d.t.Helper()
	if version := d.version(); !comparison(command, asked)(got, want, version) {
		d.t.Fatalf("-differential-seed %d, RESP%d: %q\n got %.2000v\nwant %.2000v\nafter\n%s", d.seed, version, asked, got, want,
			strings.Join(d.about(asked), "\n"))
	}
}

// about is what has happened to the keys of a command lately.
func (d *differential) about(args []string) (lines []string) {
	for _, line := range slices.Backward(d.history) {
		if slices.ContainsFunc(args[1:], func(arg string) bool { return strings.Contains(line, strconv.Quote(arg)) }) {
			lines = append(lines, line)
		}
		if len(lines) == 40 {
			break
		}
	}
	slices.Reverse(lines)
	return lines
}

// wholes are commands that show all of a value.
var wholes = map[string][]string{
	"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "hash": {"HGETALL"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"},
}

// compareKeys compares all keys of a database, with their deadlines.
func (d *differential) compareKeys(ours, redis keyspace, db int) {
	d.both(ours, redis, "SELECT", strconv.Itoa(db))
	ask := func(args ...string) talk.Value {
		got, err := ours.Do(args)
		if err != nil {
			d.t.Fatalf("%q: %v", args, err)
		}
		want, err := redis.Do(args)
		if err != nil {
			d.t.Fatalf("%q: %v", args, err)
		}
		d.compare(args, args, got, want)
		return got
	}
	for _, key := range ask("KEYS", "*").Items {
		kind := ask("TYPE", key.Text)
		whole, ok := wholes[kind.Text]
		if !ok {
			d.t.Fatalf("how to show a %v?", kind)
		}
		ask(slices.Concat(whole[:1], []string{key.Text}, whole[1:])...)
		ask("PEXPIRETIME", key.Text)
	}
}
