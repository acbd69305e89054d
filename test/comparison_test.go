package test

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/fsm"
	"holdfast/test/talk"
)

// withoutPeer lists what is not compared: what OBJECT says is no part of the state, DUMP
// writes collections in plain forms, and some commands came after Redis 7.0.
func withoutPeer() []string {
	names := []string{"object|encoding", "object|refcount", "dump"}
	for _, cmd := range fsm.Commands() {
		if cmd.Since > "7.0.15" {
			names = append(names, cmd.FullName())
		}
	}
	return names
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
	case "memory": // Redis measures what is dead already, until it meets it
		return func(got, want talk.Value, version int) bool {
			return got.Kind == '_' && want.Kind == ':' || sameKind(got, want, version)
		}
	case "dbsize": // Redis counts what SET has given a deadline in the past, until it meets it
		return within(100)
	case "scan", "sscan", "hscan", "zscan":
		return sameKind
	case "spop", "srandmember", "hrandfield", "zrandmember":
		return sameShape
	case "sort", "sort_ro":
		return sameSorted(args)
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

// sameSorted leaves out the order of a set that is not sorted; what comes behind a zero
// byte, as Redis compares strings with strcoll; and that Redis refuses to sort numbers
// while a strtod of before has left something in errno.
func sameSorted(args []string) compare {
	by := slices.Index(args, "BY") + 1
	unsorted := by > 0 && by < len(args) && !strings.Contains(args[by], "*")
	collated := slices.Contains(args, "ALPHA") && !slices.Contains(args, "STORE")
	return func(got, want talk.Value, version int) bool {
		switch {
		case want.Kind == '-' && strings.HasPrefix(want.Text, "ERR One or more scores"):
			return got.Kind == '*' || got.Text == want.Text
		case (unsorted || collated && slices.Contains(args, "GET")) && got.Kind == '*':
			return want.Kind == '*' && len(got.Items) == len(want.Items)
		case collated:
			return talk.Same(withoutTails(got), withoutTails(want), version, false)
		}
		return talk.Same(got, want, version, false)
	}
}

// withoutTails cuts strings off at the first zero byte.
func withoutTails(v talk.Value) talk.Value {
	v.Text, _, _ = strings.Cut(v.Text, "\x00")
	v.Items = slices.Clone(v.Items)
	for i, item := range v.Items {
		v.Items[i] = withoutTails(item)
	}
	return v
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
