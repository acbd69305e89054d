package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// mongoDump reads the collection of connect-mongo as mongodump (BSON) or mongoexport
// (JSON) wrote it: documents {_id, session, expires, ...}, the session a string of JSON
// or, with the option stringify: false, a document.
type mongoDump struct {
	file      *os.File
	size      int64
	documents func() (bson.Raw, error) // the next; a *Skip, io.EOF or the end of the dump
	ttl       time.Duration
	read      int // documents
}

// maxDocument is MongoDB's limit of 16 MiB with room for what its tools add.
const maxDocument = 16<<20 + 16<<10

// OpenMongoDump opens a dump of a collection, which may be compressed by gzip. Sessions
// without an end last for ttl from now.
func OpenMongoDump(name string, ttl time.Duration) (Source, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	m := &mongoDump{file: file, ttl: ttl}
	if err := m.open(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (m *mongoDump) open() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	m.size = info.Size()
	in := bufio.NewReader(m.file)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		in = bufio.NewReader(unzipped)
	}
	m.documents, err = documents(in)
	return err
}

// documents tells BSON from JSON by what the first four bytes would be as the length
// of a document: any text is far above the limit.
func documents(in *bufio.Reader) (func() (bson.Raw, error), error) {
	start, err := in.Peek(4)
	if err == io.EOF && len(bytes.TrimSpace(start)) == 0 {
		return func() (bson.Raw, error) { return nil, io.EOF }, nil // an empty collection
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(start) == 4 {
		switch length := binary.LittleEndian.Uint32(start); {
		case length == 0x8199e26d:
			return nil, errors.New("an archive of mongodump; write the collection to a file instead, without --archive")
		case length <= maxDocument:
			return bsonDocuments(in), nil
		}
	}
	return jsonDocuments(in)
}

// bsonDocuments reads documents one after the other.
func bsonDocuments(in io.Reader) func() (bson.Raw, error) {
	var offset int64
	return func() (bson.Raw, error) {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err == io.EOF {
			return nil, io.EOF
		} else if err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("the document at byte %d: cut off", offset)
		} else if err != nil {
			return nil, fmt.Errorf("the document at byte %d: %w", offset, err)
		}
		length := binary.LittleEndian.Uint32(head[:])
		if length < 5 || length > maxDocument {
			return nil, fmt.Errorf("the document at byte %d: a length of %d", offset, length)
		}
		var document bytes.Buffer // grows with what is there, not with what is promised
		document.Write(head[:])
		if _, err := io.CopyN(&document, in, int64(length)-4); err == io.EOF {
			return nil, fmt.Errorf("the document at byte %d: cut off", offset)
		} else if err != nil {
			return nil, fmt.Errorf("the document at byte %d: %w", offset, err)
		}
		at := offset
		offset += int64(length)
		raw := bson.Raw(document.Bytes())
		if err := raw.Validate(); err != nil {
			return nil, &Skip{fmt.Sprintf("the document at byte %d", at), Unreadable, err}
		}
		return raw, nil
	}
}

// jsonDocuments reads extended JSON: documents one after the other, or an array.
func jsonDocuments(in *bufio.Reader) (func() (bson.Raw, error), error) {
	decoder := json.NewDecoder(in)
	array := false
	for {
		first, err := in.Peek(1)
		if err == io.EOF {
			return func() (bson.Raw, error) { return nil, io.EOF }, nil
		} else if err != nil {
			return nil, err
		}
		if bytes.ContainsAny(first, " \t\r\n") {
			in.Discard(1)
			continue
		}
		array = first[0] == '['
		if !array && first[0] != '{' {
			return nil, errors.New("neither BSON of mongodump nor JSON of mongoexport")
		}
		break
	}
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
	}
	return func() (bson.Raw, error) {
		if array && !decoder.More() {
			if _, err := decoder.Token(); err != nil {
				return nil, fmt.Errorf("the array's end at byte %d: %w", decoder.InputOffset(), unexpected(err))
			}
			return nil, io.EOF
		}
		at := decoder.InputOffset()
		var text json.RawMessage
		if err := decoder.Decode(&text); err == io.EOF && !array {
			return nil, io.EOF
		} else if err != nil {
			return nil, fmt.Errorf("the document behind byte %d: %w", at, unexpected(err))
		}
		var raw bson.Raw
		if err := bson.UnmarshalExtJSON(text, false, &raw); err != nil {
			return nil, &Skip{fmt.Sprintf("the document behind byte %d", at), Unreadable, err}
		}
		return raw, nil
	}, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (m *mongoDump) Progress() (done, total int64) {
	done, err := m.file.Seek(0, io.SeekCurrent)
	if err != nil {
		done = 0 // a pipe
	}
	return done, m.size
}

func (m *mongoDump) Close() error { return m.file.Close() }

func (m *mongoDump) Next() (Item, error) {
	document, err := m.documents()
	if err != nil {
		return Item{}, err
	}
	m.read++
	return readMongoSession(document, m.read, time.Now().Add(m.ttl).UnixMilli())
}
