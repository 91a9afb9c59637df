package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// job is one run of the program.
type job struct {
	options
	out      io.Writer
	log      *slog.Logger
	progress *progress
	secrets  []string
}

// text writes an error for people: without secrets, on one line, and without
// the package's name before each part.
func (j *job) text(err error) string {
	text := strings.ReplaceAll(err.Error(), "replication: ", "")
	for _, s := range j.secrets {
		text = hide(text, s)
	}
	return hide(text, "")
}

func (j *job) do(ctx context.Context) error {
	source, s1, err := open("-source", j.source, sourcePassword, j.notify)
	if err != nil {
		return err
	}
	defer source.DB.Close()
	target, s2, err := open("-target", j.target, targetPassword, false)
	if err != nil {
		return err
	}
	defer target.DB.Close()
	j.secrets = []string{s1, s2}
	trace := &replication.Trace{Copied: j.progress.copied}
	if j.command == "snapshot" {
		return j.snapshot(ctx, source, target, trace)
	}
	r, err := replication.New(replication.Config{
		Node: j.node, Group: j.group, Source: source, Target: target, Tables: j.tables,
		Interval: j.interval, Retention: replication.Retention{MaxAge: j.keep}, Logger: j.log, Trace: trace,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	defer r.Close()
	switch j.command {
	case "plan":
		return j.plan(ctx, r)
	case "install":
		return r.Install(ctx)
	case "copy":
		return r.Copy(ctx)
	case "run":
		return r.Run(ctx)
	case "once":
		return j.once(ctx, r)
	case "status":
		return j.status(ctx, r)
	case "verify":
		return j.verify(ctx, r)
	case "drop-node":
		return r.DropNode(ctx, j.node)
	default: // parse knows the commands
		return r.Uninstall(ctx)
	}
}

func (j *job) once(ctx context.Context, r *replication.Replicator) error {
	began := time.Now()
	rows, err := r.Step(ctx)
	if err != nil {
		return err
	}
	if j.json {
		return j.object(map[string]any{"rows": rows, "seconds": time.Since(began).Seconds()})
	}
	fmt.Fprintf(j.out, "%d rows in %v\n", rows, time.Since(began).Round(time.Millisecond))
	return nil
}

func (j *job) snapshot(ctx context.Context, source, target replication.End, trace *replication.Trace) error {
	var failed error
	trace.Flipped = func(res replication.FlipResult) { failed = errors.Join(failed, j.flipped(res)) }
	f, err := replication.NewFlipper(replication.FlipConfig{Group: j.group, Source: source, Target: target, Tables: j.tables, Logger: j.log, Trace: trace})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if j.every > 0 {
		return errors.Join(f.Run(ctx, j.every), failed)
	}
	_, err = f.Flip(ctx)
	return errors.Join(err, failed)
}

func (j *job) flipped(res replication.FlipResult) error {
	switch {
	case res.Err != nil:
		return nil // said by whoever ran the flip
	case j.json:
		return j.object(map[string]any{"flipped": res.Flipped, "rows": res.Rows, "read_seconds": res.Read.Seconds(), "flip_seconds": res.Flip.Seconds()})
	case len(res.Flipped) == 0:
		fmt.Fprintln(j.out, "nothing has changed")
	default:
		fmt.Fprintf(j.out, "flipped %v: %d rows, read in %v, changed over in %v\n", res.Flipped, res.Rows, res.Read.Round(time.Millisecond), res.Flip.Round(10*time.Microsecond))
	}
	return nil
}

func (j *job) verify(ctx context.Context, r *replication.Replicator) error {
	found := 0
	report := func(d replication.Diff) error {
		found++
		if j.json {
			return j.object(map[string]any{"table": d.Table, "key": d.Key, "what": d.What, "column": d.Column, "repaired": j.repair})
		}
		_, err := fmt.Fprintln(j.out, d)
		return err
	}
	if j.repair {
		diffs, err := r.Repair(ctx)
		for _, d := range diffs {
			if err := report(d); err != nil {
				return err
			}
		}
		if err == nil && !j.json {
			fmt.Fprintf(j.out, "%d rows repaired\n", found)
		}
		return err
	}
	for d, err := range r.Verify(ctx) {
		if err != nil {
			return err
		}
		if err := report(d); err != nil {
			return err
		}
	}
	if found > 0 {
		return fmt.Errorf("%w in %d rows", errDiffers, found)
	}
	if !j.json {
		fmt.Fprintln(j.out, "equal")
	}
	return nil
}

func (j *job) object(v any) error { return json.NewEncoder(j.out).Encode(v) }
