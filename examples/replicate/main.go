// Command replicate keeps tables of one database equal to those of another one,
// of the same vendor or of another: it installs triggers on the master, copies
// the tables, and follows their changes; or keeps flipping snapshots of small
// tables. Start it with -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the command line.
type options struct {
	source, target string
	tables         []replication.Table
	node, group    string
	interval       time.Duration
	keep           time.Duration
	json           bool
	notify         bool
	repair         bool
	every          time.Duration
	command        string
}

// commands are what replicate can do, in the order of the help.
var commands = []struct{ name, help string }{
	{"plan", "print the SQL that install and copy would run, and how each column travels"},
	{"install", "make the triggers and logs on the master"},
	{"copy", "copy the tables, or go on with a copy that was interrupted"},
	{"run", "follow the master; copies first if that was not done"},
	{"once", "bring the replica up to date once"},
	{"snapshot", "load the idle copies of the tables and flip; -every D: again and again"},
	{"status", "how far the replica is, what waits, and who else follows"},
	{"verify", "compare all rows; exits 1 on a difference; -repair: mend what differs"},
	{"drop-node", "give up the node, so that the master need not keep its log"},
	{"uninstall", "remove triggers and logs from the master"},
}

var errUsage = errors.New("wrong usage")

// errDiffers is the end of a verify that found something.
var errDiffers = errors.New("the replica differs from the master")

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("replicate", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.source, "source", "", "the master: postgres://USER@HOST:PORT/DB, mysql://USER@HOST:PORT/DB,\nsqlite:///PATH or oracle://USER@HOST:PORT/SERVICE")
	fs.StringVar(&o.target, "target", "", "the replica, likewise")
	fs.Func("tables", "tables of the master, `A,B=TARGET,...`; TARGET is the replica's name of it,\ndefault the same; may be repeated", func(v string) error {
		for item := range strings.SplitSeq(v, ",") {
			name, target, _ := strings.Cut(strings.TrimSpace(item), "=")
			if name == "" {
				return errors.New("a table without a name")
			}
			o.tables = append(o.tables, replication.Table{Source: name, Target: target})
		}
		return nil
	})
	fs.StringVar(&o.node, "node", "", "this replica's `name` among those of the master; default: the host's name")
	fs.StringVar(&o.group, "group", "ashlar", "`name` of what is captured together on the master")
	fs.DurationVar(&o.interval, "interval", 100*time.Millisecond, "how long a change may wait for the next poll")
	fs.DurationVar(&o.keep, "keep", 7*24*time.Hour, "how long the master keeps the log for a replica that is silent")
	fs.BoolVar(&o.notify, "notify", false, "PostgreSQL: install triggers that wake replicas up, and wait for that")
	fs.BoolVar(&o.json, "json", false, "print plan, status, snapshot and verify as JSON, one object a line")
	fs.BoolVar(&o.repair, "repair", false, "with verify: bring the rows that differ; no replicator may run")
	fs.DurationVar(&o.every, "every", 0, "with snapshot: again every so often, until a signal")
	// Flags may stand before and after the command.
	rest, err := args, error(nil)
	for err == nil {
		if err = fs.Parse(rest); err != nil || fs.NArg() == 0 {
			break
		}
		if o.command != "" {
			err = fmt.Errorf("unexpected argument %q after the command %s", fs.Arg(0), o.command)
			break
		}
		o.command, rest = fs.Arg(0), fs.Args()[1:]
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(usage, "usage: replicate -source URL -target URL -tables A,B [flags] COMMAND\n\n")
		for _, c := range commands {
			fmt.Fprintf(usage, "  %-10s  %s\n", c.name, c.help)
		}
		fmt.Fprintln(usage)
		fs.SetOutput(usage)
		fs.PrintDefaults()
		fmt.Fprintf(usage, "\nenvironment:\n  %s, %s\n    \tpasswords, where the URLs have none\n", sourcePassword, targetPassword)
		return o, err
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return o, fmt.Errorf("%w: %w (replicate -h explains)", errUsage, err)
	}
	return o, nil
}

func (o *options) check() error {
	known := slices.ContainsFunc(commands, func(c struct{ name, help string }) bool { return c.name == o.command })
	switch {
	case o.command == "":
		return errors.New("no command")
	case !known:
		return fmt.Errorf("no command %q", o.command)
	case o.source == "" || o.target == "":
		return errors.New("-source and -target are required")
	case len(o.tables) == 0:
		return errors.New("-tables is required")
	case o.interval <= 0:
		return fmt.Errorf("-interval is %v, want more than 0", o.interval)
	case o.every < 0:
		return fmt.Errorf("-every is %v, want more than 0", o.every)
	case o.every > 0 && o.command != "snapshot":
		return errors.New("-every is for the command snapshot")
	case o.repair && o.command != "verify":
		return errors.New("-repair is for the command verify")
	}
	if o.node == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			return errors.New("-node is required: this host has no name")
		}
		o.node = host
	}
	return nil
}

// run is main with everything it touches as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "replicate:", err)
		return 2
	}
	// The first signal ends the context; the next one finds no handler and ends
	// the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	j := &job{options: o, out: stdout, log: slog.New(slog.NewTextHandler(stderr, nil)), progress: newProgress(stderr)}
	err = j.do(ctx)
	j.progress.end()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "replicate:", err)
		return 2
	case ctx.Err() != nil: // a signal: what was begun can go on later
		return 0
	}
	fmt.Fprintln(stderr, "replicate:", j.text(err))
	return 1
}
