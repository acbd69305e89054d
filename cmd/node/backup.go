package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"holdfast/cmd/node/transfer"
	"holdfast/fsm"
)

// backupCommand writes all keys to a file.
type backupCommand struct {
	File     string        `arg:"" type:"path" help:"Where to write the backup. A file that is there is replaced once the new one is complete."`
	From     string        `help:"Node to ask, any of the cluster." default:"redis://127.0.0.1:6379" placeholder:"redis://[USER:PASSWORD@]HOST:PORT"`
	Patience time.Duration `env:"-" help:"How long a node that sends nothing is waited for." default:"1m"`
}

func (backupCommand) Help() string {
	return `The backup is an RDB file, as redis-server writes and reads it, with every write that was
acknowledged before the command, as of one moment; the cluster goes on meanwhile. It is
read through and on disk when the command succeeds. "holdfast import rdb" brings it back.

    holdfast backup /backup/$(date +%F).rdb --from redis://admin:password@db1:6379

A password is better in the environment than in the command: HOLDFAST_FROM is --from.
Users and settings are no part of it: see ACL SAVE and CONFIG GET.`
}

func (b *backupCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begun := time.Now()
	keys, size, err := b.run(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%8d keys\n%8d bytes, in %v\n", keys, size, time.Since(begun).Round(time.Millisecond))
	return nil
}

// run writes beside the file, checks what it has, and renames it.
func (b *backupCommand) run(ctx context.Context) (keys int, size int64, err error) {
	temp, err := os.CreateTemp(filepath.Dir(b.File), "."+filepath.Base(b.File)+".*")
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		temp.Close()
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	if err := b.fetch(ctx, temp); err != nil {
		return 0, 0, err
	}
	if keys, size, err = check(ctx, temp); err != nil {
		return 0, 0, fmt.Errorf("the dump that was sent: %w", err)
	}
	if err := temp.Sync(); err != nil {
		return 0, 0, err
	}
	if err := os.Rename(temp.Name(), b.File); err != nil {
		return 0, 0, err
	}
	return keys, size, syncDir(filepath.Dir(b.File))
}

func (b *backupCommand) fetch(ctx context.Context, temp io.Writer) error {
	if isatty.IsTerminal(os.Stderr.Fd()) {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionClearOnFinish(),
			progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowBytes(true))
		defer bar.Finish()
		temp = io.MultiWriter(temp, bar)
	}
	return transfer.Fetch(ctx, b.From, b.Patience, temp)
}

// check reads a dump through, as whoever needs it one day will, and counts its keys.
func check(ctx context.Context, file *os.File) (keys int, size int64, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	for _, err := range fsm.ReadDump(file) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return 0, 0, err
		}
		keys++
	}
	size, err = file.Seek(0, io.SeekEnd)
	return keys, size, err
}

// syncDir makes a name in a directory outlive a loss of power.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
