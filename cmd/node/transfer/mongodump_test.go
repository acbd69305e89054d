package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

var soon = bson.DateTime(1795552531906)

func encode(t testing.TB, document any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestReadMongoSession(t *testing.T) {
	const text = `{"cookie":{"originalMaxAge":9,"expires":"2020-01-01T00:00:00.000Z"},"user":"ada"}`
	cookie := bson.D{{Key: "originalMaxAge", Value: 60000.0}, {Key: "partitioned", Value: nil}, {Key: "expires", Value: soon}, {Key: "path", Value: "/"}}
	cipher := strings.Repeat("MIIB/+", 20) + "=="
	deep := bson.D{}
	for range 200 {
		deep = bson.D{{Key: "d", Value: deep}}
	}
	for _, test := range []struct {
		name     string
		document bson.D
		want     string // the value, or what is wrong
	}{
		{"a string", bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: soon}, {Key: "session", Value: text}}, text},
		{"a document", bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: soon}, {Key: "session", Value: bson.D{{Key: "cookie", Value: cookie}, {Key: "cart", Value: bson.A{
			int32(1), int64(1) << 60, 1.5, 1e21, math.Copysign(0, -1), math.NaN(), true, "<é\x00", bson.ObjectID{1, 2}, bson.Symbol("s"), bson.D{}, bson.A{},
		}}}}},
			`{"cookie":{"originalMaxAge":60000,"partitioned":null,"expires":"2026-11-24T20:35:31.906Z","path":"/"},` +
				`"cart":[1,1152921504606846976,1.5,1e+21,0,null,true,"<é\u0000","010200000000000000000000","s",{},[]]}`},
		{"encrypted", bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: soon}, {Key: "session", Value: cipher}}, "a: encrypted"},
		{"broken", bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: text[:30]}}, "a: unreadable: unexpected EOF"},
		{"short", bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: "abc"}}, "a: unreadable: invalid character 'a' looking for beginning of value"},
		{"no session", bson.D{{Key: "_id", Value: "a"}}, "a: unreadable: no session in it"},
		{"no cookie", bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: "{}"}}, "a: unreadable: no cookie"},
		{"another id", bson.D{{Key: "_id", Value: 7}, {Key: "session", Value: text}}, "document 3: unreadable: its _id is no string"},
		{"another end", bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: "x"}, {Key: "session", Value: text}}, `a: unreadable: it expires at "x"`},
		{"no JSON", bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: bson.D{{Key: "cookie", Value: cookie}, {Key: "x", Value: bson.Regex{Pattern: "y"}}}}},
			"a: unreadable: x: a value of the type regex, which JSON has not"},
		{"deep", bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: deep}}, "nested too deep"},
	} {
		item, err := readMongoSession(encode(t, test.document), 3, 5000)
		got := string(item.Value)
		if err != nil {
			got = err.Error()
		} else if string(item.Key) != "a" || item.Deadline != int64(soon) {
			t.Errorf("%s: got %+v", test.name, item)
		}
		if got != test.want && !(test.name == "deep" && strings.HasSuffix(got, test.want)) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	for _, document := range []bson.D{
		{{Key: "_id", Value: "a"}, {Key: "session", Value: text}},
		{{Key: "_id", Value: "a"}, {Key: "session", Value: text}, {Key: "expires", Value: nil}},
	} {
		if item, err := readMongoSession(encode(t, document), 3, 5000); err != nil || item.Deadline != 5000 {
			t.Errorf("%v: got %d, %v, want the fallback", document, item.Deadline, err)
		}
	}
}

// dumps are one collection in every form.
func dumps(t testing.TB, documents ...any) map[string][]byte {
	var whole, lines, canonical, array, pretty bytes.Buffer
	array.WriteByte('[')
	for i, document := range documents {
		raw := encode(t, document)
		whole.Write(raw)
		line, err := bson.MarshalExtJSON(raw, false, false)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
		if i > 0 {
			array.WriteString(",\n")
		}
		array.Write(line)
		json.Indent(&pretty, line, "", "\t")
		if line, err = bson.MarshalExtJSON(raw, true, false); err != nil {
			t.Fatal(err)
		}
		canonical.Write(append(line, '\n'))
	}
	array.WriteString("]\n")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(whole.Bytes())
	z.Close()
	return map[string][]byte{"bson": whole.Bytes(), "bson.gz": zipped.Bytes(), "json": lines.Bytes(),
		"canonical": canonical.Bytes(), "array": array.Bytes(), "pretty": pretty.Bytes()}
}

func openDump(t *testing.T, text []byte) (Source, error) {
	name := filepath.Join(t.TempDir(), "sessions")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return OpenMongoDump(name, time.Hour)
}

