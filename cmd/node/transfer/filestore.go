package transfer

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// fileStore reads the folder of session-file-store: a file for each session, named by
// its id, with the session as JSON, the time of its last use in __lastAccess.
type fileStore struct {
	dir, extension string
	ttl            time.Duration
	names          []string
	next           int
}

// OpenFileStore lists the sessions of a folder. Sessions whose cookie does not expire
// last for ttl after their last use.
func OpenFileStore(dir, extension string, ttl time.Duration) (Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	f := &fileStore{dir: dir, extension: extension, ttl: ttl}
	for _, entry := range entries {
		// The store writes beside a file and renames: other names are such leftovers.
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), extension) {
			f.names = append(f.names, entry.Name())
		}
	}
	return f, nil
}

func (f *fileStore) Progress() (done, total int64) { return int64(f.next), int64(len(f.names)) }

func (f *fileStore) Close() error { return nil }

func (f *fileStore) Next() (Item, error) {
	for f.next < len(f.names) {
		name := f.names[f.next]
		f.next++
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended since the folder was listed
		}
		if err != nil {
			return Item{}, &Skip{name, Unreadable, err}
		}
		return f.read(name, text)
	}
	return Item{}, io.EOF
}

func (f *fileStore) read(name string, text []byte) (Item, error) {
	s, err := parseSession(text)
	if err != nil {
		return Item{}, &Skip{name, Unreadable, err}
	}
	if s.has("ct") && s.has("hmac") && !s.has("cookie") { // kruptein's
		return Item{}, &Skip{name, Encrypted, nil}
	}
	used := s.take("__lastAccess")
	deadline, named, err := s.expires()
	if err == nil && !named {
		var at int64
		if json.Unmarshal(used, &at) != nil || at < 1 {
			err = errors.New("no time of its last use")
		}
		deadline = at + f.ttl.Milliseconds()
	}
	if err != nil {
		return Item{}, &Skip{name, Unreadable, err}
	}
	return Item{Key: []byte(strings.TrimSuffix(name, f.extension)), Value: s.encode(), Deadline: deadline}, nil
}
