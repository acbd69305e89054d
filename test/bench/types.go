package main

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/test/harness"
)

const (
	collections = 1000 // of each type
	elements    = 100  // of each collection

	// typeShare is what a command has to reach of Redis's rate: of that with appendfsync
	// always for a write, of that in memory for a read.
	typeShare = 1.0 / 3

	random = "__rand_int__" // redis-benchmark puts twelve digits below collections here
)

// typed is a command of a data type, as redis-benchmark is to send it.
type typed struct {
	name  string // args[0]
	args  []string
	reads bool
}

// typedCommands are the main commands of each type. A write leaves the collections about
// as large as they are.
var typedCommands = []typed{
	write("INCR counter:" + random),
	write("EXPIRE hash:" + random + " 1000"),
	read("MGET counter:" + random + " counter:" + random + " counter:" + random + " counter:" + random),
	write("HSET hash:" + random + " field:000000000042 a-value-of-twenty-by"),
	write("HINCRBY hash:" + random + " count 1"),
	read("HGET hash:" + random + " field:000000000042"),
	read("HGETALL hash:" + random),
	write("LPUSH list:" + random + " a-value-of-twenty-by"),
	write("RPOP list:" + random),
	write("RPOPLPUSH list:" + random + " list:" + random),
	read("LRANGE list:" + random + " 0 9"),
	read("LINDEX list:" + random + " 20"),
	write("SADD set:" + random + " element:" + random),
	write("SREM set:" + random + " element:" + random),
	read("SISMEMBER set:" + random + " element:000000000042"),
	read("SINTERCARD 2 set:" + random + " set:" + random),
	write("ZADD zset:" + random + " " + random + " element:000000000042"),
	write("ZINCRBY zset:" + random + " 1 element:000000000042"),
	read("ZSCORE zset:" + random + " element:000000000042"),
	read("ZRANK zset:" + random + " element:000000000042"),
	read("ZRANGE zset:" + random + " 0 9"),
	write("SETBIT bits:" + random + " 1042 1"),
	read("BITCOUNT bits:" + random),
	write("EVAL return(redis.call('incr',KEYS[1])) 1 counter:" + random),
	read("PUBLISH channel a-value-of-twenty-by"),
}

func write(line string) typed {
	args := strings.Fields(line)
	return typed{name: args[0], args: args}
}

// read is for a command that needs no disk.
func read(line string) typed {
	t := write(line)
	t.reads = true
	return t
}

func typedCommand(name string) (typed, bool) {
	i := slices.IndexFunc(typedCommands, func(t typed) bool { return t.name == name })
	if i < 0 {
		return typed{}, false
	}
	return typedCommands[i], true
}

func typeLoads() (loads []load) {
	for _, t := range typedCommands {
		loads = append(loads, load{t.name, 50, 16})
	}
	return loads
}

// fillTypes makes the collections that the commands find.
func fillTypes(addr string) error {
	makers := []func(key string) []string{
		func(key string) []string { return []string{"SET", "counter:" + key, "1"} },
		func(key string) []string { return []string{"SETBIT", "bits:" + key, "8191", "1"} },
		func(key string) []string {
			args := []string{"HSET", "hash:" + key}
			for i := range elements {
				args = append(args, fmt.Sprintf("field:%012d", i), "a-value-of-twenty-by")
			}
			return args
		},
		func(key string) []string {
			args := []string{"RPUSH", "list:" + key}
			for range elements {
				args = append(args, "a-value-of-twenty-by")
			}
			return args
		},
		func(key string) []string {
			args := []string{"SADD", "set:" + key}
			for i := range elements {
				args = append(args, fmt.Sprintf("element:%012d", i))
			}
			return args
		},
		func(key string) []string {
			args := []string{"ZADD", "zset:" + key}
			for i := range elements {
				args = append(args, fmt.Sprint(i), fmt.Sprintf("element:%012d", i))
			}
			return args
		},
	}
	return harness.Fill(addr, collections*len(makers), func(i int) []string {
		return makers[i%len(makers)](fmt.Sprintf("%012d", i/len(makers)))
	})
}
