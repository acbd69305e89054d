package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// readMongoSession turns a document of connect-mongo into an item. Its deadline is the
// document's, as that of the cookie within may be older: connect-mongo's touch moves
// only the former.
func readMongoSession(document bson.Raw, number int, fallback int64) (Item, error) {
	id, ok := document.Lookup("_id").StringValueOK()
	if !ok {
		return Item{}, &Skip{fmt.Sprintf("document %d", number), Unreadable, errors.New("its _id is no string")}
	}
	deadline, err := mongoDeadline(document, fallback)
	if err != nil {
		return Item{}, &Skip{id, Unreadable, err}
	}
	text, err := mongoText(document.Lookup("session"))
	if err != nil {
		return Item{}, &Skip{id, Unreadable, err}
	}
	s, err := parseSession(text)
	if err != nil && isCipher(text) {
		return Item{}, &Skip{id, Encrypted, nil}
	}
	if err == nil {
		_, _, err = s.expires()
	}
	if err != nil {
		return Item{}, &Skip{id, Unreadable, err}
	}
	return Item{Key: []byte(id), Value: s.encode(), Deadline: deadline}, nil
}

func mongoDeadline(document bson.Raw, fallback int64) (int64, error) {
	expires, err := document.LookupErr("expires")
	if err != nil || expires.Type == bson.TypeNull {
		return fallback, nil
	}
	at, ok := expires.DateTimeOK()
	if !ok {
		return 0, fmt.Errorf("it expires at %s", expires)
	}
	return max(at, 1), nil // 0 would mean never
}

func mongoText(value bson.RawValue) ([]byte, error) {
	if text, ok := value.StringValueOK(); ok {
		return []byte(text), nil
	}
	if _, ok := value.DocumentOK(); !ok {
		return nil, errors.New("no session in it")
	}
	var out bytes.Buffer
	err := writeJSON(&out, value, 0)
	return out.Bytes(), err
}

// isCipher recognizes what connect-mongo's two adapters for encryption leave: bytes in
// base64 or hexadecimal.
func isCipher(text []byte) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"
	return len(text) >= 32 && strings.Trim(string(text), alphabet) == ""
}

// maxDepth is how deep MongoDB lets documents nest.
const maxDepth = 100

// writeJSON writes a value as JSON.stringify writes what Node's driver makes of it.
// What has no such form is refused.
func writeJSON(out *bytes.Buffer, value bson.RawValue, depth int) error {
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	switch value.Type {
	case bson.TypeEmbeddedDocument:
		return writeElements(out, value.Document(), '{', '}', depth)
	case bson.TypeArray:
		return writeElements(out, bson.Raw(value.Array()), '[', ']', depth)
	case bson.TypeString:
		writeString(out, value.StringValue())
	case bson.TypeSymbol:
		writeString(out, value.Symbol())
	case bson.TypeObjectID:
		writeString(out, value.ObjectID().Hex())
	case bson.TypeBoolean:
		out.WriteString(strconv.FormatBool(value.Boolean()))
	case bson.TypeNull, bson.TypeUndefined:
		out.WriteString("null")
	case bson.TypeInt32:
		out.WriteString(strconv.Itoa(int(value.Int32())))
	case bson.TypeInt64:
		out.WriteString(strconv.FormatInt(value.Int64(), 10))
	case bson.TypeDouble:
		writeNumber(out, value.Double())
	case bson.TypeDateTime:
		at := time.UnixMilli(value.DateTime()).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return fmt.Errorf("a date in the year %d", at.Year())
		}
		writeString(out, at.Format("2006-01-02T15:04:05.000Z"))
	default:
		return fmt.Errorf("a value of the type %s, which JSON has not", value.Type)
	}
	return nil
}

func writeElements(out *bytes.Buffer, document bson.Raw, open, end byte, depth int) error {
	elements, err := document.Elements()
	if err != nil {
		return err
	}
	out.WriteByte(open)
	for i, element := range elements {
		if i > 0 {
			out.WriteByte(',')
		}
		if open == '{' {
			writeString(out, element.Key())
			out.WriteByte(':')
		}
		if err := writeJSON(out, element.Value(), depth+1); err != nil {
			return fmt.Errorf("%s: %w", element.Key(), err)
		}
	}
	out.WriteByte(end)
	return nil
}

func writeNumber(out *bytes.Buffer, number float64) {
	switch {
	case math.IsNaN(number) || math.IsInf(number, 0):
		out.WriteString("null")
	case number == 0:
		out.WriteByte('0') // -0, too
	default:
		text, err := json.Marshal(number) // as ECMAScript writes it
		if err != nil {
			panic(err) // it is finite
		}
		out.Write(text)
	}
}
