package resp

import (
	"strings"

	"holdfast/fsm"
)

// keySpec says where a command has keys of one use, and which use that is: the first
// flag is RO, RW, OW or RM, the second what Redis calls access, update, insert or delete.
type keySpec struct {
	first, last, step int // of the arguments; a negative last counts from the end
	flags             []string
}

// keyUses are the uses of keys where they differ from the rule (a read accesses, a write
// updates what it finds), by command, one for each key specification.
var keyUses = map[string][]string{
	"append": {"RW insert"}, "copy": {"RO access", "OW update"}, "decr": {"RW access update"},
	"decrby": {"RW access update"}, "del": {"RM delete"}, "exists": {"RO"}, "expiretime": {"RO access"},
	"getdel": {"RW access delete"}, "getex": {"RW access update"}, "getset": {"RW access update"},
	"incr": {"RW access update"}, "incrby": {"RW access update"}, "incrbyfloat": {"RW access update"},
	"move": {"RW access update"}, "mset": {"OW update"}, "msetnx": {"OW insert"}, "psetex": {"OW update"},
	"rename": {"RW access delete", "OW update"}, "renamenx": {"RW access delete", "OW insert"},
	"set": {"RW access update variable_flags"}, "setex": {"OW update"}, "setnx": {"OW insert"}, "setrange": {"RW update"},
	"strlen": {"RO"}, "touch": {"RO"}, "type": {"RO"}, "unlink": {"RM delete"}, "watch": {"RO"},
	"spublish": {"not_key"}, "ssubscribe": {"not_key"}, "sunsubscribe": {"not_key"},
	"object|encoding": {"RO"}, "object|freq": {"RO"}, "object|idletime": {"RO"}, "object|refcount": {"RO"},
}

// keySpecs divides the row's keys by their use: RENAME's two keys are two specifications.
func (r *row) keySpecs() []keySpec {
	k := r.Keys
	if k.First == 0 {
		return nil
	}
	uses, special := keyUses[r.full]
	if !special && r.Flags&fsm.Write != 0 {
		uses = []string{"RW update"}
	} else if !special {
		uses = []string{"RO access"}
	}
	if len(uses) == 1 {
		return []keySpec{{k.First, k.Last, k.Step, strings.Fields(uses[0])}}
	}
	var specs []keySpec
	for i, use := range uses {
		at := k.First + i*k.Step
		specs = append(specs, keySpec{at, at, 1, strings.Fields(use)})
	}
	return specs
}

// flagsIn are the flags for a given command line. SET alone has a choice: with GET it
// reads what it overwrites.
func (k keySpec) flagsIn(line [][]byte) []string {
	if k.flags[len(k.flags)-1] != "variable_flags" {
		return k.flags
	}
	for _, arg := range line[3:] {
		if strings.EqualFold(string(arg), "get") {
			return []string{"RW", "access", "update"}
		}
	}
	return []string{"OW", "update"}
}

// describe writes the specification as the last but one element of COMMAND has it.
func (k keySpec) describe(b *fsm.Builder) {
	b.Map(3)
	b.BulkString("flags")
	statusSet(b, k.flags)
	b.BulkString("begin_search")
	b.Map(2)
	b.BulkString("type")
	b.BulkString("index")
	b.BulkString("spec")
	b.Map(1)
	b.BulkString("index")
	b.Int(int64(k.first))
	b.BulkString("find_keys")
	b.Map(2)
	b.BulkString("type")
	b.BulkString("range")
	b.BulkString("spec")
	b.Map(3)
	b.BulkString("lastkey")
	last := k.last
	if last > 0 {
		last -= k.first // relative to the first, unless counted from the end
	}
	b.Int(int64(last))
	b.BulkString("keystep")
	b.Int(int64(k.step))
	b.BulkString("limit")
	b.Int(0)
}
