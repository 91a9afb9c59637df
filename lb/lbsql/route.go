package lbsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// lent is a connection of a server while it is used, with all that must be
// given back at the end.
type lent struct {
	c       *Cluster
	r       *replica // nil: the primary
	lease   lb.Lease // of r
	counted bool     // one of the reads that the primary may have
	begin   time.Time

	conn *sql.Conn
	dc   driver.Conn // conn's; ours alone until it is given back

	outcome lb.Outcome
	broken  bool // the connection is not to be used again
}

func (l *lent) name() string {
	if l.r == nil {
		return primaryName
	}
	return l.r.ID
}

func (l *lent) db() *sql.DB {
	if l.r == nil {
		return l.c.cfg.Primary
	}
	return l.r.DB
}

// start takes a connection and calls f with it. A pooled connection that turns
// out to have gone before anything was sent (driver.ErrBadConn) is thrown away
// and the next one taken, as often as there were pooled ones. sent is false if
// the server certainly saw nothing of it. After an error no connection is held.
func (l *lent) start(ctx context.Context, op string, f func(driver.Conn) error) (sent bool, err error) {
	l.begin = time.Now()
	for left := -1; ; left-- {
		l.conn, err = l.db().Conn(ctx)
		if err != nil {
			return false, l.failed("connect", err)
		}
		err = l.conn.Raw(func(dc any) error {
			l.dc = dc.(driver.Conn)
			return nil
		})
		if err == nil {
			err = f(l.dc)
		}
		if err == nil {
			l.outcome.Latency = time.Since(l.begin)
			return true, nil
		}
		v := judge(ctx, err, l.dc)
		l.outcome = v.outcome(ctx, err)
		l.broken = v == lost
		l.release()
		if !errors.Is(err, driver.ErrBadConn) {
			if v == lost || v == conflict && l.r != nil {
				err = l.failed(op, err)
			}
			return true, err
		}
		if left < 0 {
			left = l.db().Stats().OpenConnections + 1
		}
		if left == 0 || ctx.Err() != nil {
			return false, l.failed(op, err)
		}
	}
}

// failed notes that the server, not the statement, is at fault.
func (l *lent) failed(op string, err error) error {
	l.outcome = lb.Outcome{Err: err, Class: lb.Failed}
	if errors.Is(err, context.Canceled) {
		l.outcome.Class = lb.Canceled
	}
	return &Error{Node: l.name(), Op: op, Err: err}
}

// note keeps what an error in the middle of an answer says of the server.
func (l *lent) note(ctx context.Context, err error) {
	v := judge(ctx, err, l.dc)
	if v == answer {
		return
	}
	l.broken = l.broken || v == lost
	latency := l.outcome.Latency
	l.outcome = v.outcome(ctx, err)
	l.outcome.Latency = latency
}

// release gives the connection back to its own pool, or closes it.
func (l *lent) release() {
	if l.conn == nil {
		return
	}
	if l.broken {
		_ = l.conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
	}
	_ = l.conn.Close()
	l.conn, l.dc, l.broken = nil, nil, false
}

// end gives everything back.
func (l *lent) end() {
	l.release()
	if l.counted {
		l.c.share.give()
	}
	if l.r == nil {
		return
	}
	l.lease.Done(l.outcome)
	if l.outcome.Class == lb.Failed {
		l.r.ask() // sooner than its turn
	}
}

// write runs f on the primary, without limits. It is never sent twice.
func (c *Cluster) write(ctx context.Context, op string, f func(*lent) error) error {
	c.count.forced.Add(1)
	l := &lent{c: c}
	_, err := l.start(ctx, op, func(driver.Conn) error { return f(l) })
	if err != nil {
		l.end()
	}
	return err
}

// read runs f on a server that may serve this read. What f began owns the lent
// connection if f succeeds. f may be called again, for another server: if
// nothing of it was sent, as long as there are servers; once, on another
// replica, if the connection broke under it. The primary never gets a read that
// broke a replica's connection: it might be what broke it.
func (c *Cluster) read(ctx context.Context, op string, f func(*lent) error) error {
	c.count.reads.Add(1)
	c.share.offered()
	var (
		tried    []*replica
		waited   = c.cfg.Wait <= 0
		broke    error
		lastFail error
	)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, ok, err := c.pick(ctx, tried)
		switch {
		case err != nil:
			return err
		case !ok && !waited && c.canWait(ctx, tried):
			waited = true
			c.wait(ctx, tried)
			continue
		case !ok && broke != nil:
			return broke
		case !ok && !c.share.take():
			c.count.refused.Add(1)
			if f := c.cfg.Trace.Refused; f != nil {
				f()
			}
			return errors.Join(ErrNoReplica, lastFail)
		case !ok:
			c.count.onPrimary.Add(1)
			if f := c.cfg.Trace.OnPrimary; f != nil {
				f()
			}
			l = &lent{c: c, counted: true}
		default:
			c.count.onReplica.Add(1)
		}
		sent, err := l.start(ctx, op, func(driver.Conn) error { return f(l) })
		if err == nil {
			return nil
		}
		l.end()
		_, ours := errors.AsType[*Error](err)
		if l.r == nil || !ours || ctx.Err() != nil || broke != nil {
			return err
		}
		tried, lastFail = append(tried, l.r), err
		if sent {
			broke = err
		}
		c.count.retries.Add(1)
		if f := c.cfg.Trace.Retried; f != nil {
			f(l.r.ID, err)
		}
	}
}

// pick leases a replica that may be read, has what ctx asks for, and was not
// tried. It is false when there is none.
func (c *Cluster) pick(ctx context.Context, tried []*replica) (*lent, bool, error) {
	need := Position(after(ctx))
	var r lb.Request
	some := false
	for _, m := range c.replicas {
		switch {
		case slices.Contains(tried, m) || Position(m.position.Load()) < need:
			r.Exclude = append(r.Exclude, m.node)
		case m.usable.Load():
			some = true
		}
	}
	if !some {
		return nil, false, nil
	}
	lease, err := c.pool.Acquire(ctx, r)
	switch {
	case errors.Is(err, lb.ErrNoNodes):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	n := lease.Node()
	i := slices.IndexFunc(c.replicas, func(m *replica) bool { return m.ID == n.ID })
	if slices.Contains(r.Exclude, n) || i < 0 { // the pool had no other any more
		lease.Done(lb.Outcome{Class: lb.Canceled})
		return nil, false, nil
	}
	return &lent{c: c, r: c.replicas[i], lease: lease}, true, nil
}

// canWait reports whether a replica may come to serve the read soon: the first
// measurements are not over, or one that is used only lacks the token.
func (c *Cluster) canWait(ctx context.Context, tried []*replica) bool {
	select {
	case <-c.met:
	default:
		return true
	}
	need := Position(after(ctx))
	return slices.ContainsFunc(c.replicas, func(m *replica) bool {
		return m.usable.Load() && Position(m.position.Load()) < need && !slices.Contains(tried, m)
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
	for _, m := range c.replicas {
		m.ask()
	}
	for {
		changed := c.changes()
		served := slices.ContainsFunc(c.replicas, func(m *replica) bool {
			return m.usable.Load() && Position(m.position.Load()) >= need && !slices.Contains(tried, m)
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
