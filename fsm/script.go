package fsm

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

var scriptCommands = []Command{
	{Name: "EVAL", Arity: -3, Flags: Write | NoScript | Stale | SkipMonitor | NoMandatoryKeys, Keys: KeySpec{NumKeys: 2}, Group: "scripting", Since: "2.6.0",
		Summary: "Runs a Lua script.", Syntax: "script numkeys [key [key ...]] [arg [arg ...]]", Cost: "Depends on the script that is executed.", Run: evalCommand(false, false)},
	{Name: "EVALSHA", Arity: -3, Flags: Write | NoScript | Stale | SkipMonitor | NoMandatoryKeys, Keys: KeySpec{NumKeys: 2}, Group: "scripting", Since: "2.6.0",
		Summary: "Runs a Lua script that is known by its hash.", Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Cost: "Depends on the script that is executed.", Run: evalCommand(true, false)},
	{Name: "EVALSHA_RO", Arity: -3, Flags: ReadOnly | NoScript | Stale | SkipMonitor | NoMandatoryKeys, Keys: KeySpec{NumKeys: 2}, Group: "scripting", Since: "7.0.0",
		Summary: "Runs a Lua script that is known by its hash, and does not write.", Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Cost: "Depends on the script that is executed.", Run: evalCommand(true, true)},
	{Name: "EVAL_RO", Arity: -3, Flags: ReadOnly | NoScript | Stale | SkipMonitor | NoMandatoryKeys, Keys: KeySpec{NumKeys: 2}, Group: "scripting", Since: "7.0.0",
		Summary: "Runs a Lua script that does not write.", Syntax: "script numkeys [key [key ...]] [arg [arg ...]]", Cost: "Depends on the script that is executed.", Run: evalCommand(false, true)},
	{Name: "SCRIPT", Arity: -2, Group: "scripting", Since: "2.6.0",
		Summary: "Commands about the scripts that are known by their hash.", Cost: "Depends on subcommand.", Subcommands: []Command{
			{Name: "EXISTS", Arity: -3, Flags: ReadOnly | NoScript, Group: "scripting", Since: "2.6.0",
				Summary: "Tells which scripts are known.", Syntax: "sha1 [sha1 ...]", Cost: "O(N) with N being the number of scripts to check", Run: scriptExistsCommand},
			{Name: "FLUSH", Arity: -2, Flags: Write | NoScript, Group: "scripting", Since: "2.6.0",
				Summary: "Forgets all scripts, on every node.", Syntax: "[ASYNC | SYNC]", Cost: "O(N) with N being the number of scripts in cache", Run: scriptFlushCommand},
			{Name: "KILL", Arity: 2, Flags: ReadOnly | NoScript | AllowBusy, Group: "scripting", Since: "2.6.0",
				Summary: "Does nothing: scripts are ended by their limits.", Cost: "O(1)", Run: scriptKillCommand},
			{Name: "LOAD", Arity: 3, Flags: Write | NoScript | Stale, Group: "scripting", Since: "2.6.0",
				Summary: "Makes a script known by its hash, on every node.", Syntax: "script", Cost: "O(N) with N being the length in bytes of the script body.", Run: scriptLoadCommand},
		}},
}

// scripts are the scripts known by their hash. They are part of the state, so that
// EVALSHA finds on any node what another has loaded. Those that only came along with an
// EVAL give way to later ones, since some programs write their data into the script.
type scripts struct {
	byHash  map[string]*script
	passing []string // hashes of those that give way, oldest first
	bytes   int      // of all sources
}

type script struct {
	hash   string
	source string
	loaded bool // by SCRIPT LOAD: it stays
}

const (
	maxPassing     = 500      // as many as Redis 7.4 keeps
	maxScriptBytes = 64 << 20 // of all sources
)

func newScripts() *scripts { return &scripts{byHash: map[string]*script{}} }

func scriptHash(source []byte) string {
	sum := sha1.Sum(source)
	return hex.EncodeToString(sum[:])
}

func (s *scripts) get(hash string) *script { return s.byHash[strings.ToLower(hash)] }

