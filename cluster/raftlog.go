package cluster

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger passes on what raft logs at Warn and above; its Info lines tell of every
// election in a dozen lines, and the node logs those in its own words.
func raftLogger(to *slog.Logger) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Level:      hclog.Warn,
		Output:     &raftLog{to},
		JSONFormat: true,
	})
}

// raftLog turns hclog's JSON lines into slog records.
type raftLog struct{ to *slog.Logger }

func (w *raftLog) Write(line []byte) (int, error) {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		w.to.Warn("raft: " + string(line))
		return len(line), nil
	}
	level := slog.LevelWarn
	if fields["@level"] == "error" {
		level = slog.LevelError
	}
	message, _ := fields["@message"].(string)
	var attrs []slog.Attr
	for name, value := range fields {
		if name != "" && name[0] != '@' {
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	w.to.LogAttrs(context.Background(), level, "raft: "+message, attrs...)
	return len(line), nil
}
