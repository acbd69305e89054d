package random

import (
	"fmt"
	"strconv"
	"strings"
)

// prefixes of keys, by what they mostly hold.
var prefixes = map[string]string{"string": "s", "bitmap": "s", "list": "l", "set": "e", "hash": "h", "sorted-set": "z", "sorted_set": "z"}

func key(s *Source) string {
	if s.lex {
		return "y" + strconv.Itoa(s.IntN(3))
	}
	prefix := prefixes[s.group]
	if prefix == "" || s.IntN(12) == 0 {
		prefix = s.pick("s", "l", "e", "h", "z")
	}
	return prefix + strconv.Itoa(s.IntN(4))
}

// number makes integers, small ones mostly.
func number(low, high int) func(s *Source) string {
	return func(s *Source) string {
		if s.IntN(40) == 0 {
			return s.pick("9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", "1.5", "2147483648", "-1")
		}
		return strconv.Itoa(low + s.IntN(high-low+1))
	}
}

// member is an element of a collection, or a field.
func member(s *Source) string {
	switch s.IntN(30) {
	case 0:
		return ""
	case 1:
		return strings.Repeat(s.pick("long", "y\x00"), 10+s.IntN(20))
	case 2:
		return s.pick("\xff\x00\r\n", "-1", "1.5", "9223372036854775807", "nan", " a")
	case 3, 4, 5, 6:
		return strconv.Itoa(s.IntN(300))
	}
	return s.pick("a", "b", "c", "d", "e", "f", "1", "2", "3")
}

func bit(s *Source) string { return s.pick("0", "1", "0", "1", "0", "1", "2", "x") }

func value(s *Source) string {
	if s.command == "setbit" {
		return bit(s)
	}
	switch s.IntN(12) {
	case 0:
		return float(s)
	case 1:
		return strings.Repeat(s.pick("x", "ab", "\x00\x01\xfe"), s.IntN(100))
	case 2, 3, 4:
		return strconv.Itoa(s.IntN(200) - 100)
	case 5:
		return s.pick("9223372036854775807", "-9223372036854775808", "9223372036854775800", "0", "-0", "007", "+1", " 1", "1 ")
	}
	return member(s)
}

// rank leaves out the least integer: Redis 7.0 overflows with it, and finds too much.
func rank(s *Source) string {
	if r := number(-3, 3)(s); r != "-9223372036854775808" {
		return r
	}
	return "-9223372036854775807"
}

func float(s *Source) string {
	switch s.IntN(10) {
	case 0:
		return s.pick("inf", "-inf", "+inf", "nan", "x", "", "1e400", "1e-400", "1e5000", "0x1p3", "1_0", "-0", ".5", "5.", "1e20", "-1e20",
			"123456789012345678", "3.0e3", "0.1", "0.2", "1e17", "1e16", "1e15", "-1e-7", "0.000123")
	case 1, 2, 3:
		return strconv.FormatFloat(float64(s.IntN(20001)-10000)/float64(1+s.IntN(100)), 'g', -1, 64)
	case 4:
		return fmt.Sprintf("%d.%d", s.IntN(10)-5, s.IntN(1000))
	}
	return strconv.Itoa(s.IntN(12) - 4)
}

func score(s *Source) string {
	if s.lex {
		return "0"
	}
	return float(s)
}

// increment is a floating-point number for those who take it.
func increment(s *Source) string {
	if strings.Contains(s.command, "float") || s.command == "zincrby" || s.IntN(20) == 0 {
		return float(s)
	}
	return number(-9, 9)(s)
}

func scoreEnd(s *Source) string {
	return s.pick("", "", "(") + s.pick("-inf", "+inf", "inf", "0", "1", "2", "3", "5", "1.5", float(s))
}

func lexEnd(s *Source) string {
	if s.IntN(30) == 0 {
		return s.pick("a", "", "++", "[", "(")
	}
	return s.pick("-", "+", "[a", "(a", "[c", "(c", "[1", "(3", "["+member(s))
}

// rangeEnd is an end of a range by score, or by member for the commands of that name.
func rangeEnd(s *Source) string {
	if strings.Contains(s.command, "lex") {
		return lexEnd(s)
	}
	return scoreEnd(s)
}

func database(s *Source) string {
	if s.IntN(15) == 0 {
		return s.pick("16", "-1", "x", "99999999999", "")
	}
	return strconv.Itoa(s.IntN(3))
}

func pattern(s *Source) string {
	if strings.HasPrefix(s.command, "sort") {
		return s.pick("s*", "s*", "h*->a", "h*->1", "*", "#", "nosort", "l*", "*->a", "s*->", "")
	}
	return s.pick("*", "?", "a*", "[ab]*", "[^ab]*", "*1*", "s?", "[a-", "\\a", "**", member(s), "[e-a]", "*[0-9]")
}

// duration makes a time to live in units of so many milliseconds.
func duration(unit int64) func(s *Source) string {
	return func(s *Source) string {
		switch {
		case s.IntN(15) == 0:
			return s.pick("0", "-1", "x", "", "1.5", "9223372036854775807", "9223372036854775", "-9223372036854775808")
		case s.Near:
			return strconv.FormatInt(max(1, s.Int64N(3000)/unit), 10)
		}
		return strconv.FormatInt((1000_000+1000*s.Int64N(1e6))/unit, 10)
	}
}

