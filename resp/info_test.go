package resp

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// absentFields are those of Redis's INFO that are not told here, and why. To tell them as
// 0 would be a statement, and a wrong one.
var absentFields = map[string]string{
	"atomicvar_api":                  "about a C compiler: go_version",
	"gcc_version":                    "about a C compiler: go_version",
	"used_memory_lua":                "interpreters are on the heap like everything: used_memory",
	"used_memory_lua_human":          "as used_memory_lua",
	"used_memory_vm_eval":            "as used_memory_lua",
	"used_memory_vm_functions":       "as used_memory_lua",
	"used_memory_vm_total":           "as used_memory_lua",
	"used_memory_vm_total_human":     "as used_memory_lua",
	"mem_cluster_links":              "the buffers between nodes are not measured",
	"current_cow_peak":               "what a snapshot makes others copy is not measured",
	"current_cow_size":               "as current_cow_peak",
	"current_cow_size_age":           "as current_cow_peak",
	"rdb_last_cow_size":              "as current_cow_peak",
	"current_fork_perc":              "how far a snapshot has come is not known",
	"current_save_keys_processed":    "as current_fork_perc",
	"current_save_keys_total":        "as current_fork_perc",
	"rdb_last_load_keys_expired":     "a node starts from a snapshot and its log",
	"rdb_last_load_keys_loaded":      "as rdb_last_load_keys_expired",
	"aof_current_size":               "the log's size on disk is not measured",
	"aof_base_size":                  "the log is not rewritten",
	"aof_pending_rewrite":            "the log is not rewritten",
	"aof_buffer_length":              "nothing is acknowledged before it is on disk",
	"aof_pending_bio_fsync":          "as aof_buffer_length",
	"aof_delayed_fsync":              "as aof_buffer_length",
	"total_net_repl_input_bytes":     "traffic between nodes is not measured",
	"total_net_repl_output_bytes":    "as total_net_repl_input_bytes",
	"instantaneous_input_repl_kbps":  "as total_net_repl_input_bytes",
	"instantaneous_output_repl_kbps": "as total_net_repl_input_bytes",
	"expired_stale_perc":             "deadlines are kept in order, and not looked for",
	"expire_cycle_cpu_milliseconds":  "as expired_stale_perc",
	"dump_payload_sanitizations":     "every payload is checked as it is read",
	"reply_buffer_shrinks":           "about how Redis holds its buffers",
	"reply_buffer_expands":           "as reply_buffer_shrinks",
	"used_cpu_sys_main_thread":       "no thread is the main one",
	"used_cpu_user_main_thread":      "as used_cpu_sys_main_thread",
}

// infoNames returns the sections of an INFO and the fields in them.
func infoNames(text string) (sections []string, fields map[string]string) {
	fields = map[string]string{}
	for _, line := range strings.Split(text, "\r\n") {
		if name, ok := strings.CutPrefix(line, "# "); ok {
			sections = append(sections, name)
		} else if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return sections, fields
}

// Every field of Redis's INFO is there, or named with the reason why it is not.
func TestInfoFields(t *testing.T) {
	_, ours := serve(t, DefaultConfig(), newMemoryStore())
	redis := startRedis(t, "--appendonly", "yes")
	a, b := dial(t, redis), dial(t, ours)
	for _, c := range []*testClient{a, b} {
		c.do("PING")
		c.do("SET", "k", "v", "EX", "100")
		c.do("GET", "k")
		c.do("GET", "nosuch")
		c.do("LPUSH", "k", "x")
		c.do("INFO")
	}
	time.Sleep(10 * time.Millisecond)
	theirs, want := infoNames(a.do("INFO", "everything"))
	sections, got := infoNames(b.do("INFO", "everything"))
	for name := range want {
		_, there := got[name]
		switch reason, absent := absentFields[name]; {
		case !there && !absent:
			t.Errorf("%s is missing", name)
		case there && absent:
			t.Errorf("%s is there, and listed as absent: %s", name, reason)
		}
	}
	for name := range absentFields {
		if _, there := want[name]; !there {
			t.Errorf("%s is listed as absent, and Redis has none", name)
		}
	}
	if got, want := strings.Join(sections, " "), strings.Join(theirs, " "); strings.Replace(got, " Raft", "", 1) != want {
		t.Errorf("sections %s, want %s", got, want)
	}
	for name, pattern := range map[string]string{
		"keyspace_hits": "^1$", "keyspace_misses": "^1$", "db0": `^keys=1,expires=1,avg_ttl=\d+$`,
		"cmdstat_get":                  `^calls=2,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=0$`,
		"cmdstat_lpush":                `^calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=1$`,
		"latency_percentiles_usec_get": `^p50=\d+\.\d\d\d,p99=\d+\.\d\d\d,p99.9=\d+\.\d\d\d$`,
		"errorstat_WRONGTYPE":          "^count=1$", "total_error_replies": "^1$",
	} {
		for who, fields := range map[string]map[string]string{"ours": got, "Redis's": want} {
			if !regexp.MustCompile(pattern).MatchString(fields[name]) {
				t.Errorf("%s %s is %q, want %s", who, name, fields[name], pattern)
			}
		}
	}
}

// Sections are chosen as in Redis.
func TestInfoSections(t *testing.T) {
	_, ours := serve(t, DefaultConfig(), newMemoryStore())
	a, b := dial(t, startRedis(t)), dial(t, ours)
	for _, args := range []string{"", "all", "everything", "default", "ALL default", "server", "cpu CPU keyspace", "keyspace server",
		"commandstats", "latencystats errorstats", "default commandstats", "nosuch", "nosuch memory", "modules", "replication raftless"} {
		command := append([]string{"INFO"}, strings.Fields(args)...)
		want, _ := infoNames(a.do(command...))
		got, _ := infoNames(b.do(command...))
		if fmt.Sprint(want) != strings.Replace(fmt.Sprint(got), " Raft", "", 1) {
			t.Errorf("INFO %s has %v, want %v", args, got, want)
		}
	}
	if got, fields := infoNames(b.do("INFO", "raft")); fmt.Sprint(got) != "[Raft]" || fields["raft_role"] == "" {
		t.Errorf("INFO raft: %v %v", got, fields)
	}
}

// INFO tells how far clocks are off: this node's, and of the others those that are known.
func TestInfoClocks(t *testing.T) {
	store := newMemoryStore()
	store.status.Members = []Member{
		{ID: "n1", Self: true, ClockSkew: -3 * time.Millisecond, ClockKnown: true},
		{ID: "n2", Reachable: true, ClockSkew: time.Hour, ClockKnown: true},
		{ID: "n3"},
	}
	_, address := serve(t, DefaultConfig(), store)
	_, fields := infoNames(dial(t, address).do("INFO", "raft"))
	for name, want := range map[string]string{
		"raft_clock_skew_ms": "-3",
		"raft_peer0":         "id=n2,reachable=1,clock_skew_ms=3600000",
		"raft_peer1":         "id=n3,reachable=0,clock_skew_ms=",
	} {
		if fields[name] != want {
			t.Errorf("%s is %q, want %q", name, fields[name], want)
		}
	}
}
