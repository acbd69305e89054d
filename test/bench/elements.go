package main

import (
	"fmt"
	"io"
	"strconv"

	"holdfast/test/harness"
)

// collection makes what fills one data type.
type collection struct {
	command  string
	elements func(i int) []string // the arguments of the i-th element
}

// filled are the types with many elements. An element has 20 bytes; a hash has a value of
// 20 bytes to it, a sorted set a score.
var filled = []collection{
	{"HSET", func(i int) []string { return []string{fmt.Sprintf("field:%014d", i), fmt.Sprintf("value:%014d", i)} }},
	{"RPUSH", func(i int) []string { return []string{fmt.Sprintf("element:%012d", i)} }},
	{"SADD", func(i int) []string { return []string{fmt.Sprintf("element:%012d", i)} }},
	{"ZADD", func(i int) []string {
		return []string{strconv.Itoa(i * 7919 % 1000003), fmt.Sprintf("member:%013d", i)}
	}},
}

// measureElements fills collections of some sizes at a cluster's leader and at redis-server,
// and prints what either one's used_memory has grown by for each element, keys included.
func measureElements(s *servers, binary, dir string, o options, out io.Writer) error {
	lead, redis, err := s.startEmpty(binary, dir, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "bytes per element, %d elements of 20 bytes\n\n%-8s %10s %10s %10s %8s\n", o.elements, "filled by", "elements", "holdfast", "redis", "ratio")
	for _, c := range filled {
		for _, size := range o.sizes {
			var cost [2]float64
			for i, n := range []*harness.Node{lead, redis} {
				if cost[i], err = elementCost(n, c, size, o.elements); err != nil {
					return fmt.Errorf("%s at %s: %w", c.command, n.Name, err)
				}
			}
			fmt.Fprintf(out, "%-8s %10d %10.1f %10.1f %8.2f\n", c.command, size, cost[0], cost[1], cost[0]/cost[1])
		}
	}
	return nil
}

func elementCost(n *harness.Node, c collection, size, total int) (float64, error) {
	if _, err := n.Do("FLUSHALL"); err != nil {
		return 0, err
	}
	before, err := usedMemory(n)
	if err != nil {
		return 0, err
	}
	const part = 500 // elements that one command brings
	step := min(size, part)
	err = harness.Fill(n.Addr, total/step, func(i int) []string {
		first := i * step
		args := []string{c.command, fmt.Sprintf("key:%06d", first/size)}
		for k := range step {
			args = append(args, c.elements(first%size+k)...)
		}
		return args
	})
	if err != nil {
		return 0, err
	}
	after, err := usedMemory(n)
	return float64(after-before) / float64(total), err
}

// usedMemory is what a server holds after it has collected its garbage. Raft keeps the
// last entries in memory: they are made small first.
func usedMemory(n *harness.Node) (int64, error) {
	const raftCache = 512
	for range raftCache + 8 {
		if _, err := n.Do("SET", "small", "1"); err != nil {
			return 0, err
		}
	}
	for range 2 { // what a sync.Pool holds outlives one collection
		if _, err := n.Do("MEMORY", "PURGE"); err != nil {
			return 0, err
		}
	}
	info, err := n.Info("memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["used_memory"], 10, 64)
}
