package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// offClock is a clock that is wrong by as many milliseconds as a file says, none without
// the file. It exists so that tests can move the clocks of nodes apart.
func offClock(path string) func() int64 {
	return func() int64 {
		text, _ := os.ReadFile(path)
		off, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return time.Now().UnixMilli() + off
	}
}
