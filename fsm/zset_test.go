package fsm

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// A sorted set does what a sorted slice does, small or large; which of both it is
// depends on its members alone; clones of it stay as they were.
func TestZset(t *testing.T) {
	for _, test := range []struct {
		name    string
		members int
		long    bool // some members are too long for a small set
	}{{"small", 60, false}, {"around the limit", 170, false}, {"large", 1500, false}, {"few with long ones", 60, true}} {
		t.Run(test.name, func(t *testing.T) {
			rand := Rand{uint64(test.members)}
			z, frozen := newZset(), newZset()
			var model, frozenModel []scored
			for step := range 12000 {
				e := scored{float64(rand.IntN(40)) / 2, fmt.Sprint("m", rand.IntN(test.members))}
				if test.long && strings.HasSuffix(e.member, "27") {
					e.member += strings.Repeat("-", maxPackedBytes)
				}
				at := slices.IndexFunc(model, func(other scored) bool { return other.member == e.member })
				old, there := z.score(e.member)
				if there != (at >= 0) || there && old != model[at].score {
					t.Fatalf("score of %s: %v, %v", e.member, old, there)
				}
				growing := step/3000%2 == 0
				adding := growing == (rand.IntN(8) != 0)
				switch {
				case adding && there:
					z.move(e.member, old, e.score)
					model[at] = e
				case adding:
					z.add(e.member, e.score)
					model = append(model, e)
				case there:
					z.remove(e.member, old)
					model = slices.Delete(model, at, at+1)
				case len(model) > 2 && rand.IntN(20) == 0:
					slices.SortFunc(model, scored.compare)
					first := rand.IntN(len(model))
					end := first + rand.IntN(min(len(model)-first, 20))
					z.removeRange(first, end)
					model = slices.Delete(model, first, end)
				}
				if step%500 == 499 {
					slices.SortFunc(model, scored.compare)
					checkZset(t, z, model)
					checkZset(t, frozen, frozenModel)
					frozen, frozenModel = z, slices.Clone(model)
					z = z.clone().(*zset)
				}
			}
		})
	}
}

func checkZset(t *testing.T, z *zset, model []scored) {
	t.Helper()
	if got := slices.Collect(z.all()); !slices.Equal(got, model) || z.len() != len(model) {
		t.Fatalf("%d members, want %d, or others", len(got), len(model))
	}
	if len(model) == 0 {
		return
	}
	shuffled := slices.Clone(model)
	slices.Reverse(shuffled)
	anew, err := newZsetFrom(shuffled)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Collect(anew.all()), model) || z.encoding() != anew.encoding() {
		t.Fatalf("it is a %s, built at once a %s, or others", z.encoding(), anew.encoding())
	}
	first, end := len(model)/3, len(model)-len(model)/4
	back := slices.Collect(z.walk(first, end, true))
	slices.Reverse(back)
	if !slices.Equal(back, model[first:end]) || !slices.Equal(z.slice(first, end), model[first:end]) {
		t.Fatalf("the part from %d to %d is another", first, end)
	}
	for i, e := range model {
		if i%7 == 0 && (z.at(i) != e || z.rank(e) != i) {
			t.Fatalf("member %d is %v, and the rank of %v is %d", i, z.at(i), e, z.rank(e))
		}
	}
}

func TestNewZsetFrom(t *testing.T) {
	for _, n := range []int{3, 1000} {
		items := make([]scored, n)
		for i := range items {
			items[i] = scored{float64(i), fmt.Sprint(i)}
		}
		items[n-1].member = "0"
		if _, err := newZsetFrom(items); err == nil {
			t.Errorf("%d members, one of them twice: accepted", n)
		}
	}
	if _, err := newZsetFrom(nil); err == nil {
		t.Error("an empty sorted set was accepted")
	}
}

