package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// target is the cluster that is written to, through one node at a time. Whatever it
// sends may be sent twice and comes to the same.
type target struct {
	nodes    []string // URLs, the one in use first
	replace  bool
	dryRun   bool
	patience time.Duration

	conn redis.Conn // nil between connections
	db   int        // that conn is in
}

// outcome is what became of an item: "" for taken, else the reason why not.
type outcome string

const (
	unsent  outcome = "unsent"
	unknown outcome = "unknown" // sent, with no reply that decides: to be sent again
)

func (o outcome) decided() bool { return o != unsent && o != unknown }

// dial connects to the first node that answers.
func (t *target) dial() error {
	var errs []error
	for range t.nodes {
		u, err := url.Parse(t.nodes[0])
		if err != nil {
			return fmt.Errorf("%q is no URL: want redis://[user:password@]host:port", t.nodes[0])
		}
		t.conn, err = redis.DialURL(t.nodes[0], redis.DialConnectTimeout(5*time.Second),
			redis.DialReadTimeout(30*time.Second), redis.DialWriteTimeout(30*time.Second), redis.DialClientName("holdfast-import"))
		if err == nil {
			t.db, _ = urlDatabase(u)
			return nil
		}
		errs = append(errs, fmt.Errorf("connect to %s: %w", u.Redacted(), err))
		t.nodes = append(t.nodes[1:], t.nodes[0])
	}
	return errors.Join(errs...)
}

// selects sees that a database is there.
func (t *target) selects(db int) error {
	if _, err := t.conn.Do("SELECT", db); err != nil {
		return fmt.Errorf("database %d: %w", db, err)
	}
	t.db = db
	return nil
}

// urlDatabase is the database that a URL names.
func urlDatabase(u *url.URL) (db int, named bool) {
	db, err := strconv.Atoi(strings.TrimPrefix(u.Path, "/"))
	return db, err == nil
}

// write brings items to the cluster. What a lost connection or a change of leaders
// leaves undecided is sent again, for as long as the target's patience lasts.
func (t *target) write(items []Item) ([]outcome, error) {
	outcomes := slices.Repeat([]outcome{unsent}, len(items))
	for begun, wait := time.Now(), 50*time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := t.attempt(items, outcomes)
		if !slices.ContainsFunc(outcomes, func(o outcome) bool { return !o.decided() }) {
			return outcomes, nil
		}
		if t.conn != nil && t.conn.Err() != nil {
			t.Close()
		}
		var final finalError
		if errors.As(err, &final) || time.Since(begun) > t.patience {
			return outcomes, err
		}
		time.Sleep(wait)
	}
}

// finalError is one that does not pass with time.
type finalError struct{ error }

// attempt sends in one pipeline what is not decided yet, and notes what becomes of it.
// The error is the last of those for which something is undecided still.
func (t *target) attempt(items []Item, outcomes []outcome) error {
	if t.conn == nil {
		if err := t.dial(); err != nil {
			var refusal redis.Error
			if errors.As(err, &refusal) && !passing(refusal) {
				return finalError{err}
			}
			return err
		}
	}
	var sent []int // index of the item, or -1 for a SELECT
	again := make([]bool, len(items))
	for i, item := range items {
		if outcomes[i].decided() {
			continue
		}
		if item.DB != t.db {
			t.conn.Send("SELECT", item.DB)
			sent, t.db = append(sent, -1), item.DB
		}
		again[i] = outcomes[i] == unknown
		command, args := t.command(item, again[i])
		t.conn.Send(command, args...)
		sent, outcomes[i] = append(sent, i), unknown
	}
	if err := t.conn.Flush(); err != nil {
		return err
	}
	var last error
	for _, i := range sent {
		reply, err := t.conn.Receive()
		if t.conn.Err() != nil {
			return err
		}
		if i < 0 && err == nil {
			continue
		}
		var o outcome
		if i >= 0 {
			o, err = t.decide(items[i], again[i], reply, err)
			outcomes[i] = o
		}
		if err != nil {
			last = err
			var final finalError
			if i < 0 || errors.As(err, &final) {
				t.Close() // the other replies would be taken for those of the next
				return finalError{err}
			}
		}
	}
	return last
}

// command is how an item is asked for or written. A string that is sent again is asked
// for as well: it may be there because its first reply was lost.
func (t *target) command(item Item, again bool) (string, []any) {
	switch {
	case t.dryRun && t.replace:
		return "PING", nil
	case t.dryRun:
		return "EXISTS", []any{item.Key}
	case item.Dump:
		args := []any{item.Key, item.Deadline, item.Value, "ABSTTL"}
		if t.replace {
			args = append(args, "REPLACE")
		}
		return "RESTORE", args
	}
	args := []any{item.Key, item.Value}
	if item.Deadline != 0 {
		args = append(args, "PXAT", item.Deadline)
	}
	if !t.replace {
		args = append(args, "NX")
		if again {
			args = append(args, "GET")
		}
	}
	return "SET", args
}

// decide reads an item's fate from the reply to its command.
func (t *target) decide(item Item, again bool, reply any, err error) (outcome, error) {
	refusal, ok := err.(redis.Error)
	was, there := reply.([]byte) // of SET NX GET
	switch {
	case there && bytes.Equal(was, item.Value):
		return "", nil
	case there, err == nil && reply == int64(1): // EXISTS
		return present, nil
	case err == nil && reply == nil && !again: // SET NX; with GET, nothing was there
		return present, nil
	case err == nil:
		return "", nil
	case !ok:
		return unknown, err
	case strings.HasPrefix(string(refusal), "BUSYKEY "), strings.HasPrefix(string(refusal), "WRONGTYPE "):
		return present, nil
	case passing(refusal):
		return unknown, err
	case strings.HasPrefix(string(refusal), "ERR "):
		return outcome(refused + ": " + strings.TrimPrefix(string(refusal), "ERR ")), nil
	}
	return unknown, finalError{err} // NOPERM, OOM and their like concern every item
}

// passing are errors after which the same may be sent again.
func passing(err redis.Error) bool {
	code, _, _ := strings.Cut(string(err), " ")
	return slices.Contains([]string{"CLUSTERDOWN", "UNCERTAIN", "LOADING", "TRYAGAIN", "BUSY", "MASTERDOWN"}, code)
}

func (t *target) Close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}
