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
		u, err := parseURL(t.nodes[0])
		if err != nil {
			return err
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

// parseURL does not repeat what it cannot read: there may be a password in it.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errors.New("--to is no URL: want redis://[user:password@]host:port")
	}
	return u, nil
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
		if isFinal(err) || time.Since(begun) > t.patience {
			return outcomes, err
		}
		time.Sleep(wait)
	}
}

// attempt sends in one pipeline what is not decided yet, and notes what becomes of it.
// The error is the last of those that left something undecided.
func (t *target) attempt(items []Item, outcomes []outcome) error {
	if t.conn == nil {
		if err := t.dial(); err != nil {
			return lasting(err)
		}
	}
	again := make([]bool, len(items))
	var sent []int // the items' indexes, in the order of the replies; -1 for a SELECT
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
		t.conn.Send(command, args...) // if it fails, Flush does, too
		sent, outcomes[i] = append(sent, i), unknown
	}
	if err := t.conn.Flush(); err != nil {
		return err
	}
	var last error
	for _, i := range sent {
		reply, err := t.conn.Receive()
		switch {
		case t.conn.Err() != nil:
			return err
		case i >= 0:
			outcomes[i], err = decide(items[i], again[i], reply, err)
		case err != nil: // what follows is not where it should be
			err = finalError{err}
		}
		if err != nil {
			last = err
		}
		if isFinal(err) {
			t.Close() // with the replies that nobody reads any more
			return err
		}
	}
	return last
}

// finalError is one that does not pass with time.
type finalError struct{ error }

func isFinal(err error) bool {
	var final finalError
	return errors.As(err, &final)
}

// lasting makes final what a node answered and will answer again.
func lasting(err error) error {
	var refusal redis.Error
	if errors.As(err, &refusal) && !passing(refusal) {
		return finalError{err}
	}
	return err
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
func decide(item Item, again bool, reply any, err error) (outcome, error) {
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
	case strings.HasPrefix(string(refusal), "ERR "):
		return outcome(refused + ": " + strings.TrimPrefix(string(refusal), "ERR ")), nil
	}
	return unknown, lasting(err) // NOPERM, OOM and their like concern every item
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

// longest is how long a value may be that the target takes: nodes close the connection on a
// longer one. Who may not ask gets their default.
func (t *target) longest() int {
	reply, err := redis.Strings(t.conn.Do("CONFIG", "GET", "proto-max-bulk-len"))
	if err == nil && len(reply) == 2 {
		if n, err := strconv.Atoi(reply[1]); err == nil {
			return n
		}
	}
	return 32 << 20
}
