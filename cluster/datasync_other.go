//go:build !linux

package cluster

import "os"

func datasync(f *os.File) error { return f.Sync() }
