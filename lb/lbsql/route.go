package lbsql

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// write does j on the primary, without limits. It is never sent twice.
func (c *Cluster) write(ctx context.Context, j job) (*lent, error) {
	c.count.forced.Add(1)
	l := &lent{c: c, db: c.primary.Load()}
	if _, err := l.start(ctx, j); err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

// read does j on a server that may serve this read; the lent connection is the
// caller's. It may be done again, on another server: if nothing of it was sent,
// as long as there are servers; once, on another replica, if the connection
// broke under it. The primary never gets a read that broke a replica's
// connection: it might be what broke it.
func (c *Cluster) read(ctx context.Context, j job) (*lent, error) {
	c.count.reads.Add(1)
	c.share.offered()
	if c.hedges != nil {
		c.hedges.Request()
	}
	var (
		tried    []*replica
		waited   = c.cfg.Wait <= 0
		broke    error
		lastFail error
	)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l, err := c.pick(ctx, tried)
		switch {
		case err != nil:
			return nil, err
		case l == nil && !waited && c.canWait(ctx, tried):
			waited = true
			c.wait(ctx, tried)
			continue
		case l == nil && broke != nil:
			return nil, broke
		case l == nil && !c.share.take():
			c.count.refused.Add(1)
			if f := c.cfg.Trace.Refused; f != nil {
				f()
			}
			return nil, errors.Join(ErrNoReplica, lastFail)
		case l == nil:
			c.count.onPrimary.Add(1)
			if f := c.cfg.Trace.OnPrimary; f != nil {
				f()
			}
			l = &lent{c: c, db: c.primary.Load(), counted: true}
		default:
			c.count.onReplica.Add(1)
		}
		var sent, final bool
		if c.hedges != nil && l.r != nil && j.op == opQuery && broke == nil {
			l, sent, final, err = c.hedged(ctx, l, tried, j)
		} else {
			sent, err = l.start(ctx, j)
		}
		if err == nil {
			return l, nil
		}
		l.end()
		_, ours := errors.AsType[*Error](err)
		if final || l.r == nil || !ours || ctx.Err() != nil || broke != nil {
			return nil, err
		}
		tried, lastFail = append(tried, l.r), err
		if sent {
			broke = err
		}
		c.count.retries.Add(1)
		if f := c.cfg.Trace.Retried; f != nil {
			f(l.r.id, err)
		}
	}
}

// pick leases a replica that may be read, has what ctx asks for, and was not
// tried. It is nil when there is none.
func (c *Cluster) pick(ctx context.Context, tried []*replica) (*lent, error) {
	need := Position(after(ctx))
	r := lb.Request{Strict: true}
	for _, m := range *c.members.Load() {
		if slices.Contains(tried, m.replica) || Position(m.position.Load()) < need {
			r.Exclude = append(r.Exclude, m.node)
		}
	}
	for {
		lease, err := c.pool.Acquire(ctx, r)
		switch {
		case errors.Is(err, lb.ErrNoNodes):
			return nil, nil
		case err != nil:
			return nil, err
		}
		n := lease.Node()
		m := c.replicaOf(n)
		if m != nil && m.usable.Load() && Position(m.position.Load()) >= need {
			return &lent{c: c, r: m, db: m.db, lease: lease}, nil
		}
		// The members or their state changed meanwhile.
		lease.Done(lb.Outcome{Class: lb.Canceled})
		r.Exclude = append(r.Exclude, n)
	}
}

// canWait reports whether a replica may come to serve the read soon: it was
// never asked, or is used and only lacks the token.
func (c *Cluster) canWait(ctx context.Context, tried []*replica) bool {
	need := Position(after(ctx))
	return slices.ContainsFunc(*c.members.Load(), func(m *member) bool {
		return !m.asked.Load() || m.usable.Load() && Position(m.position.Load()) < need && !slices.Contains(tried, m.replica)
	})
}

// wait returns when a replica may serve the read, none can come to, the time is
// over, or ctx has ended.
func (c *Cluster) wait(ctx context.Context, tried []*replica) {
	c.count.waits.Add(1)
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	need := Position(after(ctx))
	timer := time.NewTimer(c.cfg.Wait)
	defer timer.Stop()
	for _, m := range *c.members.Load() {
		m.ask()
	}
	for {
		changed := c.changes()
		served := slices.ContainsFunc(*c.members.Load(), func(m *member) bool {
			return m.usable.Load() && Position(m.position.Load()) >= need && !slices.Contains(tried, m.replica)
		})
		if served || !c.canWait(ctx, tried) {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
