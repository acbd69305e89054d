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
	differentialTime = flag.Duration("differential", time.Minute, "for how long random commands are compared with redis-server")
	differentialSeed = flag.Uint64("differential-seed", 0, "the seed to begin with; 0 chooses one")
)

// Random commands have the same replies, and leave the same keys behind, on a bare
// machine and on a real Redis. A round is made from one seed, which a failure tells.
func TestDifferential(t *testing.T) {
	d := differential{t: t, resp2: startRedis(t).Addr, resp3: startRedis(t).Addr}
	seed := *differentialSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	first := seed
	for end := time.Now().Add(*differentialTime); time.Now().Before(end) && !t.Failed(); seed++ {
		d.round(seed)
	}
	t.Logf("%d commands, %d of them refused, in the rounds from -differential-seed %d on", d.commands, d.refused, first)
}

type differential struct {
	t                 *testing.T
	resp2, resp3      string
	commands, refused int
	seed              uint64
	history           []string // of the round
}

const (
	roundCommands = 4000
	batchCommands = 100
)

// round compares a number of commands, then all keys.
func (d *differential) round(seed uint64) {
	version, address := 2, d.resp2
	if seed%2 == 1 {
		version, address = 3, d.resp3
	}
	redis := dialTalk(d.t, version, address)
	defer redis.Close()
	d.seed, d.history = seed, nil
	machine := talk.NewMachine()
	machine.Seed = seed
	if _, err := redis.Do([]string{"SCRIPT", "FLUSH"}); err != nil {
		d.t.Fatal(err)
	}
	// What OBJECT says of a value's history is no part of the state; EVAL_RO, a read, makes
	// no script known, so all are known from the beginning.
	source := random.New(seed, append(withoutPeer(), "script|flush")...)
	for _, script := range random.Scripts {
		load := []string{"SCRIPT", "LOAD", script}
		if _, err := redis.Do(load); err != nil {
			d.t.Fatal(err)
		}
		machine.Run(0, load)
	}
	db := uint8(0)
	for i := range roundCommands / batchCommands {
		if i%10 == 5 { // it goes on alike from its own snapshot
			var file bytes.Buffer
			if _, err := machine.Snapshot().WriteTo(&file); err != nil {
				d.t.Fatal(err)
			}
			if err := machine.Restore(&file); err != nil {
				d.t.Fatal(err)
			}
		}
		machine.Clock = fsm.Millis(time.Now().UnixMilli())
		batch := d.batch(source, machine, db)
		replies, err := redis.Pipeline(batch.commands)
		if err != nil {
			d.t.Fatal(err)
		}
		for i, args := range batch.commands {
			d.history = append(d.history, fmt.Sprintf("%q", batch.asked[i]))
			if !comparison(args, batch.asked[i])(batch.replies[i], replies[i], version) {
				d.t.Fatalf("-differential-seed %d, RESP%d: %q\n got %.2000v\nwant %.2000v\nafter\n%s", seed, version, batch.asked[i],
					batch.replies[i], replies[i], strings.Join(d.about(batch.asked[i]), "\n"))
			}
			d.commands++
			if replies[i].Kind == '-' {
				d.refused++
			}
		}
		if next := uint8(source.IntN(3)); source.IntN(4) == 0 {
			db = next
			if _, err := redis.Do([]string{"SELECT", strconv.Itoa(int(db))}); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	for db := range fsm.Databases {
		d.compareKeys(machine, redis, uint8(db), version)
	}
}

// withoutPeer lists what is not compared: what OBJECT says is no part of the state, and
// some commands came after Redis 7.0.
func withoutPeer() []string {
	names := []string{"object|encoding", "object|refcount"}
	for _, cmd := range fsm.Commands() {
		if cmd.Since > "7.0.15" {
			names = append(names, cmd.FullName())
		}
	}
	return names
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

type batch struct {
	asked    [][]string // of the machine
	replies  []talk.Value
	commands [][]string // for Redis
}

// batch makes commands and runs them on the machine.
func (d *differential) batch(source *random.Source, machine *talk.Machine, db uint8) (b batch) {
	for range batchCommands {
		args := source.Command()
		reply, err := talk.Parse(machine.Run(db, args))
		if err != nil {
			d.t.Fatalf("%q: %v", args, err)
		}
		b.asked = append(b.asked, args)
		b.replies = append(b.replies, reply)
		b.commands = append(b.commands, withoutChance(args, reply))
	}
	return b
}

// withoutChance is what Redis must be asked so that it does what the machine's dice have
// chosen.
func withoutChance(args []string, reply talk.Value) []string {
	if strings.EqualFold(args[0], "hscan") { // NOVALUES is of Redis 7.4
		return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "NOVALUES" })
	}
	if strings.EqualFold(args[0], "spop") && len(args) <= 3 {
		switch {
		case len(reply.Items) > 0:
			srem := []string{"SREM", args[1]}
			for _, item := range reply.Items {
				srem = append(srem, item.Text)
			}
			return srem
		case reply.Kind == '$':
			return []string{"SREM", args[1], reply.Text}
		}
	}
	return args
}

type compare func(got, want talk.Value, version int) bool

// comparison says how the reply of Redis to a command is compared with that of the machine,
// which was asked for something else maybe.
func comparison(args, asked []string) compare {
	switch command := strings.ToLower(args[0]); command {
	case "srem":
		if args[0] != asked[0] { // SPOP: all of them were there
			return func(got, want talk.Value, version int) bool {
				return want.Text == strconv.Itoa(max(1, len(got.Items)))
			}
		}
	case "keys", "smembers", "sunion", "sinter", "sdiff", "hgetall", "hkeys", "hvals":
		return func(got, want talk.Value, version int) bool { return talk.Same(got, want, version, true) }
	case "randomkey", "object":
		return sameKind
	case "dbsize": // Redis counts what SET has given a deadline in the past, until it meets it
		return within(100)
	case "scan", "sscan", "hscan", "zscan":
		return sameKind
	case "spop", "srandmember", "hrandfield", "zrandmember":
		return sameShape
	case "ttl", "expiretime":
		return within(3)
	case "pttl", "pexpiretime":
		return within(3000)
	}
	if strings.HasPrefix(strings.ToLower(args[0]), "z") {
		return sameScores
	}
	return func(got, want talk.Value, version int) bool {
		return talk.Same(got, want, version, false) || doesNotCompile(got) && doesNotCompile(want)
	}
}

// doesNotCompile tells of a script: two compilers have two ways to say what is wrong.
func doesNotCompile(v talk.Value) bool {
	return v.Kind == '-' && strings.HasPrefix(v.Text, "ERR Error compiling script (new function): user_script:")
}

// sameScores leaves out whether a score is 0 or -0: Redis knows both in a sorted set that
// was large once, though it is small now; here what is small knows 0 alone.
func sameScores(got, want talk.Value, version int) bool {
	return talk.Same(withoutSign(got), withoutSign(want), version, false)
}

func withoutSign(v talk.Value) talk.Value {
	if v.Text == "-0" {
		v.Text = "0"
	}
	v.Items = slices.Clone(v.Items)
	for i, item := range v.Items {
		v.Items[i] = withoutSign(item)
	}
	return v
}

// sameKind is for replies that depend on chance or on how Redis holds its keys: all that
// must be the same is whether they are errors, nulls or empty.
func sameKind(got, want talk.Value, version int) bool {
	switch {
	case got.Kind == '-' || got.Kind == '_' || want.Kind == '-' || len(got.Items) == 0 && strings.IndexByte("*~%", got.Kind) >= 0:
		return talk.Same(got, want, version, false)
	case len(got.Items) == 0:
		return got.Kind == want.Kind
	}
	return len(want.Items) > 0
}

// sameShape is for replies that depend on chance, but not in their number.
func sameShape(got, want talk.Value, version int) bool {
	if got.Kind == '^' && version == 3 {
		return 2*len(want.Items) == len(got.Items)
	}
	if len(got.Items) > 0 {
		return len(want.Items) == len(got.Items)
	}
	return sameKind(got, want, version)
}

func within(slack int64) compare {
	return func(got, want talk.Value, version int) bool {
		a, errA := strconv.ParseInt(got.Text, 10, 64)
		b, errB := strconv.ParseInt(want.Text, 10, 64)
		if got.Kind != ':' || errA != nil || errB != nil || a < 0 || b < 0 {
			return talk.Same(got, want, version, false)
		}
		return want.Kind == ':' && max(a-b, b-a) <= slack
	}
}

// wholes are commands that show all of a value.
var wholes = map[string][]string{
	"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "hash": {"HGETALL"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"},
}