// moment makes a Unix time in units of so many milliseconds.
func moment(unit int64) func(s *Source) string {
	return func(s *Source) string {
		switch {
		case s.IntN(15) == 0:
			return s.pick("0", "-1", "1", "x", "", "9223372036854775807", "9223372036854775", "-9223372036854775808")
		case s.Near:
			return strconv.FormatInt((s.Now+s.Int64N(4000)-500)/unit, 10)
		}
		return strconv.FormatInt((4_000_000_000_000+1000*s.Int64N(1e6))/unit, 10)
	}
}

// bitEncoding is a type of BITFIELD.
func bitEncoding(s *Source) string {
	if s.IntN(20) == 0 {
		return s.pick("u64", "i65", "u0", "i0", "x8", "u", "")
	}
	return s.pick("u", "i") + strconv.Itoa(1+s.IntN(63))
}

// bitOffset is where a bit is: for BITFIELD in units of the type, too.
func bitOffset(s *Source) string {
	offset := number(0, 200)(s)
	switch {
	case s.IntN(20) == 0:
		return s.pick("4294967296", "-1", "x")
	case strings.HasPrefix(s.command, "bitfield") && s.IntN(3) == 0:
		return "#" + strconv.Itoa(s.IntN(12)-1) // no more: Redis 7.0 multiplies without a look
	case len(offset) > 4:
		return "x" // what is not too large must not be large: 512 MB have to be made of it
	}
	return offset
}

// offset is one of bits, of bytes, or into a LIMIT.
func offset(s *Source) string {
	switch {
	case strings.Contains(s.command, "bit"):
		return bitOffset(s)
	case s.command == "setrange":
		return s.pick("0", "1", "2", "5", "20", "100", "-1", "x", "536870912", "9223372036854775807")
	}
	return number(-1, 5)(s)
}

// generators make values by the names that the Syntax column gives them.
var generators = map[string]func(s *Source) string{
	"key": key, "key1": key, "key2": key, "newkey": key, "source": key, "destination": key, "destkey": key, "dst": key, "src": key,
	"script": script, "sha1": scriptHash, "arg": value,
	"value": value, "element": member, "member": member, "field": member, "pivot": member,
	"increment": increment, "decrement": number(-9, 9), "score": score, "weight": float,
	"start": number(-8, 8), "stop": number(-8, 8), "end": number(-8, 8), "index": number(-8, 8), "offset": offset,
	"count": number(-2, 6), "rank": rank, "num-matches": number(0, 3), "len": number(0, 10), "limit": number(0, 4),
	"min": rangeEnd, "max": rangeEnd, "min-match-len": number(0, 4),
	"db": database, "destination-db": database, "index1": database, "index2": database,
	"ttl": duration(1), "frequency": number(0, 255), "serialized-value": dump,
	"cursor":  func(s *Source) string { return s.pick("0", "0", "0", "0", "0", "x", "") },
	"type":    func(s *Source) string { return s.pick("string", "list", "set", "zset", "hash", "nosuch") },
	"pattern": pattern, "encoding": bitEncoding, "bit": bit,
	"seconds": duration(1000), "milliseconds": duration(1), "unix-time-seconds": moment(1000), "unix-time-milliseconds": moment(1),
}

// dumps are what redis-server 7.0 returns for DUMP: an integer, a long string, a list, a set
// of integers and another one, and hashes and sorted sets in both of their forms.
var dumps = []string{
	"\x00\xc2\x90\xee\xfe\xff\x0a\x00(u\xde\x7b\x13\xeb(\x00",
	"\x00\xc3\x0f@\x8c\x07sessions\xe0y\x06\x01on\x0a\x000\xa8>\xd4\x85J[\x0d",
	"\x12\x01\x02\xc3\x191\x111\x00\x00\x00\x05\x00\x81a\x02\x0c\x01\xd4H\x02\x80\x01\x9ex\xe0\x14\x00\x01\x1f\xff\x0a\x00\xcc\xbf@ ]sRk",
	"\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x90\xee\xfe\xff\x03\x00\x00\x00\x05\x00\x00\x00\x0a\x00\xd4]\x0f\x1dy\xb7\xdd\xe3",
	"\x02\x03\xc0\x07\x01b\x01a\x0a\x00\x03\x94i\xd4\xe7;\x80?",
	"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\x0c\x01\xff\x0a\x00\x016\x94\x81\xd3[\x89t",
	"\x04\x01\x01f\xc3\x09\x1e\x01vv\xe0\x11\x00\x01vv\x0a\x00\x86\xaec\xf2\x83.F(",
	"\x11\x1d\x1d\x00\x00\x00\x06\x00\x81c\x02\x84-inf\x05\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff\x0a\x009\x923\x9b\xe1\x1f2=",
	"\x05\x02\xc3\x09\x1e\x01mm\xe0\x11\x00\x01mm\x00\x00\x00\x00\x00\x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?\x0a\x00\xea\x02\xc4\xb5f=B\x0e",
}

func dump(s *Source) string {
	if s.IntN(20) == 0 {
		return s.pick("", "x", dumps[0][:10])
	}
	return s.pick(dumps...)
}
