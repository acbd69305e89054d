package resp

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/fsm"
)

// section is a part of INFO.
type section struct {
	name  string
	extra bool // shown by "all", "everything" and its own name, not by default
	lines func(s *Server, status *Status, add adder)
}

// adder adds a line "name:value".
type adder func(name string, value any)

var infoSections = []section{
	{"Server", false, infoServer},
	{"Clients", false, infoClients},
	{"Memory", false, infoMemory},
	{"Persistence", false, infoPersistence},
	{"Stats", false, infoStats},
	{"Replication", false, infoReplication},
	{"CPU", false, infoCPU},
	{"Modules", false, func(*Server, *Status, adder) {}},
	{"Commandstats", true, infoCommandStats},
	{"Errorstats", false, infoErrorStats},
	{"Cluster", false, infoCluster},
	{"Raft", false, infoRaft},
	{"Keyspace", false, infoKeyspace},
}

// infoCommand answers the sections asked for, in their usual order. Unknown ones are
// left out, as in Redis.
func infoCommand(c *conn, args [][]byte) (fsm.Reply, error) {
	standard, all := len(args) == 1, false
	named := make(map[string]bool)
	for _, arg := range args[1:] {
		switch name := strings.ToLower(string(arg)); name {
		case "default":
			standard = true
		case "all", "everything":
			all = true
		default:
			named[name] = true
		}
	}
	return verbatim(c.server.info(func(s section) bool {
		return all || standard && !s.extra || named[strings.ToLower(s.name)]
	})), nil
}

func (s *Server) info(wanted func(section) bool) string {
	var b strings.Builder
	status := s.store.Status()
	for _, section := range infoSections {
		if !wanted(section) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", section.name)
		section.lines(s, &status, func(name string, value any) {
			if on, ok := value.(bool); ok {
				value = 0
				if on {
					value = 1
				}
			}
			fmt.Fprintf(&b, "%s:%v\r\n", name, value)
		})
	}
	return b.String()
}

func infoServer(s *Server, status *Status, add adder) {
	now := time.Now()
	uptime := int64(now.Sub(s.started).Seconds())
	executable, _ := os.Executable()
	add("redis_version", redisVersion)
	add("redis_git_sha1", "00000000")
	add("redis_git_dirty", 0)
	add("redis_build_id", "0000000000000000")
	add("redis_mode", "standalone")
	add("holdfast_version", s.cfg.Build)
	add("os", runtime.GOOS+" "+runtime.GOARCH)
	add("arch_bits", strconv.IntSize)
	add("multiplexing_api", "go")
	add("go_version", runtime.Version())
	add("process_id", os.Getpid())
	add("process_supervised", "no")
	add("run_id", s.runID)
	add("tcp_port", s.cfg.Port)
	add("server_time_usec", now.UnixMicro())
	add("uptime_in_seconds", uptime)
	add("uptime_in_days", uptime/86400)
	add("hz", 10)
	add("configured_hz", 10)
	add("lru_clock", now.Unix()&(1<<24-1))
	add("executable", executable)
	add("config_file", "")
	add("io_threads_active", 0)
}

func infoClients(s *Server, status *Status, add adder) {
	clients := s.clients()
	input, output := 0, 0
	for _, c := range clients {
		c.mu.Lock()
		input, output = max(input, c.info.buffered+c.info.free), max(output, c.info.outCap)
		c.mu.Unlock()
	}
	add("connected_clients", len(clients))
	add("cluster_connections", 0)
	add("maxclients", s.settings.Load().maxClients)
	add("client_recent_max_input_buffer", input)
	add("client_recent_max_output_buffer", output)
	add("blocked_clients", 0)
	add("tracking_clients", 0)
	add("clients_in_timeout_table", 0)
	add("pending_writes", status.PendingWrites)
}

