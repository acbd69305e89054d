package transfer

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseSession(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{}`, `{}`},
		{` { "b" : 1 , "a" : [ 1, { "c" : null } ] } `, `{"b":1,"a":[1,{"c":null}]}`},
		{`{"html":"<a>&","line":"a\nb","lone":"\ud800"}`, `{"html":"<a>&","line":"a\nb","lone":"\ud800"}`},
		{`{"<a>":1}`, `{"<a>":1}`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{`{"n":1.50e2}`, `{"n":1.50e2}`},
	} {
		s, err := parseSession([]byte(test.text))
		if got := string(s.encode()); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{``, `null`, `[]`, `"{}"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{a:1}`, `{} {}`, `{}x`, `{}}`, `{"a":01}`} {
		if s, err := parseSession([]byte(text)); err == nil {
			t.Errorf("%s: taken for %s", text, s.encode())
		}
	}
}

func TestSessionExpires(t *testing.T) {
	for _, test := range []struct {
		text, err string
		at        int64
		named     bool
	}{
		{text: `{"cookie":{"expires":"2026-11-24T20:35:31.906Z"}}`, at: 1795552531906, named: true},
		{text: `{"cookie":{"expires":"1970-01-01T00:00:00.000Z"}}`, at: 1, named: true},
		{text: `{"cookie":{"expires":null}}`},
		{text: `{"cookie":{"expires":false}}`},
		{text: `{"cookie":{"originalMaxAge":null}}`},
		{text: `{"cookie":{"expires":"soon"}}`, err: "expires at soon"},
		{text: `{"cookie":{"expires":5}}`, err: "expires at 5"},
		{text: `{"cookie":null}`, err: "none"},
		{text: `{"cookie":"none"}`, err: "none"},
		{text: `{"user":"ada"}`, err: "no cookie"},
	} {
		s, err := parseSession([]byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		at, named, err := s.expires()
		if at != test.at || named != test.named || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %d, %v, %v, want %d, %v, %q", test.text, at, named, err, test.at, test.named, test.err)
		}
	}
}

// What is taken for a session is the JSON that it was: the same to any reader, and
// written the same when it is read again.
func FuzzParseSession(f *testing.F) {
	for _, seed := range []string{`{}`, `{"cookie":{"expires":"2026-11-24T20:35:31.906Z"},"a":[1,null,"\u0000<"],"__lastAccess":5}`, `{"a":1,"a":2}`, "{\"\xff\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSession(text)
		if (err == nil) != (json.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		s.expires()
		once := s.encode()
		var before, after any
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(once, &after) != nil {
			t.Fatalf("%q became %q", text, once)
		}
		if was, is := marshal(t, before), marshal(t, after); was != is {
			t.Fatalf("%q became %q: %s and %s", text, once, was, is)
		}
		again, err := parseSession(once)
		if err != nil || !bytes.Equal(again.encode(), once) {
			t.Fatalf("%q became %q and then %q, %v", text, once, again.encode(), err)
		}
	})
}

func marshal(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
