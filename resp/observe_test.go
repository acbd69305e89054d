package resp

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h histogram
	for _, test := range []struct{ took, highest time.Duration }{
		{-1, 1023}, {0, 1023}, {1023, 1023}, {1024, 1031}, {1031, 1031}, {1032, 1039}, {2047, 2047}, {2048, 2063},
		{65536, 66047}, {66047, 66047}, {66048, 66559}, {time.Second, 1002438655}, {1<<30 - 1, 1<<30 - 1}, {time.Hour, 1<<30 - 1},
	} {
		h = histogram{}
		h.add(test.took, 1)
		if got := h.percentile(50); got != test.highest || h.total() != 1 {
			t.Errorf("%d ns are counted as %d, want %d", test.took, got, test.highest)
		}
	}
	h = histogram{}
	for i := range 1000 {
		h.add(time.Duration(i)*time.Microsecond, 2)
	}
	for percent, want := range map[float64]time.Duration{0: 0, 50: 499 * time.Microsecond, 99: 989 * time.Microsecond, 99.9: 998 * time.Microsecond, 100: 999 * time.Microsecond} {
		if got := h.percentile(percent); got < want || got > want+max(want/100, 1024) {
			t.Errorf("%v of a hundred are within %v, want %v", percent, got, want)
		}
	}
	var micros, counts []int64
	for longest, count := range h.octaves() {
		micros, counts = append(micros, longest.Microseconds()), append(counts, count)
	}
	want := []int64{1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056}
	if len(micros) != len(want) || counts[len(counts)-1] != 2000 {
		t.Fatalf("octaves %v, counts %v", micros, counts)
	}
	for i := range want {
		if micros[i] != want[i] {
			t.Fatalf("octaves %v, want %v", micros, want)
		}
	}
}

func TestLatencyEvents(t *testing.T) {
	s, address := serve(t, DefaultConfig(), newMemoryStore())
	c := dial(t, address)
	c.want("+OK\r\n", "CONFIG", "SET", "latency-monitor-threshold", "20")
	before := time.Now().Unix()
	c.want("+OK\r\n", "DEBUG", "SLEEP", "0.03")
	c.want("+OK\r\n", "DEBUG", "SLEEP", "0.06")
	s.Took("rdb-snapshot", 500*time.Millisecond)
	s.Took("rdb-snapshot", 19*time.Millisecond)
	latest := c.do("LATENCY", "LATEST")
	var took, longest int64
	fields := strings.Fields(latest) // *2 *4 $7 command :time :ms :ms *4 $12 rdb-snapshot ...
	if len(fields) != 13 || fields[3] != "command" || fields[9] != "rdb-snapshot" || fields[11] != ":500" {
		t.Fatalf("LATENCY LATEST: %q", latest)
	}
	took, _ = strconv.ParseInt(fields[5][1:], 10, 64)
	longest, _ = strconv.ParseInt(fields[6][1:], 10, 64)
	if took < 60 || longest < took || longest > 10000 {
		t.Errorf("LATENCY LATEST: %q", latest)
	}
	if history := strings.Fields(c.do("LATENCY", "HISTORY", "command")); len(history) < 4 || history[1] != "*2" || history[2] < ":"+strconv.FormatInt(before, 10) {
		t.Errorf("LATENCY HISTORY: %q", history)
	}
	if graph := c.do("LATENCY", "GRAPH", "rdb-snapshot"); !strings.Contains(graph, "rdb-snapshot - high 500 ms, low 500 ms (all time high 500 ms)\n") || strings.Count(graph, "#") != graphRows {
		t.Errorf("LATENCY GRAPH: %q", graph)
	}
	if doctor := c.do("LATENCY", "DOCTOR"); !strings.Contains(doctor, "at most 500 ms. Writes have waited for a snapshot") {
		t.Errorf("LATENCY DOCTOR: %q", doctor)
	}
	c.want("-ERR No samples available for event 'nosuch'\r\n", "LATENCY", "GRAPH", "nosuch")
	c.want(":1\r\n", "LATENCY", "RESET", "command", "nosuch")
	c.want("*0\r\n", "LATENCY", "HISTORY", "command")
	c.want(":1\r\n", "LATENCY", "RESET")
	c.want("*0\r\n", "LATENCY", "LATEST")
}

// An event keeps the longest time of a second, and so many seconds.
func TestLatencySamples(t *testing.T) {
	var l latencyEvents
	for second := range int64(latencySamples + 40) {
		for _, ms := range []time.Duration{30, 50, 40} {
			l.add("command", (ms+time.Duration(second))*time.Millisecond, time.Unix(1000+second, 0))
		}
	}
	e := l.events["command"]
	first, last := e.samples[0], e.samples[len(e.samples)-1]
	if len(e.samples) != latencySamples || first != (latencySample{1040, 90 * time.Millisecond}) || last != (latencySample{1199, 249 * time.Millisecond}) {
		t.Errorf("%d samples from %v to %v", len(e.samples), first, last)
	}
	if graph := e.graph("command", time.Unix(1199+3600, 0)); !strings.Contains(graph, "high 249 ms, low 170 ms (all time high 249 ms)") {
		t.Error(graph)
	}
}

func TestLatencyHistogramReply(t *testing.T) {
	_, address := serve(t, DefaultConfig(), newMemoryStore())
	c := dial(t, address)
	for range 3 {
		c.do("GET", "k")
	}
	c.do("CONFIG", "GET", "port")
	got := c.do("LATENCY", "HISTOGRAM", "get", "config", "set", "nosuch")
	if !strings.HasPrefix(got, "*4\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n") || !strings.Contains(got, "$10\r\nconfig|get\r\n") {
		t.Errorf("LATENCY HISTOGRAM: %q", got)
	}
	c.want("+OK\r\n", "CONFIG", "RESETSTAT")
	c.want("*0\r\n", "LATENCY", "HISTOGRAM", "get")
}

// A monitor sees what other clients do, in their order, and one that does not read is cut
// off without holding them up.
func TestMonitor(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PubSubHardBytes, cfg.PubSubSoftBytes = 256<<10, 256<<10
	s, address := serve(t, cfg, newMemoryStore())
	monitor, slow, other := dial(t, address), dial(t, address), dial(t, address)
	monitor.want("+OK\r\n", "MONITOR")
	slow.want("+OK\r\n", "MONITOR")
	client := other.LocalAddr().String()
	other.send(command("SET", "k", "v") + command("get", "k") + command("CONFIG", "GET", "port") + command("MULTI") + command("INCR", "n") + command("EXEC"))
	for _, want := range []string{`"SET" "k" "v"`, `"get" "k"`, `"MULTI"`, `"INCR" "n"`, `"EXEC"`} {
		if line := monitor.reply(); !strings.HasSuffix(line, " [0 "+client+"] "+want+"\r\n") {
			t.Errorf("the monitor was shown %q, want %s", line, want)
		}
	}
	for range 6 {
		other.reply()
	}
	monitor.want("+RESET\r\n", "RESET")
	monitor.want("$1\r\nv\r\n", "GET", "k")
	long := strings.Repeat("x", 64<<10)
	for i := 0; s.stats.outputLimit.Load() == 0; i++ {
		if i == 1000 {
			t.Fatal("a monitor that does not read is not cut off")
		}
		other.want("$"+strconv.Itoa(len(long))+"\r\n"+long+"\r\n", "ECHO", long)
	}
	waitFor(t, "the monitor to be forgotten", func() bool { return !s.monitors.any.Load() })
}
