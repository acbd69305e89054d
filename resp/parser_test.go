package resp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func testParser() *parser {
	return &parser{maxBulk: 1 << 20, maxArgs: 1000, maxInline: 1024}
}

// parseAll feeds data in pieces to a parser and returns the commands, printed, and the
// error that ended it.
func parseAll(p *parser, data []byte, piece int) (commands []string, err error) {
	start, end := 0, 0
	for {
		n, args, err := p.next(data[start:end], nil)
		switch {
		case err != nil:
			return commands, err
		case n > 0:
			start += n
			if len(args) > 0 {
				commands = append(commands, fmt.Sprintf("%q", args))
			}
		case end == len(data):
			return commands, nil
		default:
			end = min(end+piece, len(data))
		}
	}
}

func TestParserPieces(t *testing.T) {
	data := []byte(command("SET", "k", "a\r\nb") + "PING 'a b'\r\n" + "*0\r\n" + "\r\n" + command("GET", "") +
		"*-1\r\n" + command("X", strings.Repeat("y", 3000)) + "*2\r\n$4\r\nECHO\r\n$1\r\nxAB" + "*1\r\n:")
	want := []string{`["SET" "k" "a\r\nb"]`, `["PING" "a b"]`, `["GET" ""]`,
		fmt.Sprintf("[%q %q]", "X", strings.Repeat("y", 3000)), `["ECHO" "x"]`}
	for piece := 1; piece <= len(data); piece = piece + 1 + piece/50 {
		got, err := parseAll(testParser(), data, piece)
		if strings.Join(got, " ") != strings.Join(want, " ") || err != nil {
			t.Fatalf("in pieces of %d: got %q, %v", piece, got, err)
		}
	}
}

func TestParserErrors(t *testing.T) {
	digits := strings.Repeat("1", 1030)
	for _, test := range []struct{ data, want string }{
		{"*1001\r\n", "invalid multibulk length"},
		{"*10000000\r\n", "invalid multibulk length"},
		{"*a\r\n", "invalid multibulk length"},
		{"*9223372036854775808\r\n", "invalid multibulk length"},
		{"*" + digits, "too big mbulk count string"},
		{"*1\r\n$" + digits, "too big bulk count string"},
		{"*1\r\n$1048577\r\n", "invalid bulk length"},
		{"*1\r\n$2147483648\r\n", "invalid bulk length"},
		{"*1\r\n$-1\r\n", "invalid bulk length"},
		{"*1\r\n+OK\r\n", "expected '$', got '+'"},
		{"*1\r\n\n\r\n", "expected '$', got ' '"},
		{strings.Repeat("x", 1025), "too big inline request"},
		{"GET \"k\n", "unbalanced quotes in request"},
		{"GET 'k'x\n", "unbalanced quotes in request"},
	} {
		_, err := parseAll(testParser(), []byte(test.data), 1)
		if err == nil || err.Error() != "Protocol error: "+test.want {
			t.Errorf("%.40q: got %v, want %s", test.data, err, test.want)
		}
	}
}

func TestParserAnonymous(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{"*10\r\n$16384\r\n", ""},
		{"*11\r\n", "Protocol error: unauthenticated multibulk length"},
		{"*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
	} {
		p := testParser()
		p.anonymous = true
		_, err := parseAll(p, []byte(test.data), 1)
		if got := fmt.Sprint(err); got != test.want && (err != nil || test.want != "") {
			t.Errorf("%q: got %v, want %q", test.data, err, test.want)
		}
	}
}

// TestParserIncremental bounds the work on a command that arrives byte by byte: what was
// looked at once is not looked at again.
func TestParserIncremental(t *testing.T) {
	var args []string
	for i := range 900 {
		args = append(args, fmt.Sprint("argument", i))
	}
	data := []byte(command(args...))
	p := testParser()
	for end := range data {
		if n, _, err := p.next(data[:end], nil); n != 0 || err != nil {
			t.Fatalf("after %d of %d bytes: %d, %v", end, len(data), n, err)
		}
		if end-p.pos > 32 {
			t.Fatalf("after %d bytes the parser is at %d still", end, p.pos)
		}
	}
	if n, got, _ := p.next(data, nil); n != len(data) || len(got) != len(args) {
		t.Errorf("got %d bytes, %d arguments", n, len(got))
	}
}

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "-1": -1, "10": 10, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
	} {
		if got, ok := parseInt([]byte(text)); !ok || got != want {
			t.Errorf("%q: got %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "+1", "01", "-0", " 1", "1 ", "1x", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999"} {
		if got, ok := parseInt([]byte(text)); ok {
			t.Errorf("%q: got %d, want none", text, got)
		}
	}
}

// FuzzParser checks that pieces make no difference, that arguments stay within what was
// sent, and that nothing panics.
func FuzzParser(f *testing.F) {
	f.Add([]byte(command("SET", "k", "v")+"PING\r\n"), 3)
	f.Add([]byte("*2\r\n$-5\r\nab"), 1)
	f.Add([]byte("GET \"\\x41\\\" \" 'a\\'b' c\r\n\x00\n"), 2)
	f.Add([]byte("*1\r\n$99999999\r\n"), 4)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		if piece < 1 {
			piece = 1
		}
		whole, wholeErr := parseAll(testParser(), data, max(len(data), 1))
		parts, partsErr := parseAll(testParser(), data, piece)
		if fmt.Sprint(whole, wholeErr) != fmt.Sprint(parts, partsErr) {
			t.Fatalf("whole: %q, %v\nin pieces of %d: %q, %v", whole, wholeErr, piece, parts, partsErr)
		}
		p := testParser()
		for rest := data; ; {
			n, args, err := p.next(rest, nil)
			if n == 0 || err != nil {
				break
			}
			total := 0
			for _, arg := range args {
				total += len(arg)
			}
			if n > len(rest) || total > n {
				t.Fatalf("%d bytes of arguments in a command of %d, of %d", total, n, len(rest))
			}
			rest = rest[n:]
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "a b", `"a\x00b" c`, `'a\'b'`, `"unbalanced`, "a\x00b", `a"b"`, `"\`, `"\x4`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		words, ok := splitWords(line, nil)
		if !bytes.Equal(line, before) {
			t.Fatal("the line was changed")
		}
		if !ok && len(words) > 0 {
			t.Fatalf("unbalanced, yet %q", words)
		}
		total := 0
		for _, word := range words {
			total += len(word)
		}
		if total > len(line) {
			t.Fatalf("%q is longer than %q", words, line)
		}
	})
}