func TestMongoDumpForms(t *testing.T) {
	session := bson.D{{Key: "cookie", Value: bson.D{{Key: "expires", Value: soon}}}, {Key: "n", Value: int32(7)}, {Key: "f", Value: 1.5}}
	for name, text := range dumps(t,
		bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: soon}, {Key: "session", Value: `{"cookie":{}}`}},
		bson.D{{Key: "_id", Value: "b"}, {Key: "session", Value: "nothing"}},
		bson.D{{Key: "_id", Value: "c"}, {Key: "expires", Value: soon}, {Key: "session", Value: session}},
	) {
		source, err := openDump(t, text)
		if err != nil {
			t.Fatal(err)
		}
		lines, items := all(t, source)
		want := `a {"cookie":{}}` + "\n" + `b: unreadable: invalid character 'o' in literal null (expecting 'u')` + "\n" +
			`c {"cookie":{"expires":"2026-11-24T20:35:31.906Z"},"n":7,"f":1.5}`
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		for _, item := range items {
			if item.Deadline != int64(soon) {
				t.Errorf("%s: deadline %d", name, item.Deadline)
			}
		}
	}
}

func TestMongoDumpEmpty(t *testing.T) {
	for _, text := range []string{"", "\n", "   \n\n  ", "[]", "[ ]\n"} {
		source, err := openDump(t, []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if lines, _ := all(t, source); len(lines) != 0 {
			t.Errorf("%q: got %q", text, lines)
		}
	}
}

// Damage is told with its place; what stands before it is taken.
func TestMongoDumpDamaged(t *testing.T) {
	first := bson.D{{Key: "_id", Value: "a"}, {Key: "session", Value: `{"cookie":{}}`}}
	whole := dumps(t, first, first)
	size := len(encode(t, first))
	invalid := bytes.Clone(whole["bson"])
	invalid[4] = 0xee // no such type
	for name, test := range map[string]struct {
		text []byte
		want []string
	}{
		"cut":       {whole["bson"][:size+20], []string{`a {"cookie":{}}`, "end: the document at byte 43: cut off"}},
		"cut early": {whole["bson"][:size+2], []string{`a {"cookie":{}}`, "end: the document at byte 43: cut off"}},
		"length":    {append(bytes.Clone(whole["bson"][:size]), 1, 0, 0, 0, 0), []string{`a {"cookie":{}}`, "end: the document at byte 43: a length of 1"}},
		"inside":    {invalid, []string{"the document at byte 0: unreadable: ", `a {"cookie":{}}`}},
		"gzip":      {whole["bson.gz"][:len(whole["bson.gz"])-4], []string{`a {"cookie":{}}`, `a {"cookie":{}}`, "end: "}},
		"json":      {whole["json"][:len(whole["json"])-10], []string{`a {"cookie":{}}`, "end: the document behind byte 39: unexpected EOF"}},
		"array":     {whole["array"][:len(whole["array"])-2], []string{`a {"cookie":{}}`, `a {"cookie":{}}`, "end: "}},
		"no date":   {[]byte(`{"_id":"a","expires":{"$date":"x"}} {}`), []string{"the document behind byte 0: unreadable: ", "document 1: unreadable: its _id is no string"}},
	} {
		source, err := openDump(t, test.text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, _ := all(t, source)
		if len(lines) != len(test.want) {
			t.Errorf("%s: got %q", name, lines)
			continue
		}
		for i := range lines {
			if !strings.HasPrefix(lines[i], test.want[i]) {
				t.Errorf("%s: got %q, want %q", name, lines, test.want)
			}
		}
	}
	for text, want := range map[string]string{
		"id,session\n":     "neither BSON of mongodump nor JSON of mongoexport",
		"\x6d\xe2\x99\x81": "an archive of mongodump",
		"\x1f\x8bx":        "gzip",
	} {
		if _, err := openDump(t, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// No bytes make the reader panic, or run for ever; what it takes is a session.
func FuzzMongoDump(f *testing.F) {
	for _, text := range dumps(f,
		bson.D{{Key: "_id", Value: "a"}, {Key: "expires", Value: soon}, {Key: "session", Value: `{"cookie":{}}`}},
		bson.D{{Key: "_id", Value: "c"}, {Key: "session", Value: bson.D{{Key: "cookie", Value: bson.D{}}, {Key: "x", Value: bson.A{1.5, nil, bson.ObjectID{}, soon}}}}},
	) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		next, err := documents(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		for range len(text) + 2 { // a document is a byte at least
			raw, err := next()
			var skip *Skip
			if errors.As(err, &skip) {
				continue
			}
			if err != nil {
				return
			}
			item, err := readMongoSession(raw, 1, 1)
			if err != nil {
				continue
			}
			s, err := parseSession(item.Value)
			if err != nil || !s.has("cookie") || item.Deadline == 0 {
				t.Fatalf("%q gives %+v, %v", text, item, err)
			}
		}
		if _, err := next(); err != io.EOF {
			t.Fatalf("%q does not end", text)
		}
	})
}