// Scores come back from a small set as they were, but for -0.
func TestEncodeScore(t *testing.T) {
	scores := []float64{0, 1, -1, 63, -64, 64, 255, 256, 0.5, -0.1, 1e15, 1<<53 + 2, 1 << 54, -(1 << 54), 1 << 60, 1e300,
		5e-324, math.Inf(1), math.Inf(-1), math.MaxFloat64, 1732465194123, -1732465194123}
	rand := Rand{1}
	for range 10000 {
		if f := math.Float64frombits(rand.Uint64()); !math.IsNaN(f) {
			scores = append(scores, f, math.Trunc(f), float64(int64(rand.Uint64())>>rand.IntN(64)))
		}
	}
	for _, f := range scores {
		if got := decodeScore(encodeScore(f)); got != f {
			t.Errorf("%v became %v", f, got)
		}
	}
	for f, want := range map[float64]int{0: 0, 5: 1, -5: 1, 1000: 2, 1732465194123: 6, 0.5: 8} {
		if got := len(encodeScore(f)); got != want {
			t.Errorf("%v takes %d bytes, want %d", f, got, want)
		}
	}
	if got := decodeScore(encodeScore(math.Copysign(0, -1))); math.Signbit(got) {
		t.Error("-0 stayed -0")
	}
}

