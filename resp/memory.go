package resp

import (
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"

	"holdfast/fsm"
)

// memoryCommands join MEMORY USAGE, which the keyspace answers.
var memoryCommands = []local{{
	Command: fsm.Command{Name: "MEMORY", Arity: -2, Group: "server", Since: "4.0.0",
		Summary: "Tells what takes memory.", Cost: "Depends on subcommand."},
	subs: []local{
		{Command: fsm.Command{Name: "DOCTOR", Arity: 2, Group: "server", Since: "4.0.0",
			Summary: "Tells in words what is wrong with the memory of this node.", Cost: "O(1)"}, run: memoryDoctor},
		{Command: fsm.Command{Name: "MALLOC-STATS", Arity: 2, Group: "server", Since: "4.0.0",
			Summary: "Tells what the Go runtime knows of this node's memory.", Cost: "O(1)"}, run: memoryMallocStats},
		{Command: fsm.Command{Name: "PURGE", Arity: 2, Group: "server", Since: "4.0.0",
			Summary: "Collects garbage and gives free memory back to the system.", Cost: "O(N) where N is the memory in use"}, run: memoryPurge},
		{Command: fsm.Command{Name: "STATS", Arity: 2, Group: "server", Since: "4.0.0",
			Summary: "Returns what takes how much of this node's memory.", Cost: "O(1)"}, run: memoryStats},
	},
}}

// memoryUse is the memory of this process in bytes. used is the heap in use, with what
// the collector has yet to find, which Redis has none of.
type memoryUse struct {
	used     uint64 // objects
	active   uint64 // and what is free beside them
	resident uint64 // what the runtime has of the system
	rss      uint64 // what the system says
	peak     uint64 // of used
	startup  uint64 // used before there were keys and clients
	clients  uint64 // buffers of connections
	scripts  uint64 // sources
	keys     int
}

func (m *memoryUse) overhead() uint64 { return m.startup + m.clients + m.scripts }
func (m *memoryUse) dataset() uint64  { return m.used - min(m.used, m.overhead()) }

func (m *memoryUse) datasetPercent() float64 {
	return percent(m.dataset(), m.used-min(m.used, m.startup))
}

func percent(part, whole uint64) float64 { return 100 * ratio(part, whole) }

func ratio(a, b uint64) float64 { return float64(a) / float64(max(b, 1)) }

func (s *Server) memory(status *Status) *memoryUse {
	used, active, resident := heap()
	m := &memoryUse{used: used, active: active, resident: resident, rss: residentBytes(),
		peak: s.stats.peak(used), startup: s.startup, scripts: uint64(status.Counts.ScriptBytes)}
	if m.rss == 0 {
		m.rss = resident
	}
	for _, c := range s.clients() {
		c.mu.Lock()
		m.clients += uint64(c.info.buffered + c.info.free + c.info.outCap)
		c.mu.Unlock()
	}
	for _, k := range status.Keys {
		m.keys += k.Keys
	}
	return m
}

// heap asks the Go runtime: for the objects on the heap, the spans that hold them, and all
// memory that it has and has not given back.
func heap() (used, active, resident uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	return value(0), value(0) + value(1), value(2) - value(3)
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

func infoMemory(s *Server, status *Status, add adder) {
	m := s.memory(status)
	size := func(name string, n uint64) {
		add(name, n)
		add(name+"_human", humanBytes(n))
	}
	size("used_memory", m.used)
	size("used_memory_rss", m.rss)
	size("used_memory_peak", m.peak)
	add("used_memory_peak_perc", fmt.Sprintf("%.2f%%", percent(m.used, m.peak)))
	add("used_memory_overhead", m.overhead())
	add("used_memory_startup", m.startup)
	add("used_memory_dataset", m.dataset())
	add("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", m.datasetPercent()))
	add("allocator_allocated", m.used)
	add("allocator_active", m.active)
	add("allocator_resident", m.resident)
	size("total_system_memory", totalMemory())
	add("used_memory_scripts_eval", m.scripts)
	add("number_of_cached_scripts", status.Counts.Scripts)
	add("number_of_functions", 0)
	add("number_of_libraries", 0)
	add("used_memory_functions", 0)
	size("used_memory_scripts", m.scripts)
	size("maxmemory", 0)
	add("maxmemory_policy", "noeviction")
	pair := func(name, of string, a, b uint64) {
		add(name+"_ratio", fmt.Sprintf("%.2f", ratio(a, b)))
		add(of+"_bytes", int64(a)-int64(b))
	}
	pair("allocator_frag", "allocator_frag", m.active, m.used)
	pair("allocator_rss", "allocator_rss", m.resident, m.active)
	pair("rss_overhead", "rss_overhead", m.rss, m.resident)
	pair("mem_fragmentation", "mem_fragmentation", m.rss, m.used)
	add("mem_not_counted_for_evict", 0)
	add("mem_replication_backlog", 0)
	add("mem_total_replication_buffers", 0)
	add("mem_clients_slaves", 0)
	add("mem_clients_normal", m.clients)
	add("mem_aof_buffer", 0) // what is not on disk is not acknowledged
	add("mem_allocator", "go")
	add("active_defrag_running", 0)
	add("lazyfree_pending_objects", 0) // the collector frees
	add("lazyfreed_objects", 0)
}

