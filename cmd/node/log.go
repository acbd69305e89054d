package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
)

// newLogger logs for people on a terminal and for programs elsewhere.
func newLogger(w *os.File, format, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		panic(err) // the command line takes only these levels
	}
	terminal := isatty.IsTerminal(w.Fd())
	if format == "text" || format == "auto" && terminal {
		return slog.New(tint.NewTextHandler(io.Writer(w), &tint.Options{Level: least, TimeFormat: "15:04:05.000", NoColor: !terminal}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
}
