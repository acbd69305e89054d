package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"holdfast/cmd/node/transfer"
)

// importCommand brings in what another store holds.
type importCommand struct {
	FileStore importFileStore `cmd:"" set:"prefix=sess:" help:"Live sessions from the folder of session-file-store."`
	MongoDump importMongoDump `cmd:"" set:"prefix=sess:" help:"Live sessions of connect-mongo from a dump of its collection."`
	RDB       importRDB       `cmd:"" name:"rdb" set:"prefix=" help:"Keys of all types from an RDB file: a dump of Redis 2.8 to 7.4, or a backup."`
}

func (importCommand) Help() string {
	return `What is taken keeps its remaining time to live; what has ended is left out. Keys that
are there already stay as they are, so an import may be run again, after a failure or to
fetch what came since. --dry-run tells what would happen.

    holdfast import file-store ./sessions --to redis://user:password@db1:6379 --dry-run
    holdfast import mongo-dump dump/app/sessions.bson
    holdfast import rdb /var/lib/redis/dump.rdb --prefix old:

A password is better in the environment than in the command: HOLDFAST_TO is --to.
The exit status is 0 if nothing was left out but what has ended or is there already.`
}

// importFlags are those of every source.
type importFlags struct {
	To       []string      `help:"Node to write to, any of the cluster; rediss:// for TLS. May be given again: the next is tried when one is gone." sep:"none" default:"redis://127.0.0.1:6379" placeholder:"redis://[USER:PASSWORD@]HOST:PORT[/DB]"`
	Prefix   string        `env:"-" help:"Put before every key." default:"${prefix}"`
	DB       int           `env:"-" name:"db" help:"Database to write to. Default: that of --to, else that of the source." default:"-1" placeholder:"N"`
	Replace  bool          `env:"-" help:"Write over keys that are there already."`
	DryRun   bool          `env:"-" help:"Read everything and ask the cluster, but write nothing."`
	Batch    int           `env:"-" help:"Keys sent at once." default:"512"`
	Patience time.Duration `env:"-" help:"How long a cluster that does not answer is waited for." default:"1m"`
}

// run copies a source, shows how far it is on a terminal, and says what became of it.
func (f *importFlags) run(source transfer.Source) error {
	defer source.Close()
	if f.Batch < 1 {
		return fmt.Errorf("batch %d: want at least 1", f.Batch)
	}
	options := transfer.Options{
		To: f.To, Prefix: f.Prefix, DB: f.DB, Replace: f.Replace, DryRun: f.DryRun,
		BatchKeys: f.Batch, BatchBytes: 1 << 20, Patience: f.Patience, Messages: os.Stderr,
	}
	finish := func() error { return nil }
	if isatty.IsTerminal(os.Stderr.Fd()) {
		bar := newBar(source)
		options.Progress, options.Messages, finish = bar.show, bar, bar.Clear
	}
	begun := time.Now()
	summary, err := transfer.Run(source, options)
	finish()
	if err != nil && summary.Read() == 0 {
		return err
	}
	f.report(os.Stdout, summary, time.Since(begun))
	if err == nil && summary.Failed() > 0 {
		err = fmt.Errorf("%d of %d were left out that should not have been", summary.Failed(), summary.Read())
	}
	return err
}

func (f *importFlags) report(w io.Writer, s transfer.Summary, took time.Duration) {
	verb := "taken"
	if f.DryRun {
		verb = "would be taken"
	}
	fmt.Fprintf(w, "%8d read, in %v\n%8d %s\n", s.Read(), took.Round(time.Millisecond), s.Taken, verb)
	for _, reason := range slices.Sorted(maps.Keys(s.Skipped)) {
		fmt.Fprintf(w, "%8d left out: %s\n", s.Skipped[reason], reason)
	}
}

// bar shows on a terminal how far an import is; what is written to it stands above.
type bar struct{ *progressbar.ProgressBar }

func newBar(source transfer.Source) bar {
	_, total := source.Progress()
	return bar{progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionClearOnFinish(),
		progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount())}
}

func (b bar) show(done, total int64) {
	if total != b.GetMax64() {
		b.ChangeMax64(total)
	}
	b.Set64(done)
}

func (b bar) Write(line []byte) (int, error) {
	b.Clear()
	return os.Stderr.Write(line)
}

type importFileStore struct {
	importFlags
	Dir       string        `arg:"" type:"existingdir" help:"The store's folder (its option path)."`
	TTL       time.Duration `env:"-" name:"ttl" help:"The store's option ttl: how long a session lasts after its last use if its cookie does not say." default:"1h"`
	Extension string        `env:"-" help:"The store's option fileExtension." default:".json"`
}

func (i *importFileStore) Run() error {
	source, err := transfer.OpenFileStore(i.Dir, i.Extension, i.TTL)
	if err != nil {
		return err
	}
	return i.run(source)
}

type importMongoDump struct {
	importFlags
	File string        `arg:"" type:"existingfile" help:"BSON of mongodump (gzipped or not), or JSON of mongoexport (lines or --jsonArray)."`
	TTL  time.Duration `env:"-" name:"ttl" help:"How long a session lasts from now if its document does not say." default:"24h"`
}

func (i *importMongoDump) Run() error {
	source, err := transfer.OpenMongoDump(i.File, i.TTL)
	if err != nil {
		return err
	}
	return i.run(source)
}

type importRDB struct {
	importFlags
	File        string `arg:"" type:"existingfile" help:"The dump, dump.rdb of Redis for instance."`
	SkipUnknown bool   `env:"-" help:"Leave out streams and values of modules, for which there is no place here, instead of refusing a file that has some."`
}

func (i *importRDB) Run() error {
	source, err := transfer.OpenRDB(i.File, i.SkipUnknown)
	if err != nil {
		return err
	}
	return i.run(source)
}