// compareKeys compares all keys of a database, with their deadlines.
func (d *differential) compareKeys(machine *talk.Machine, redis *talk.Sockets, db uint8, version int) {
	if _, err := redis.Do([]string{"SELECT", strconv.Itoa(int(db))}); err != nil {
		d.t.Fatal(err)
	}
	ask := func(args ...string) talk.Value {
		got, err := talk.Parse(machine.Run(db, args))
		if err != nil {
			d.t.Fatalf("%q: %v", args, err)
		}
		want, err := redis.Do(args)
		if err != nil {
			d.t.Fatal(err)
		}
		if !comparison(args, args)(got, want, version) {
			d.t.Fatalf("-differential-seed %d, RESP%d, database %d at the end: %q\n got %.2000v\nwant %.2000v\nafter\n%s", d.seed, version, db, args,
				got, want, strings.Join(d.about(args), "\n"))
		}
		return got
	}
	for _, key := range ask("KEYS", "*").Items {
		whole, ok := wholes[ask("TYPE", key.Text).Text]
		if !ok {
			d.t.Fatalf("how to show a %v?", ask("TYPE", key.Text))
		}
		ask(slices.Concat(whole[:1], []string{key.Text}, whole[1:])...)
		ask("PEXPIRETIME", key.Text)
	}
}