// infoMemory tells what the Go runtime knows: used_memory is the heap in use, with what
// the collector has yet to find; used_memory_rss what the kernel says.
func infoMemory(s *Server, status *Status, add adder) {
	used, mapped := heap()
	rss := residentBytes()
	if rss == 0 {
		rss = mapped
	}
	peak := s.stats.peak(used)
	total := totalMemory()
	add("used_memory", used)
	add("used_memory_human", humanBytes(used))
	add("used_memory_rss", rss)
	add("used_memory_rss_human", humanBytes(rss))
	add("used_memory_peak", peak)
	add("used_memory_peak_human", humanBytes(peak))
	add("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*float64(used)/float64(max(peak, 1))))
	add("total_system_memory", total)
	add("total_system_memory_human", humanBytes(total))
	add("used_memory_lua", 0)
	add("used_memory_scripts", 0)
	add("maxmemory", 0)
	add("maxmemory_human", "0B")
	add("maxmemory_policy", "noeviction")
	add("mem_fragmentation_ratio", fmt.Sprintf("%.2f", float64(rss)/float64(max(used, 1))))
	add("mem_allocator", "go")
	add("active_defrag_running", 0)
	add("lazyfree_pending_objects", 0)
}

func heap() (used, mapped uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

// residentBytes is the process's resident memory, 0 where the system does not say.
func residentBytes() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

func totalMemory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// humanBytes writes a size as Redis does: 918.92K.
func humanBytes(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	size, unit := float64(n)/1024, 0
	for size >= 1024 && unit < len("KMGTP")-1 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.2f%c", size, "KMGTP"[unit])
}

func infoPersistence(s *Server, status *Status, add adder) {
	result := "ok"
	if status.LastSaveErr != nil {
		result = "err"
	}
	add("loading", 0)
	add("async_loading", 0)
	add("rdb_changes_since_last_save", status.AppliedIndex-min(status.SnapshotIndex, status.AppliedIndex))
	add("rdb_bgsave_in_progress", status.Saving)
	add("rdb_last_save_time", s.lastSave(*status))
	add("rdb_last_bgsave_status", result)
	add("rdb_last_bgsave_time_sec", -1)
	add("rdb_current_bgsave_time_sec", -1)
	add("aof_enabled", 1) // the replicated log is one, and always fsynced
	add("aof_rewrite_in_progress", 0)
	add("aof_rewrite_scheduled", 0)
	add("aof_last_bgrewrite_status", "ok")
	add("aof_last_write_status", "ok")
}

func infoStats(s *Server, status *Status, add adder) {
	rate := s.stats.rate()
	total := int64(0)
	for _, n := range s.stats.errorCounts() {
		total += n
	}
	add("total_connections_received", s.stats.connections.Load())
	add("total_commands_processed", s.stats.commands.Load())
	add("instantaneous_ops_per_sec", rate.commands)
	add("total_net_input_bytes", s.stats.input.Load())
	add("total_net_output_bytes", s.stats.output.Load())
	add("instantaneous_input_kbps", fmt.Sprintf("%.2f", float64(rate.input)/1024))
	add("instantaneous_output_kbps", fmt.Sprintf("%.2f", float64(rate.output)/1024))
	add("rejected_connections", s.stats.rejected.Load())
	add("sync_full", 0)
	add("sync_partial_ok", 0)
	add("sync_partial_err", 0)
	add("expired_keys", status.Expired)
	add("expired_subkeys", status.ExpiredFields) // as Redis 7.4 calls it
	add("evicted_keys", 0)
	add("evicted_clients", 0)
	channels, patterns, shards := s.hub.counts()
	add("pubsub_channels", channels)
	add("pubsub_patterns", patterns)
	add("pubsubshard_channels", shards)
	add("latest_fork_usec", 0)
	add("total_forks", 0)
	add("total_error_replies", total)
	add("client_output_buffer_limit_disconnections", s.stats.outputLimit.Load())
	add("connection_panics", s.stats.panics.Load())
}

// infoReplication says that the node is a master without replicas, on every node: see
// Server.hello. How it really is stands in the section Raft.
func infoReplication(s *Server, status *Status, add adder) {
	add("role", "master")
	add("connected_slaves", 0)
	add("master_failover_state", "no-failover")
	add("master_replid", nodeHash(status.ClusterID))
	add("master_replid2", strings.Repeat("0", 40))
	add("master_repl_offset", status.AppliedIndex)
	add("second_repl_offset", -1)
	add("repl_backlog_active", 0)
	add("repl_backlog_size", 0)
	add("repl_backlog_first_byte_offset", 0)
	add("repl_backlog_histlen", 0)
}

func infoCPU(s *Server, status *Status, add adder) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return
	}
	seconds := func(t syscall.Timeval) string { return fmt.Sprintf("%d.%06d", t.Sec, t.Usec) }
	add("used_cpu_sys", seconds(usage.Stime))
	add("used_cpu_user", seconds(usage.Utime))
	add("used_cpu_sys_children", "0.000000")
	add("used_cpu_user_children", "0.000000")
}

// infoCommandStats counts the uses of each command. The commands of a batch share its
// time: what one of them took is not known.
func infoCommandStats(s *Server, status *Status, add adder) {
	s.table.all(func(r *row) {
		calls, micros := r.stats.calls.Load(), r.stats.nanos.Load()/1000
		rejected, failed := r.stats.rejected.Load(), r.stats.failed.Load()
		if calls == 0 && rejected == 0 {
			return
		}
		add("cmdstat_"+r.full, fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			calls, micros, float64(micros)/float64(max(calls, 1)), rejected, failed))
	})
}

func infoErrorStats(s *Server, status *Status, add adder) {
	counts := s.stats.errorCounts()
	var codes []string
	for code := range counts {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		add("errorstat_"+code, fmt.Sprintf("count=%d", counts[code]))
	}
}

// infoCluster keeps clients out of cluster mode: there are no slots.
func infoCluster(s *Server, status *Status, add adder) { add("cluster_enabled", 0) }

func infoRaft(s *Server, status *Status, add adder) {
	add("raft_node_id", status.NodeID)
	add("raft_role", status.Role)
	add("raft_leader_id", status.LeaderID)
	add("raft_term", status.Term)
	add("raft_commit_index", status.CommitIndex)
	add("raft_applied_index", status.AppliedIndex)
	add("raft_last_snapshot_index", status.SnapshotIndex)
	add("raft_voters", status.Voters)
}

func infoKeyspace(s *Server, status *Status, add adder) {
	for _, k := range status.Keys {
		if k.Keys > 0 {
			add(fmt.Sprintf("db%d", k.DB), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", k.Keys, k.Expires))
		}
	}
}
