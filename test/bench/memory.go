package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"holdfast/test/harness"
)

// session is the i-th session: a key as connect-redis makes it, a value, a day to live.
func session(i int) []string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	dice := rand.New(rand.NewPCG(1, uint64(i)))
	id := make([]byte, 24)
	for k := range id {
		id[k] = letters[dice.IntN(len(letters))]
	}
	return []string{"SET", "sess:" + string(id), strings.Repeat(string(id[:20]), valueBytes/20), "EX", "86400"}
}

// measureMemory stores the same sessions in a cluster and in redis-server and prints what
// each process has grown by.
func measureMemory(s *servers, binary, dir string, o options, out io.Writer) error {
	lead, redis, err := s.startEmpty(binary, dir, o)
	if err != nil {
		return err
	}

	processes := append(s.cluster.Others(), redis)
	empty := make([]int64, len(processes))
	for i, p := range processes {
		if empty[i], err = p.RSS(); err != nil {
			return err
		}
	}
	start := time.Now()
	for _, n := range []*harness.Node{lead, redis} {
		if err := harness.Fill(n.Addr, o.sessions, session); err != nil {
			return fmt.Errorf("fill %s: %w", n.Name, err)
		}
	}
	if err := s.cluster.Agree(); err != nil {
		return err
	}

	fmt.Fprintf(out, "%d sessions of %d bytes under keys of 29, with a deadline; %d CPUs; filled in %v\n\n",
		o.sessions, valueBytes, runtime.NumCPU(), time.Since(start).Round(time.Second))
	fmt.Fprintf(out, "%-16s %8s %10s %18s %8s\n", "process", "keys", "RSS MiB", "bytes per session", "ratio")
	perSession := make([]float64, len(processes))
	for i, p := range processes {
		rss, err := p.RSS()
		if err != nil {
			return err
		}
		perSession[i] = float64(rss-empty[i]) / float64(o.sessions)
	}
	for i, p := range processes {
		keys, err := p.Do("DBSIZE")
		if err != nil {
			return err
		}
		if keys != int64(o.sessions) {
			return errors.Join(err, fmt.Errorf("%s has %v keys", p.Name, keys))
		}
		name := p.Name
		if p == lead {
			name += " (leader)"
		}
		fmt.Fprintf(out, "%-16s %8d %10.0f %18.0f %8.2f\n", name, keys, (perSession[i]*float64(o.sessions)+float64(empty[i]))/(1<<20),
			perSession[i], perSession[i]/perSession[len(processes)-1])
	}
	return nil
}
