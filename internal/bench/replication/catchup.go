package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// preparer is a peer that has something to do before each workload.
type preparer interface {
	prepare(ctx context.Context) error
}

// catchup measures how fast a backlog is applied, from the start of what applies
// it until the last change is seen on the replica.
func (l *lab) catchup(ctx context.Context) error {
	var names []string
	for _, n := range allPeers {
		if l.has(n) {
			names = append(names, n)
		}
	}
	list, err := l.systems(ctx, "", l.rows, names...)
	if err != nil {
		return err
	}
	defer dropAll(ctx, list)
	for _, w := range l.workloads {
		t := newTable(fmt.Sprintf("catch-up, %s: %d changes", w, l.rows), "changes/s", "ours PG->PG / it")
		t.base = "ours"
		for range l.rounds {
			for _, s := range list {
				began := time.Now()
				if err := l.catchUpOnce(ctx, s, w, t); err != nil {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					t.fail(s.name, err)
				}
				l.logf("round of %s took %.1f s", s.name, time.Since(began).Seconds())
			}
			t.endRound()
		}
		t.print()
	}
	return nil
}

func dropAll(ctx context.Context, list []*system) {
	for _, s := range list {
		if g, ok := s.peer.(*logical); ok {
			_ = g.drop(ctx)
		}
		s.pair.drop(ctx)
	}
}

func (l *lab) catchUpOnce(ctx context.Context, s *system, workload string, t *table) error {
	if o, ok := s.peer.(*ours); ok {
		if _, err := o.do(ctx, "trim"); err != nil {
			return err
		}
	}
	if p, ok := s.peer.(preparer); ok {
		if err := p.prepare(ctx); err != nil {
			return err
		}
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	n := l.rows
	began := time.Now()
	if err := s.change(ctx, workload, n); err != nil {
		return err
	}
	wrote := time.Since(began)
	if err := s.mark(ctx); err != nil {
		return err
	}
	if err := execAll(ctx, s.source, "CHECKPOINT"); err != nil {
		return err
	}
	cpu := treeCPU()
	began = time.Now()
	if err := s.start(ctx); err != nil {
		return err
	}
	err := s.arrived(ctx, 5*time.Minute)
	took := time.Since(began)
	if stopErr := s.stop(ctx); err == nil {
		err = stopErr
	}
	cpu = treeCPU() - cpu
	if err == nil {
		err = s.equal(ctx)
	}
	if err != nil {
		return err
	}
	t.add(s.name, float64(n)/took.Seconds())
	t.cost(s.name, cpu, n)
	l.logf("%s %s: written in %.1f s, applied in %.2f s with %.2f s of CPU", s.name, workload, wrote.Seconds(), took.Seconds(), cpu)
	if o, ok := s.peer.(*ours); ok {
		t.add(s.name+", the call of Step", float64(n)/o.last.Seconds)
		t.note(s.name+" CPU", "%.1f ms per 1,000 changes", o.last.CPU*1e6/float64(n))
		t.note(s.name+" memory", "%.0f MB", float64(o.last.Peak)/1024)
		l.logf("%s: Step %.2f s of %d keys, CPU %.2f s, peak %d KB", s.name, o.last.Seconds, o.last.Rows, o.last.CPU, o.last.Peak)
	}
	return nil
}

// plain is an error in one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
