package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/mysql"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

// Our engine runs in a process of its own: its start counts, and its memory and
// processor time can be read.

const childArg = "run-the-engine"

// job is what the child is to do; it comes on its standard input.
type job struct {
	Do             string // install, copy, step, trim or run: until the input ends
	Source, Target string // data source names
	From, To       string // postgres or mysql
	Notify         bool
	Profile        string // file of a CPU profile
}

// outcome is what the child says on its standard output.
type outcome struct {
	Rows    int64
	Seconds float64 // of the call alone
	CPU     float64 // seconds of the process so far, user and system
	Peak    int64   // resident memory at most, KB
	Err     string
}

func childMain() {
	in := bufio.NewReader(os.Stdin)
	var j job
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &j)
	}
	var o outcome
	if err == nil {
		o, err = j.do(in)
	}
	if err != nil {
		o.Err = err.Error()
	}
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	o.CPU = float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	o.Peak = peakMemory()
	_ = json.NewEncoder(os.Stdout).Encode(o)
}

func (j job) do(in io.Reader) (o outcome, err error) {
	if j.Profile != "" {
		f, err := os.Create(j.Profile)
		if err != nil {
			return o, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return o, err
		}
		defer pprof.StopCPUProfile()
	}
	source, err := end(j.From, j.Source, j.Notify)
	if err != nil {
		return o, err
	}
	defer source.DB.Close()
	target, err := end(j.To, j.Target, false)
	if err != nil {
		return o, err
	}
	defer target.DB.Close()
	r, err := replication.New(replication.Config{
		Node: "bench", Source: source, Target: target,
		Tables: []replication.Table{{Source: "site_users"}, {Source: "marker"}},
	})
	if err != nil {
		return o, err
	}
	ctx := context.Background()
	began := time.Now()
	switch j.Do {
	case "install":
		err = r.Install(ctx)
	case "copy":
		err = r.Copy(ctx)
	case "step":
		o.Rows, err = r.Step(ctx)
	case "trim":
		o.Rows, err = r.Trim(ctx)
	case "run":
		err = untilEnd(r, in)
		o.Rows = r.Stats().Rows
	default:
		err = fmt.Errorf("no job %q", j.Do)
	}
	o.Seconds = time.Since(began).Seconds()
	return o, errorsOf(err, r.Close())
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func untilEnd(r *replication.Replicator, in io.Reader) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	err := r.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func end(kind, dsn string, notify bool) (e replication.End, err error) {
	switch {
	case kind == "mysql":
		e.Dialect = mysql.Dialect
		e.DB, err = sql.Open("mysql", dsn)
	case notify:
		e.Dialect = postgres.Notifying
		e.DB, err = sql.Open("pgx", dsn)
	default:
		e.Dialect = postgres.Dialect
		e.DB, err = sql.Open("pgx", dsn)
	}
	return e, err
}

// peakMemory is VmHWM: getrusage would tell of the parent before exec.
func peakMemory() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb
		}
	}
	return 0
}