func memoryStats(c *conn, _ [][]byte) (fsm.Reply, error) {
	status := c.server.store.Status()
	m := c.server.memory(&status)
	var b fsm.Builder
	n := 0
	whole := func(name string, value uint64) { b.BulkString(name); b.Int(int64(value)); n++ }
	part := func(name string, value float64) { b.BulkString(name); b.Double(value); n++ }
	pair := func(ratioName, bytesName string, x, y uint64) {
		part(ratioName, ratio(x, y))
		b.BulkString(bytesName)
		b.Int(int64(x) - int64(y))
		n++
	}
	whole("peak.allocated", m.peak)
	whole("total.allocated", m.used)
	whole("startup.allocated", m.startup)
	whole("replication.backlog", 0)
	whole("clients.slaves", 0)
	whole("clients.normal", m.clients)
	whole("aof.buffer", 0)
	whole("lua.caches", m.scripts)
	whole("functions.caches", 0)
	whole("overhead.total", m.overhead())
	whole("keys.count", uint64(m.keys))
	whole("keys.bytes-per-key", m.dataset()/uint64(max(m.keys, 1)))
	whole("dataset.bytes", m.dataset())
	part("dataset.percentage", m.datasetPercent())
	part("peak.percentage", percent(m.used, m.peak))
	whole("allocator.allocated", m.used)
	whole("allocator.active", m.active)
	whole("allocator.resident", m.resident)
	pair("allocator-fragmentation.ratio", "allocator-fragmentation.bytes", m.active, m.used)
	pair("allocator-rss.ratio", "allocator-rss.bytes", m.resident, m.active)
	pair("rss-overhead.ratio", "rss-overhead.bytes", m.rss, m.resident)
	pair("fragmentation", "fragmentation.bytes", m.rss, m.used)
	var reply fsm.Builder
	reply.Map(n)
	reply.Append(b.Reply())
	return reply.Reply(), nil
}

// memoryDoctor looks for what Redis looks for, and judges as it does where that makes
// sense for a heap with a collector.
func memoryDoctor(c *conn, _ [][]byte) (fsm.Reply, error) {
	status := c.server.store.Status()
	m := c.server.memory(&status)
	connections := uint64(max(len(c.server.clients()), 1))
	var findings []string
	if m.peak > m.used+m.used/2 {
		findings = append(findings, "At its peak the heap was more than half as large again as it is now. The system gets such memory back bit by bit, or at once by MEMORY PURGE.")
	}
	if m.rss > 2*m.resident {
		findings = append(findings, "The process has more than twice the memory that its heap takes. Something beside the heap has it, such as files that are mapped.")
	}
	if m.clients/connections > 200<<10 {
		findings = append(findings, "The buffers of connections are large on average: clients send long commands, or read their replies slowly. CLIENT LIST shows which (qbuf, tot-mem).")
	}
	switch {
	case m.used < 5<<20:
		findings = []string{"There is so little in memory that it says nothing."}
	case findings == nil:
		findings = []string{"There is nothing wrong with the memory of this node."}
	}
	return verbatim(strings.Join(findings, "\n") + "\n"), nil
}

// memoryMallocStats lists all that the runtime tells of its memory and its collector.
func memoryMallocStats(c *conn, _ [][]byte) (fsm.Reply, error) {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if d.Kind != metrics.KindFloat64Histogram && (strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/")) {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	var b strings.Builder
	for _, sample := range samples {
		if sample.Value.Kind() == metrics.KindUint64 {
			fmt.Fprintf(&b, "%s %d\n", sample.Name, sample.Value.Uint64())
		} else {
			fmt.Fprintf(&b, "%s %g\n", sample.Name, sample.Value.Float64())
		}
	}
	return verbatim(b.String()), nil
}

func memoryPurge(c *conn, _ [][]byte) (fsm.Reply, error) {
	debug.FreeOSMemory()
	return fsm.OK, nil
}
