package fsm

import "strings"

// KeySpec says which arguments are keys: First, First+Step, ... up to Last, where a
// negative Last counts from the end (-1 is the last argument). First 0 means none.
// Behind the argument at NumKeys, if that is not 0, stand as many keys as it says. With
// Derived, more keys are read than the command line names, and with Store, a key follows
// the word STORE (both SORT).
type KeySpec struct {
	First, Last, Step int
	NumKeys           int
	Derived, Store    bool
}

var (
	firstKey   = KeySpec{First: 1, Last: 1, Step: 1}
	twoKeys    = KeySpec{First: 1, Last: 2, Step: 1}
	allKeys    = KeySpec{First: 1, Last: -1, Step: 1}
	keyPairs   = KeySpec{First: 1, Last: -1, Step: 2} // MSET key value key value ...
	countedKey = KeySpec{NumKeys: 1}                  // LMPOP numkeys key ...
	storedKeys = KeySpec{First: 1, Last: 1, Step: 1, NumKeys: 2}
)

// KeyRange is a run of arguments that are keys of one use.
type KeyRange struct {
	First, Last, Step int
	NumKeys           int // not 0: the index of the number of keys that stand behind it
	Derived           bool
	Store             bool

	// Use is what Redis calls the flags of a key specification: RO, RW, OW or RM, then
	// access, update, insert or delete.
	Use []string
}

// keyUses are the uses of keys where they differ from the rule (a read accesses, a write
// updates what it finds), by command, one for each range of keys.
var keyUses = map[string][]string{
	"append": {"RW insert"}, "copy": {"RO access", "OW update"}, "decr": {"RW access update"},
	"decrby": {"RW access update"}, "del": {"RM delete"}, "exists": {"RO"}, "expiretime": {"RO access"},
	"hdel": {"RW delete"}, "hexists": {"RO"}, "hgetdel": {"RW access delete"}, "hgetex": {"RW access update"}, "hincrby": {"RW access update"}, "hincrbyfloat": {"RW access update"},
	"hlen": {"RO"}, "hsetnx": {"RW insert"}, "hstrlen": {"RO"},
	"getdel": {"RW access delete"}, "getex": {"RW access update"}, "getset": {"RW access update"},
	"incr": {"RW access update"}, "incrby": {"RW access update"}, "incrbyfloat": {"RW access update"},
	"move": {"RW access update"}, "mset": {"OW update"}, "msetnx": {"OW insert"}, "psetex": {"OW update"},
	"rename": {"RW access delete", "OW update"}, "renamenx": {"RW access delete", "OW insert"}, "restore": {"OW update"},
	"set": {"RW access update variable_flags"}, "setex": {"OW update"}, "setnx": {"OW insert"}, "setrange": {"RW update"},
	"strlen": {"RO"}, "touch": {"RO"}, "type": {"RO"}, "unlink": {"RM delete"}, "watch": {"RO"},
	"memory|usage": {"RO"}, "object|encoding": {"RO"}, "object|freq": {"RO"}, "object|idletime": {"RO"}, "object|refcount": {"RO"},
	"linsert": {"RW insert"}, "llen": {"RO"}, "lmove": {"RW access delete", "RW insert"},
	"lmpop": {"RW access delete"}, "lpop": {"RW access delete"}, "lpush": {"RW insert"}, "lpushx": {"RW insert"},
	"lrem": {"RW delete"}, "ltrim": {"RW delete"}, "rpop": {"RW access delete"},
	"rpoplpush": {"RW access delete", "RW insert"}, "rpush": {"RW insert"}, "rpushx": {"RW insert"},
	"bitfield": {"RW access update variable_flags"}, "bitop": {"OW update", "RO access"}, "setbit": {"RW access update"},
	"sadd": {"RW insert"}, "scard": {"RO"}, "sdiffstore": {"OW update", "RO access"}, "sinterstore": {"RW update", "RO access"},
	"sismember": {"RO"}, "smove": {"RW access delete", "RW insert"},
	"spop": {"RW access delete"}, "srem": {"RW delete"}, "sunionstore": {"OW update", "RO access"},
	"zcard": {"RO"}, "zdiffstore": {"OW update", "RO access"}, "zincrby": {"RW access update"},
	"zinterstore": {"OW update", "RO access"}, "zmpop": {"RW access delete"}, "zpopmax": {"RW access delete"},
	"zpopmin": {"RW access delete"}, "zrangestore": {"OW update", "RO access"}, "zrem": {"RW delete"},
	"zremrangebylex": {"RW delete"}, "zremrangebyrank": {"RW delete"}, "zremrangebyscore": {"RW delete"},
	"zunionstore": {"OW update", "RO access"},
	"spublish":    {"not_key"}, "ssubscribe": {"not_key"}, "sunsubscribe": {"not_key"},
	"sort": {"RO access", "RO access", "OW update"}, "sort_ro": {"RO access", "RO access"},
	"eval": {"RW access update"}, "evalsha": {"RW access update"},
}

