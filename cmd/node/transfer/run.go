package transfer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say where keys go, and how.
type Options struct {
	To         []string      // URLs of nodes; another is tried when one is gone
	Prefix     string        // put before every key
	DB         int           // of every key; below 0: that of the URL, else the item's own
	Replace    bool          // write over what is there
	DryRun     bool          // read, ask and count, but write nothing
	BatchKeys  int           // most keys of a pipeline
	BatchBytes int           // most bytes of a pipeline, unless one key is longer
	Patience   time.Duration // how long a cluster that does not answer is waited for
	Messages   io.Writer     // where what is left out is named
	Progress   func(done, total int64)
}

// Summary is what became of a source.
type Summary struct {
	Taken   int
	Skipped map[string]int // by reason
}

// Read is how many items the source had.
func (s Summary) Read() int {
	n := s.Taken
	for _, skipped := range s.Skipped {
		n += skipped
	}
	return n
}

// Failed is how many were left out that should not have been.
func (s Summary) Failed() int {
	n := 0
	for reason, skipped := range s.Skipped {
		if !expected(reason) {
			n += skipped
		}
	}
	return n
}

// Run copies a source into a cluster. On an error the summary holds what was done
// until then, and Run may begin again.
func Run(source Source, options Options) (Summary, error) {
	r := run{Options: options, summary: Summary{Skipped: map[string]int{}},
		target: target{nodes: slices.Clone(options.To), replace: options.Replace, dryRun: options.DryRun, patience: options.Patience}}
	defer r.target.Close()
	if err := r.chooseDatabase(); err != nil {
		return r.summary, err
	}
	if err := r.target.dial(); err != nil { // a wrong address is told at once
		return r.summary, err
	}
	if r.DB >= 0 {
		if err := r.target.selects(r.DB); err != nil {
			return r.summary, err
		}
	}
	r.longest = r.target.longest()
	for {
		item, err := source.Next()
		if r.Progress != nil {
			r.Progress(source.Progress())
		}
		var skip *Skip
		switch {
		case errors.Is(err, io.EOF):
			return r.summary, r.flush()
		case errors.As(err, &skip):
			r.skip(*skip)
			continue
		case err != nil:
			return r.summary, errors.Join(err, r.flush())
		}
		if err := r.add(item); err != nil {
			return r.summary, err
		}
	}
}

type run struct {
	Options
	target  target
	longest int // bytes of a value that the target takes
	batch   []Item
	bytes   int // of batch
	summary Summary
}

func (r *run) chooseDatabase() error {
	if len(r.To) == 0 {
		return errors.New("no node to write to")
	}
	u, err := parseURL(r.To[0])
	if err != nil {
		return err
	}
	if db, named := urlDatabase(u); named && r.DB < 0 {
		r.DB = db
	}
	return nil
}

func (r *run) add(item Item) error {
	if item.Deadline != 0 && item.Deadline <= time.Now().UnixMilli() {
		r.skip(Skip{Reason: Expired})
		return nil
	}
	item.Key = append([]byte(r.Prefix), item.Key...)
	if len(item.Value) > r.longest {
		r.skip(Skip{fmt.Sprintf("%q", item.Key), tooLong, fmt.Errorf("%d bytes, %d are possible (proto-max-bulk-len)", len(item.Value), r.longest)})
		return nil
	}
	if r.DB >= 0 {
		item.DB = r.DB
	}
	size := len(item.Key) + len(item.Value)
	if len(r.batch) > 0 && (len(r.batch) == r.BatchKeys || r.bytes+size > r.BatchBytes) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.batch, r.bytes = append(r.batch, item), r.bytes+size
	return nil
}

func (r *run) flush() error {
	if len(r.batch) == 0 {
		return nil
	}
	outcomes, err := r.target.write(r.batch)
	for i, o := range outcomes {
		switch reason, detail, _ := strings.Cut(string(o), ": "); {
		case o == "":
			r.summary.Taken++
		case o.decided():
			skip := Skip{Name: fmt.Sprintf("%q", r.batch[i].Key), Reason: reason}
			if detail != "" {
				skip.Err = errors.New(detail)
			}
			r.skip(skip)
		}
	}
	r.batch, r.bytes = r.batch[:0], 0
	return err
}

// skip counts, and names what the user must look at.
func (r *run) skip(s Skip) {
	r.summary.Skipped[s.Reason]++
	if !expected(s.Reason) {
		fmt.Fprintf(r.Messages, "left out: %v\n", &s)
	}
}
