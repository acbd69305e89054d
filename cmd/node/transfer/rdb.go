package transfer

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"holdfast/fsm"
)

// Foreign is the reason why streams and values of modules are not taken.
const Foreign = "of a type that has no place here"

// rdb reads the RDB file of a Redis, or a backup.
type rdb struct {
	file *os.File
	size int64
	read int64 // bytes
	next func() (fsm.DumpedKey, error, bool)
	stop func()
}

// OpenRDB opens an RDB file. It reads all of it first, so that nothing is taken of a file that
// is damaged, or holds values for which there is no place, unless those are to be skipped.
func OpenRDB(path string, skipForeign bool) (Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := checkRDB(file, skipForeign); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	r := &rdb{file: file, size: size}
	r.next, r.stop = iter.Pull2(fsm.ReadDump(r))
	return r, nil
}

func checkRDB(file io.Reader, skipForeign bool) error {
	first, foreign := "", 0
	for key, err := range fsm.ReadDump(file) {
		if err != nil {
			return err
		}
		if key.Foreign() && !skipForeign {
			if foreign++; foreign == 1 {
				first = fmt.Sprintf("key %q in database %d is a %s", key.Key, key.DB, key.Type)
			}
		}
	}
	if foreign > 0 {
		return fmt.Errorf("%s, and there is no place here for that (%d such keys; --skip-unknown leaves them out)", first, foreign)
	}
	return nil
}

// Read is the file's, counted.
func (r *rdb) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.read += int64(n)
	return n, err
}

func (r *rdb) Progress() (done, total int64) { return r.read, r.size }

func (r *rdb) Close() error {
	r.stop()
	return r.file.Close()
}

func (r *rdb) Next() (Item, error) {
	key, err, ok := r.next()
	switch {
	case !ok:
		return Item{}, io.EOF
	case err != nil:
		return Item{}, err
	case key.Foreign():
		return Item{}, &Skip{fmt.Sprintf("%q", key.Key), Foreign, errors.New(key.Type)}
	case key.Empty:
		return Item{}, &Skip{fmt.Sprintf("%q", key.Key), Unreadable, errors.New("a collection without elements")}
	}
	item := Item{DB: int(min(key.DB, 1<<30)), Key: key.Key, Deadline: int64(key.Deadline)}
	if text, ok := key.Text(); ok {
		item.Value = text
	} else {
		item.Value, item.Dump = key.Dump(), true
	}
	return item, nil
}