// KeyRanges divides the keys of a command by their use: RENAME's two keys are two ranges.
// Complete must have been called.
func (c *Command) KeyRanges() []KeyRange { return c.ranges }

func (c *Command) keyRanges() []KeyRange {
	k := c.Keys
	if k.First == 0 && k.NumKeys == 0 {
		return nil
	}
	uses := keyUses[c.FullName()]
	if uses == nil && c.Flags&Write != 0 {
		uses = []string{"RW update"}
	} else if uses == nil {
		uses = []string{"RO access"}
	}
	var ranges []KeyRange
	for i, use := range uses {
		r := KeyRange{First: k.First + i*k.Step, Last: k.First + i*k.Step, Step: k.Step, Use: strings.Fields(use)}
		switch {
		case k.NumKeys != 0 && i == len(uses)-1:
			r = KeyRange{NumKeys: k.NumKeys, Step: 1, Use: r.Use}
		case k.Derived && i == 1:
			r = KeyRange{Derived: true, Use: r.Use}
		case k.Store && i == len(uses)-1:
			r = KeyRange{Store: true, Step: 1, Use: r.Use}
		case i == len(uses)-1 && (k.Last < 0 || len(uses) == 1):
			r.Last = k.Last
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// KeysIn visits the arguments of a command line that are keys, each with its range. It
// is false where the line says that there are more keys than it has arguments.
func (c *Command) KeysIn(args [][]byte, visit func(key []byte, r KeyRange)) bool {
	for _, r := range c.KeyRanges() {
		first, last := r.First, r.Last
		switch {
		case r.Derived:
			continue
		case r.NumKeys != 0:
			if r.NumKeys >= len(args) {
				return false
			}
			n, ok := parseInt(args[r.NumKeys])
			if !ok || n < 0 || n > int64(len(args)-1-r.NumKeys) {
				return false
			}
			first, last = r.NumKeys+1, r.NumKeys+int(n)
		case r.Store:
			at := storedAt(args)
			if at == 0 {
				continue
			}
			first, last = at, at
		case last < 0:
			last += len(args)
		}
		for i := first; i <= last && i < len(args); i += r.Step {
			visit(args[i], r)
		}
	}
	return true
}

// storedAt finds the key behind the last STORE of SORT, 0 without one.
func storedAt(args [][]byte) (at int) {
	for i := 2; i < len(args); i++ {
		switch arg := args[i]; {
		case is(arg, "LIMIT"):
			i += 2
		case is(arg, "GET") || is(arg, "BY"):
			i++
		case is(arg, "STORE") && i+1 < len(args):
			at = i + 1
		}
	}
	return at
}

// UseIn are the flags of a range for a given command line. Two commands have a choice:
// SET with GET reads what it overwrites, and BITFIELD with nothing but GET does not write.
func (r KeyRange) UseIn(line [][]byte) []string {
	if r.Use[len(r.Use)-1] != "variable_flags" {
		return r.Use
	}
	if is(line[0], "BITFIELD") {
		for _, arg := range line[2:] {
			if is(arg, "SET") || is(arg, "INCRBY") {
				return []string{"RW", "access", "update"}
			}
		}
		return []string{"RO", "access"}
	}
	for _, arg := range line[3:] {
		if is(arg, "GET") {
			return []string{"RW", "access", "update"}
		}
	}
	return []string{"OW", "update"}
}
