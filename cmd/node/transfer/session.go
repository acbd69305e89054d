package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// session is one of express-session's, as its stores write it: a JSON object that has
// a cookie.
type session struct {
	fields []field // in the order in which they are written
}

type field struct {
	name  string
	value json.RawMessage
}

// parseSession reads a JSON object, and no more than one.
func parseSession(text []byte) (session, error) {
	var s session
	in := json.NewDecoder(bytes.NewReader(text))
	if open, err := in.Token(); err != nil {
		return s, err
	} else if open != json.Delim('{') {
		return s, errors.New("no JSON object")
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return s, err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return s, err
		}
		s.set(name.(string), value)
	}
	if _, err := in.Token(); err != nil {
		return s, err
	}
	if _, err := in.Token(); err != io.EOF {
		return s, fmt.Errorf("more behind the object, at byte %d", in.InputOffset())
	}
	return s, nil
}

// set replaces a field of that name: the last one counts, as for JSON.parse.
func (s *session) set(name string, value json.RawMessage) {
	if i := s.index(name); i >= 0 {
		s.fields[i].value = value
		return
	}
	s.fields = append(s.fields, field{name, value})
}

func (s *session) index(name string) int {
	return slices.IndexFunc(s.fields, func(f field) bool { return f.name == name })
}

// take removes a field and returns its value, nil if there is none.
func (s *session) take(name string) json.RawMessage {
	i := s.index(name)
	if i < 0 {
		return nil
	}
	value := s.fields[i].value
	s.fields = slices.Delete(s.fields, i, i+1)
	return value
}

func (s *session) has(name string) bool { return s.index(name) >= 0 }

// encode writes the session as connect-redis does: without a space.
func (s *session) encode() []byte {
	out := bytes.NewBufferString("{")
	for i, f := range s.fields {
		if i > 0 {
			out.WriteByte(',')
		}
		writeString(out, f.name)
		out.WriteByte(':')
		if err := json.Compact(out, f.value); err != nil {
			panic(err) // it was decoded
		}
	}
	out.WriteByte('}')
	return out.Bytes()
}

func writeString(out *bytes.Buffer, text string) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string can be written
	}
	out.Truncate(out.Len() - 1) // Encode ends a line
}

// expires is the moment that the cookie names, in Unix milliseconds, if it names one:
// else it lasts as long as the browser. A session without a cookie is none, and
// express-session would fail on it.
func (s *session) expires() (at int64, named bool, err error) {
	i := s.index("cookie")
	if i < 0 {
		return 0, false, errors.New("no cookie")
	}
	var cookie *struct {
		Expires any `json:"expires"`
	}
	if err := json.Unmarshal(s.fields[i].value, &cookie); err != nil || cookie == nil {
		return 0, false, errors.New("its cookie is none")
	}
	switch expires := cookie.Expires.(type) {
	case nil:
		return 0, false, nil
	case bool: // false, in old versions
		return 0, false, nil
	case string:
		if moment, err := time.Parse(time.RFC3339, expires); err == nil {
			return max(moment.UnixMilli(), 1), true, nil // 0 would mean never
		}
	}
	return 0, false, fmt.Errorf("its cookie expires at %v", cookie.Expires)
}