// Doubles are read and written as C does it.
func TestDoubles(t *testing.T) {
	for text, want := range map[string]string{
		"3": "3", "3.0": "3", "+3": "3", ".5": "0.5", "5.": "5", "-0": "-0", "0.1": "0.10000000000000001", "1e5": "100000",
		"1e16": "10000000000000000", "1e17": "1e+17", "1e21": "1e+21", "1e-5": "1.0000000000000001e-05", "0.0001": "0.0001",
		"inf": "inf", "-INF": "-inf", "+Infinity": "inf", "0x10": "16", "0x1.8": "1.5", "0X1P-2": "0.25", "0x.8p1": "1",
		"5e-324": "4.9406564584124654e-324", "0e-999": "0", "1.7976931348623157e308": "1.7976931348623157e+308",
		"": "none", " 1": "none", "1 ": "none", "nan": "none", "-nan": "none", "1e400": "none", "-1e400": "none", "1e-400": "none",
		"1_0": "none", "0x_1p0": "none", "0x": "none", "0x1p": "none", "1e": "none", "x": "none", "1\x00": "none", "++1": "none",
		"0b1": "none", "0o7": "none", "infinit": "none", "0x0p-9999": "0", "0x1p-9999": "none", "0x1p9999": "none",
	} {
		got := "none"
		if f, ok := parseDouble([]byte(text)); ok {
			got = FormatDouble(f)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestParseZadd(t *testing.T) {
	for line, want := range map[string]string{
		"ZADD k 1 a":              "{false false false false false false} [{1 a}] <nil>",
		"ZADD k nx CH 1 a -inf b": "{true false false false true false} [{1 a} {-Inf b}] <nil>",
		"ZADD k XX GT INCR 1 a":   "{false true true false false true} [{1 a}] <nil>",
		"ZADD k LT 1 LT":          "{false false false true false false} [{1 LT}] <nil>",
		"ZINCRBY k 1 a":           "{false false false false false true} [{1 a}] <nil>",
		"ZADD k NX XX 1 a":        "{true true false false false false} [] ERR XX and NX options at the same time are not compatible",
		"ZADD k LT GT 1 a":        "{false false true true false false} [] ERR GT, LT, and/or NX options at the same time are not compatible",
		"ZADD k NX XX 1":          "{true true false false false false} [] ERR syntax error",
		"ZADD k INCR 1 a 2 b":     "{false false false false false true} [] ERR INCR option supports a single increment-element pair",
		"ZADD k 1 a b c":          "{false false false false false false} [] ERR value is not a valid float",
	} {
		var args [][]byte
		for _, word := range strings.Fields(line) {
			args = append(args, []byte(word))
		}
		o, items, err := parseZadd(args)
		if got := fmt.Sprint(o, items, err); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

// Two machines that run the same commands answer and end alike, though one is restored
// from the other's snapshot again and again: what ZRANDMEMBER chooses and where ZSCAN goes
// on is no matter of history.
func TestZsetAgreement(t *testing.T) {
	rand := Rand{9}
	a, b := New(), New()
	run := func(m *Machine, seed uint64, words []string) string {
		args := make([][]byte, len(words))
		for i, word := range words {
			args[i] = []byte(word)
		}
		tx := Tx{m: m, now: m.clock, rand: Rand{seed}}
		return string(tx.run(Call{Args: args}))
	}
	large := 0
	for step := range 6000 {
		member, score := fmt.Sprint("m", rand.IntN(250)), fmt.Sprint(rand.IntN(50))
		if rand.IntN(500) == 0 {
			member += strings.Repeat("-", maxPackedBytes)
		}
		words := []string{"ZADD", "z", score, member}
		switch n := rand.IntN(12); {
		case step/1000%2 == 1 && n < 4:
			words = []string{"ZPOPMIN", "z", "2"}
		case step/1000%2 == 1 && n < 6:
			words = []string{"ZREMRANGEBYSCORE", "z", score, score}
		case n == 6:
			words = []string{"ZRANDMEMBER", "z", "5", "WITHSCORES"}
		case n == 7:
			words = []string{"ZRANDMEMBER", "z", "-7"}
		case n == 8:
			words = []string{"ZSCAN", "z", fmt.Sprint(rand.Uint64() >> 16), "COUNT", "20"}
		case n == 9:
			words = []string{"ZINCRBY", "z", "0.1", member}
		case n == 10:
			words = []string{"ZUNIONSTORE", "copy", "2", "z", "copy", "WEIGHTS", "1", "0.1"}
		}
		seed := rand.Uint64()
		if ra, rb := run(a, seed, words), run(b, seed, words); ra != rb {
			t.Fatalf("step %d, %q: %q and %q", step, words, ra, rb)
		}
		if strings.Contains(run(a, 0, []string{"OBJECT", "ENCODING", "z"}), "skiplist") {
			large++
		}
		if step%50 != 49 {
			continue
		}
		var file bytes.Buffer
		s := a.Snapshot()
		if _, err := s.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		sb := b.Snapshot()
		if s.Digest() != sb.Digest() {
			t.Fatalf("step %d: the digests differ", step)
		}
		sb.Release()
		s.Release()
		if err := b.Restore(&file); err != nil {
			t.Fatal(err)
		}
	}
	if large < 600 || large > 5400 {
		t.Errorf("large in %d of 6000 steps: one form is hardly tested", large)
	}
}

// A scan of a set that changes meanwhile returns what is there throughout.
func TestZscan(t *testing.T) {
	m := New()
	tx := Tx{m: m}
	z, _ := open(&tx, []byte("z"), newZset)
	for i := range 3000 {
		z.add(fmt.Sprint("stays", i), float64(i))
		z.add(fmt.Sprint("goes", i), float64(i))
	}
	seen, calls := map[string]bool{}, 0
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; begun = true {
		cursor = scanTree(z.hashed, cursor, 100, func(e hashedMember) { seen[e.member] = true })
		z.remove(fmt.Sprint("goes", calls), float64(calls))
		z.add(fmt.Sprint("comes", calls), 1)
		calls++
	}
	for i := range 3000 {
		if member := fmt.Sprint("stays", i); !seen[member] {
			t.Errorf("%s was not returned", member)
		}
	}
	if calls < 55 || calls > 65 {
		t.Errorf("%d calls for 6000 members, 100 at a time", calls)
	}
}

// Scores as text are read, and damage is found.
func TestLoadZset(t *testing.T) {
	load := func(kind byte, data string) string {
		r := &rdbReader{r: strings.NewReader(data), unpack: maxStringBytes}
		v, err := r.value(kind)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(slices.Collect(v.(*zset).all()))
	}
	const one, two = "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00\x00\x00\x00\x00\x00\x00\x40"
	for _, test := range []struct {
		kind       byte
		data, want string
	}{
		{rdbZset, "\x03\x01a\x031.5\x01b\xff\x01c\xfe", "[{-Inf b} {1.5 a} {+Inf c}]"},
		{rdbZset, "\x01\x01a\xfd", `member "a": the score is not a number`},
		{rdbZset, "\x01\x01a\x01x", `"x" is not a score`},
		{rdbZset2, "\x02\x01b" + two + "\x01a" + one, "[{1 a} {2 b}]"},
		{rdbZset2, "\x02\x01a" + two + "\x01a" + one, "a member is there twice"},
		{rdbZset2, "\x01\x01a\xff\xff\xff\xff\xff\xff\xff\xff", `member "a": the score is not a number`},
		{rdbZset2, "\x00", "a collection without elements"},
		{rdbZset2, "\x02\x01a" + one, "EOF"},
		{rdbZset2, "\x02\x01a\x00", "unexpected EOF"},
	} {
		if got := load(test.kind, test.data); got != test.want {
			t.Errorf("type %d, %q: got %s, want %s", test.kind, test.data, got, test.want)
		}
	}
}