// add makes a script known.
func (s *scripts) add(hash, source string, loaded bool) error {
	known := s.byHash[hash]
	if known == nil {
		for s.bytes+len(source) > maxScriptBytes && len(s.passing) > 0 {
			s.forgetOldest()
		}
		if s.bytes+len(source) > maxScriptBytes {
			return NewError("ERR", fmt.Sprintf("more than %d bytes of scripts are loaded: SCRIPT FLUSH forgets them", maxScriptBytes))
		}
		known = &script{hash: hash, source: source}
		s.byHash[hash] = known
		s.bytes += len(source)
		if !loaded {
			s.passing = append(s.passing, hash)
		}
	} else if loaded && !known.loaded {
		s.passing = slices.DeleteFunc(s.passing, func(other string) bool { return other == hash })
	}
	known.loaded = known.loaded || loaded
	if len(s.passing) > maxPassing {
		s.forgetOldest()
	}
	return nil
}

func (s *scripts) forgetOldest() {
	hash := s.passing[0]
	s.passing = slices.Delete(s.passing, 0, 1)
	s.bytes -= len(s.byHash[hash].source)
	delete(s.byHash, hash)
}

// Encoding, in a field of the snapshot: those that stay by hash, then the others by age:
//
//	count | { loaded u8 | source }
func (s *scripts) encode() []byte {
	var staying []string
	for hash, script := range s.byHash {
		if script.loaded {
			staying = append(staying, hash)
		}
	}
	slices.Sort(staying)
	var e encoder
	e.uint(uint64(len(s.byHash)))
	for _, hash := range slices.Concat(staying, s.passing) {
		e.bool(s.byHash[hash].loaded)
		e.string(s.byHash[hash].source)
	}
	return e.buf
}

func decodeScripts(data []byte) (*scripts, error) {
	s := newScripts()
	d := decoder{buf: data}
	for range d.count() {
		loaded, source := d.byte() != 0, d.bytes()
		if err := s.add(scriptHash(source), string(source), loaded); err != nil {
			return nil, err
		}
	}
	return s, d.err()
}

var (
	errNoScript     = NewError("NOSCRIPT", "No matching script. Please use EVAL.")
	errManyKeys     = NewError("ERR", "Number of keys can't be greater than number of args")
	errNegativeKeys = NewError("ERR", "Number of keys can't be negative")
)

// evalCommand makes the handler of EVAL and its like.
func evalCommand(byHash, readOnly bool) Handler {
	return func(tx *Tx, args [][]byte) (Reply, error) {
		if byHash && len(args[1]) != 2*sha1.Size {
			return nil, errNoScript // before anything else, as in Redis
		}
		numKeys, err := intArg(args[2])
		switch {
		case err != nil:
			return nil, err
		case numKeys > int64(len(args)-3):
			return nil, errManyKeys
		case numKeys < 0:
			return nil, errNegativeKeys
		}
		keys, rest := args[3:3+numKeys], args[3+numKeys:]
		if byHash {
			known := tx.m.scripts.get(string(args[1]))
			if known == nil {
				return nil, errNoScript
			}
			return tx.runScript(known.hash, known.source, keys, rest, readOnly)
		}
		hash := scriptHash(args[1])
		if !tx.asking && tx.m.scripts.get(hash) == nil {
			if _, err := tx.m.programs.compile(hash, string(args[1])); err != nil {
				return nil, err
			}
			if err := tx.m.scripts.add(hash, string(args[1]), false); err != nil {
				return nil, err
			}
		}
		return tx.runScript(hash, string(args[1]), keys, rest, readOnly)
	}
}

func scriptLoadCommand(tx *Tx, args [][]byte) (Reply, error) {
	hash := scriptHash(args[2])
	if _, err := tx.m.programs.compile(hash, string(args[2])); err != nil {
		return nil, err
	}
	if err := tx.m.scripts.add(hash, string(args[2]), true); err != nil {
		return nil, err
	}
	return BulkString(hash), nil
}

func scriptExistsCommand(tx *Tx, args [][]byte) (Reply, error) {
	var b Builder
	b.Array(len(args) - 2)
	for _, hash := range args[2:] {
		b.Append(Bool(tx.m.scripts.get(string(hash)) != nil))
	}
	return b.Reply(), nil
}

func scriptFlushCommand(tx *Tx, args [][]byte) (Reply, error) {
	if len(args) > 3 || len(args) == 3 && !is(args[2], "SYNC") && !is(args[2], "ASYNC") {
		return nil, NewError("ERR", "SCRIPT FLUSH only support SYNC|ASYNC option")
	}
	tx.m.scripts = newScripts()
	tx.m.programs.forget()
	return OK, nil
}

func scriptKillCommand(*Tx, [][]byte) (Reply, error) {
	return nil, NewError("NOTBUSY", "No scripts in execution right now.")
}
