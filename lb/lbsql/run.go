package lbsql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// LagError is why a replica is not used that answers.
type LagError struct {
	Lag   time.Duration
	Known bool // false: Lag is the least that it can be, or nothing is known
}

// Error implements error.
func (e *LagError) Error() string {
	if e.Known {
		return fmt.Sprintf("lbsql: %v behind the primary", e.Lag)
	}
	return fmt.Sprintf("lbsql: more than %v behind the primary, or its position is not known", e.Lag)
}

// Run measures the servers until ctx ends and returns its cause then. It owns
// all goroutines of the Cluster and waits for them. A second Run at the same
// time is an error.
//
// The primary is asked each Interval, then all replicas at the same time, each
// in a goroutine of its own, so that one that hangs holds nobody up. While
// reads wait for a token, replicas are asked all the time.
func (c *Cluster) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("lbsql: Run is running already")
	}
	defer c.running.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	watched := make(map[*replica]context.CancelFunc)
	next := time.NewTimer(0)
	defer next.Stop()
	away := false
	for {
		c.follow(ctx, &wg, watched)
		select {
		case <-ctx.Done():
			for _, stop := range watched {
				stop()
			}
			return context.Cause(ctx)
		case <-c.renewed:
			continue
		case <-next.C:
		}
		next.Reset(c.cfg.Interval)
		away = c.askPrimary(ctx, away)
		c.begun.Store(true)
		for _, m := range *c.members.Load() {
			m.ask()
		}
	}
}

// follow has each replica watched that is a member, and no other.
func (c *Cluster) follow(ctx context.Context, wg *sync.WaitGroup, watched map[*replica]context.CancelFunc) {
	members := *c.members.Load()
	for r, stop := range watched {
		if !slices.ContainsFunc(members, func(m *member) bool { return m.replica == r }) {
			stop()
			delete(watched, r)
		}
	}
	for _, m := range members {
		if watched[m.replica] == nil {
			ctx, stop := context.WithCancel(ctx)
			watched[m.replica] = stop
			wg.Go(func() { c.watch(ctx, m.replica) })
			m.ask()
		}
	}
}

// askPrimary adds to the history, and reports whether the primary is away.
// Then the replicas are judged by what was known last: reads go on.
func (c *Cluster) askPrimary(ctx context.Context, away bool) bool {
	at := c.now()
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	db := c.primary.Load()
	p, err := c.cfg.Measure(limited, db, true)
	switch {
	case ctx.Err() != nil || c.primary.Load() != db:
		return away
	case err != nil:
		if !away {
			c.cfg.Logger.Warn("lbsql: the primary cannot be measured", "error", err)
		}
		return true
	case away:
		c.cfg.Logger.Info("lbsql: the primary answers again")
	}
	c.mu.Lock()
	on := c.primary.Load() != db || c.past.add(at, p)
	c.mu.Unlock()
	if !on {
		c.cfg.Logger.Warn("lbsql: the primary's position went back: it has another history now")
	}
	return false
}

// hurry is how often a replica is asked while reads wait for it.
const hurry = 5 * time.Millisecond

// watch measures one replica whenever it is asked to.
func (c *Cluster) watch(ctx context.Context, r *replica) {
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-again.C:
		}
		c.measure(ctx, r)
		if c.waiting.Load() > 0 {
			again.Reset(hurry)
		}
	}
}

func (c *Cluster) measure(ctx context.Context, r *replica) {
	at := c.now()
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	p, err := c.cfg.Measure(limited, r.db, false)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.found(r, silent, &Error{Node: r.id, Op: "measure", Err: err})
		return
	}
	r.position.Store(uint64(p))
	c.mu.Lock()
	lag, known := c.past.lag(p)
	c.mu.Unlock()
	r.mu.Lock()
	r.lag, r.lagKnown, r.at = lag, known, at
	r.mu.Unlock()
	if f := c.cfg.Trace.Measured; f != nil {
		f(r.id, p, lag, known)
	}
	if c.cfg.MaxLag > 0 && (!known || lag > c.cfg.MaxLag) {
		c.found(r, stale, &LagError{Lag: lag, Known: known})
		return
	}
	c.found(r, fresh, nil)
}

// found acts on a finding. Only the replica's own loop calls it.
func (c *Cluster) found(r *replica, f finding, why error) {
	r.mu.Lock()
	was, lag := r.health.up, r.lag
	r.health = r.health.step(f, c.cfg.Rise, c.cfg.Fall)
	up := r.health.up
	r.err = why
	if up {
		r.err = nil
	}
	r.mu.Unlock()
	c.mu.Lock()
	member := slices.ContainsFunc(*c.members.Load(), func(m *member) bool { return m.replica == r })
	if up != was {
		r.usable.Store(up)
		if member {
			_ = c.pool.SetHealthy(r.id, up) // the pool has it
		}
	}
	if c.begun.Load() { // before that its lag could not be told
		r.asked.Store(true)
	}
	c.announce()
	c.mu.Unlock()
	if !member {
		return
	}
	switch {
	case up && !was:
		c.cfg.Logger.Info("lbsql: replica is used", "replica", r.id, "lag", lag)
		if f := c.cfg.Trace.Returned; f != nil {
			f(r.id, lag)
		}
	case was && !up:
		c.cfg.Logger.Warn("lbsql: replica is not used", "replica", r.id, "error", why)
		if f := c.cfg.Trace.Lost; f != nil {
			f(r.id, why)
		}
	}
}
