package main

import (
	"context"
	"fmt"
	"time"
)

// logical is PostgreSQL's own logical replication. Its slot follows the master
// until the workload begins, so that no other WAL is waiting in it.
type logical struct{ p *pair }

func (g *logical) setup(ctx context.Context, p *pair) error {
	g.p = p
	if err := execAll(ctx, p.source, "CREATE PUBLICATION bench FOR TABLE site_users, marker"); err != nil {
		return err
	}
	if err := execAll(ctx, p.target, "CREATE SUBSCRIPTION "+p.name+" CONNECTION '"+p.from.conninfo(p.name)+" password="+p.from.password+"' PUBLICATION bench"); err != nil {
		return err
	}
	if err := g.caughtUp(ctx); err != nil {
		return err
	}
	return g.stop(ctx)
}

// caughtUp waits until the slot has nothing to send.
func (g *logical) caughtUp(ctx context.Context) error {
	if err := g.p.mark(ctx); err != nil {
		return err
	}
	return g.p.arrived(ctx, time.Minute)
}

func (g *logical) start(ctx context.Context) error {
	return execAll(ctx, g.p.target, "ALTER SUBSCRIPTION "+g.p.name+" ENABLE")
}

func (g *logical) stop(ctx context.Context) error {
	if err := execAll(ctx, g.p.target, "ALTER SUBSCRIPTION "+g.p.name+" DISABLE"); err != nil {
		return err
	}
	return until(ctx, 20*time.Second, 10*time.Millisecond, func() error {
		var workers int
		err := g.p.target.QueryRowContext(ctx, "SELECT count(pid) FROM pg_stat_subscription WHERE subname = $1", g.p.name).Scan(&workers)
		if err == nil && workers > 0 {
			err = fmt.Errorf("%d apply workers go on", workers)
		}
		return err
	})
}

// drop gives the slot back, without which the databases cannot be dropped.
func (g *logical) drop(ctx context.Context) error {
	return execAll(ctx, g.p.target, "DROP SUBSCRIPTION "+g.p.name)
}

// prepare lets the slot follow over what other systems' workloads wrote.
func (g *logical) prepare(ctx context.Context) error {
	if err := g.start(ctx); err != nil {
		return err
	}
	if err := g.caughtUp(ctx); err != nil {
		return err
	}
	return g.stop(ctx)
}
