package resp

import (
	"fmt"
	"os"
	"runtime"
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
	{"Latencystats", true, infoLatencyStats},
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
	add("monotonic_clock", "POSIX clock_gettime")
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
	add("blocked_clients", s.waiting.Load()+s.pause.waiting.Load())
	add("tracking_clients", 0)
	add("clients_in_timeout_table", 0)
	add("pending_writes", status.PendingWrites)
}

func infoPersistence(s *Server, status *Status, add adder) {
	result := "ok"
	if status.LastSaveErr != nil {
		result = "err"
	}
	last, current := int64(-1), int64(-1)
	if status.Saves > 0 || status.LastSaveErr != nil {
		last = int64(status.SaveTook.Seconds())
	}
	if status.Saving {
		current = int64(time.Since(status.SaveBegan).Seconds())
	}
	add("loading", 0)
	add("async_loading", 0)
	add("rdb_changes_since_last_save", status.AppliedIndex-min(status.SnapshotIndex, status.AppliedIndex))
	add("rdb_bgsave_in_progress", status.Saving)
	add("rdb_last_save_time", s.lastSave(*status))
	add("rdb_last_bgsave_status", result)
	add("rdb_last_bgsave_time_sec", last)
	add("rdb_current_bgsave_time_sec", current)
	add("rdb_saves", status.Saves)
	add("aof_enabled", 1) // the replicated log is one, and always fsynced; snapshots cut it
	add("aof_rewrite_in_progress", 0)
	add("aof_rewrite_scheduled", 0)
	add("aof_last_rewrite_time_sec", -1)
	add("aof_current_rewrite_time_sec", -1)
	add("aof_last_bgrewrite_status", "ok")
	add("aof_rewrites", 0)
	add("aof_rewrites_consecutive_failures", 0)
	add("aof_last_write_status", "ok") // a node that cannot write its log ends
	add("aof_last_cow_size", 0)
	add("module_fork_in_progress", 0)
	add("module_fork_last_cow_size", 0)
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
	counts := s.stats.since(status.Counts)
	add("expired_keys", counts.Expired)
	add("expired_subkeys", counts.ExpiredFields) // as Redis 7.4 calls it
	add("expired_time_cap_reached_count", counts.ReapsCut)
	add("evicted_keys", 0)
	add("evicted_clients", 0)
	add("total_eviction_exceeded_time", 0)
	add("current_eviction_exceeded_time", 0)
	add("keyspace_hits", counts.Hits)
	add("keyspace_misses", counts.Misses)
	channels, patterns, shards := s.hub.counts()
	add("pubsub_channels", channels)
	add("pubsub_patterns", patterns)
	add("pubsubshard_channels", shards)
	add("latest_fork_usec", 0)
	add("total_forks", 0)
	for _, name := range []string{"migrate_cached_sockets", "slave_expires_tracked_keys",
		"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
		"total_active_defrag_time", "current_active_defrag_time",
		"tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"} {
		add(name, 0) // there is none of it
	}
	add("unexpected_error_replies", 0)
	add("total_error_replies", total)
	add("total_reads_processed", s.stats.reads.Load())
	add("total_writes_processed", s.stats.writes.Load())
	add("io_threaded_reads_processed", 0)
	add("io_threaded_writes_processed", 0)
	denied := s.aclLog.counts() // as Redis 7.2 calls them
	add("acl_access_denied_auth", denied["auth"])
	add("acl_access_denied_cmd", denied["command"])
	add("acl_access_denied_key", denied["key"])
	add("acl_access_denied_channel", denied["channel"])
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

// infoLatencyStats tells how long each command takes.
func infoLatencyStats(s *Server, status *Status, add adder) {
	s.table.all(func(r *row) {
		h := r.stats.histogram.Load()
		if h == nil {
			return
		}
		micros := func(percent float64) float64 { return float64(h.percentile(percent)) / 1000 }
		add("latency_percentiles_usec_"+r.full, fmt.Sprintf("p50=%.3f,p99=%.3f,p99.9=%.3f", micros(50), micros(99), micros(99.9)))
	})
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
	disk := "ok"
	if status.DiskErr != nil {
		disk = status.DiskErr.Error()
	}
	add("raft_disk", disk)
	state := "agreed"
	switch {
	case status.Diverged:
		state = "diverged"
	case status.Disputed:
		state = "disputed"
	case status.Agreed.IsZero():
		state = "unknown"
	}
	add("raft_digest_state", state)
	add("raft_digest_index", status.Checked)
	if !status.Agreed.IsZero() {
		add("raft_digest_agreed_seconds_ago", int(time.Since(status.Agreed).Seconds()))
	}
	infoPeers(status, add)
}

// infoPeers tells how far the clocks are from the median of the voters', and who is reached.
func infoPeers(status *Status, add adder) {
	peers := 0
	for _, m := range status.Members {
		skew := ""
		if m.ClockKnown {
			skew = strconv.FormatInt(m.ClockSkew.Milliseconds(), 10)
		}
		if m.Self {
			add("raft_clock_skew_ms", skew)
			continue
		}
		reachable := 0
		if m.Reachable {
			reachable = 1
		}
		add(fmt.Sprintf("raft_peer%d", peers), fmt.Sprintf("id=%s,reachable=%d,clock_skew_ms=%s", m.ID, reachable, skew))
		peers++
	}
}

func infoKeyspace(s *Server, status *Status, add adder) {
	for _, k := range status.Keys {
		if k.Keys > 0 {
			add(fmt.Sprintf("db%d", k.DB), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=%d", k.Keys, k.Expires, k.MeanTTL.Milliseconds()))
		}
	}
}
