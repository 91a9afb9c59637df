package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// lead fetches b's flights for a caller that then waits for them. What the
// shared tier holds it fetches on the caller's goroutine, which saves a hop;
// the source is asked on goroutines of the cache, so that the caller can leave.
func (c *LookAside[K, V]) lead(ctx context.Context, b *batch[K, V]) {
	if c.cfg.tier == nil {
		go c.fetch(b, b.flights, nil)
		return
	}
	handed := false
	defer func() {
		if !handed { // a hook panicked: others must not wait for ever
			c.fail(b.flights, ErrLoadAborted)
		}
	}()
	missing, busy := c.fromTier(ctx, b.flights)
	handed = true
	switch {
	case len(missing)+len(busy) == 0:
		b.cancel(nil)
	case ctx.Err() != nil: // the answer was cut short, for the others as well
		go c.renew(b, append(missing, busy...))
	default:
		go c.fetch(b, missing, busy)
	}
}

// renew fetches flights of b without a caller that waits.
func (c *LookAside[K, V]) renew(b *batch[K, V], flights []*flight[K, V]) {
	if c.cfg.tier == nil {
		c.fetch(b, flights, nil)
		return
	}
	missing, busy := c.fromTier(b.ctx, flights)
	c.fetch(b, missing, busy)
}

// fetch ends flights of b, on a goroutine of its own: those missing by what
// the source says, those busy by what another process brings.
func (c *LookAside[K, V]) fetch(b *batch[K, V], missing, busy []*flight[K, V]) {
	defer b.cancel(nil)
	c.fromSource(b, missing)
	if len(busy) > 0 {
		c.fromOthers(b, busy)
	}
}

// fromSource ends flights by Load or LoadMany.
func (c *LookAside[K, V]) fromSource(b *batch[K, V], flights []*flight[K, V]) {
	switch {
	case len(flights) == 0:
	case len(flights) == 1:
		c.fromLoad(b, flights)
	case c.cfg.LoadMany != nil:
		c.fromLoadMany(b, flights)
	default:
		var all sync.WaitGroup
		for i := range flights {
			all.Go(func() { c.fromLoad(b, flights[i:i+1]) })
		}
		all.Wait()
	}
}

// fromLoad ends the one flight by Load.
func (c *LookAside[K, V]) fromLoad(b *batch[K, V], one []*flight[K, V]) {
	var l Loaded[V]
	f := one[0]
	c.turn(b, one, func(ctx context.Context) (err error) {
		l, err = c.load(ctx, f.key)
		return err
	}, func(err error, took time.Duration) {
		c.end(f, c.loaded(l, err, took))
	})
}

// fromLoadMany ends flights by one call of LoadMany.
func (c *LookAside[K, V]) fromLoadMany(b *batch[K, V], flights []*flight[K, V]) {
	keys := make([]K, len(flights))
	for i, f := range flights {
		keys[i] = f.key
	}
	var values map[K]Loaded[V]
	c.turn(b, flights, func(ctx context.Context) (err error) {
		values, err = c.loadMany(ctx, keys)
		return err
	}, func(err error, took time.Duration) {
		for _, f := range flights {
			l, ok := values[f.key]
			switch {
			case ok:
				c.end(f, c.loaded(l, nil, took))
			case err != nil:
				c.end(f, c.loaded(l, err, took))
			default:
				c.end(f, c.loaded(l, ErrNotFound, took))
			}
		}
	})
}

// turn calls load when it is its turn, and then end with how it went. Within
// LoadTimeout all flights are ended in any case, also when load ignores its
// context or ends its goroutine.
func (c *LookAside[K, V]) turn(b *batch[K, V], flights []*flight[K, V],
	load func(context.Context) error, end func(error, time.Duration)) {
	ctx, cancel := context.WithTimeoutCause(b.ctx, c.cfg.LoadTimeout, ErrLoadTimeout)
	defer cancel()
	late := func() { c.fail(flights, fmt.Errorf("cache: load: %w", ended(ctx))) }
	defer context.AfterFunc(ctx, late)()
	if c.slots != nil {
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		// A context is done a moment before it starts its AfterFuncs, and
		// returning now stops them: nobody else may end the flights.
		late()
		return
	}
	// After end this has no effect: it is for a load that ends its goroutine.
	defer c.fail(flights, ErrLoadAborted)
	start := c.clock.now()
	err := load(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrNotFound) {
		// A load reports the bare end of its context: say why that ended.
		err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	end(err, time.Duration(c.clock.now()-start))
}

// load calls Load, counts it and turns a panic into an error.
func (c *LookAside[K, V]) load(ctx context.Context, key K) (l Loaded[V], err error) {
	defer c.observe(&ctx, 1, &err)()
	return c.cfg.Load(ctx, key)
}

// loadMany calls LoadMany, counts it and turns a panic into an error.
func (c *LookAside[K, V]) loadMany(ctx context.Context, keys []K) (m map[K]Loaded[V], err error) {
	defer c.observe(&ctx, len(keys), &err)()
	return c.cfg.LoadMany(ctx, keys)
}

// observe begins to count and trace a load of so many keys. The function that
// it returns is to be deferred, and recovers from a panic.
func (c *LookAside[K, V]) observe(ctx *context.Context, keys int, err *error) func() {
	*err = ErrLoadAborted // stands if the load never returns
	*ctx = c.cfg.Trace.loadStart(*ctx, keys)
	start := c.clock.now()
	return func() {
		if p := recover(); p != nil {
			*err = &PanicError{Value: p, Stack: debug.Stack()}
		}
		failure := *err
		if errors.Is(failure, ErrNotFound) {
			failure = nil
		}
		c.counts.loads.Add(int64(keys))
		if failure != nil {
			c.counts.loadErrors.Add(int64(keys))
		}
		c.cfg.Trace.loadEnd(*ctx, time.Duration(c.clock.now()-start), failure)
	}
}

// outcome is how a flight is to end.
type outcome[V any] struct {
	result[V]
	ttl time.Duration // how long the entry is good; zero says not to store it
}

// fail ends those of flights that have not ended with err.
func (c *LookAside[K, V]) fail(flights []*flight[K, V], err error) {
	for _, f := range flights {
		c.end(f, outcome[V]{result: result[V]{err: err}})
	}
}

// loaded makes an entry of what a load returned.
func (c *LookAside[K, V]) loaded(l Loaded[V], err error, took time.Duration) outcome[V] {
	absent := errors.Is(err, ErrNotFound)
	if err != nil && !absent {
		return outcome[V]{result: result[V]{err: err}}
	}
	e := &entry[V]{absent: absent, version: l.Version}
	ttl := c.cfg.NegativeTTL
	if !absent {
		e.value, e.tags = l.Value, l.Tags
		ttl = orDefault(l.TTL, c.cfg.TTL, 0)
	}
	ttl = shorten(ttl, c.cfg.Jitter, rand.Float64())
	now := c.clock.now()
	c.date(e, now, now, ttl)
	e.cost = int64(took)
	return outcome[V]{result[V]{entry: e, from: FromSource}, ttl}
}

// date gives e its life: loaded then, at most now, and fresh for ttl.
func (c *LookAside[K, V]) date(e *entry[V], loaded, now int64, ttl time.Duration) {
	e.loaded, e.fresh = loaded, loaded+int64(ttl)
	e.recheck = e.fresh
	if c.cfg.tier != nil {
		e.recheck = min(e.fresh, now+int64(c.cfg.tier.LocalTTL))
	}
}

// end ends a flight, once: it stores the entry unless something has overtaken
// it, wakes everybody who waits, and then lets the shared tier have the entry.
func (c *LookAside[K, V]) end(f *flight[K, V], o outcome[V]) {
	s := c.shards.of(f.key)
	s.mu.Lock()
	if f.ended {
		s.mu.Unlock()
		return
	}
	f.ended = true
	if s.flights[f.key] == f {
		delete(s.flights, f.key)
	}
	stored := c.conclude(s, f, &o)
	f.res = o.result
	s.mu.Unlock()
	switch {
	case f.lease == (Lease{}):
		close(f.done)
	case c.cfg.tier.LocalTTL == 0:
		f.certain = c.fillTier(f, o, stored)
		close(f.done)
	default:
		close(f.done)
		c.fillTier(f, o, stored)
	}
}

// conclude stores the entry of an ended flight if it may be. The caller holds
// the shard's lock.
func (c *LookAside[K, V]) conclude(s *shard[K, V], f *flight[K, V], o *outcome[V]) (stored bool) {
	now := c.clock.now()
	if o.entry == nil {
		if f.void {
			return false
		}
		if old, ok := c.local.GetEntryQuietly(f.key); ok {
			old.Value.failed(now)
		}
		if e := f.ageing; e != nil && now < e.fresh+c.cfg.keep() {
			e.failed(now)
			*o = outcome[V]{result[V]{entry: e, from: FromShared}, time.Duration(e.fresh - e.loaded)}
			c.store(f.key, e, f.began)
		}
		return false
	}
	if f.void || !s.fences[f.key].admits(o.entry.version, now) {
		c.counts.overtaken.Add(1)
		return false
	}
	if o.ttl <= 0 {
		c.local.Invalidate(f.key)
		return false
	}
	return c.store(f.key, o.entry, f.began)
}

// store puts e, whose load began at a tag clock, into the local tier, unless
// something newer is there. The caller holds the shard's lock.
func (c *LookAside[K, V]) store(key K, e *entry[V], began uint64) bool {
	old, ok := c.local.GetEntryQuietly(key)
	newer := ok && e.version > 0 && old.Value.version > e.version
	if newer || !c.tags.valid(e.tags, began, untagged) {
		c.counts.overtaken.Add(1)
		return false
	}
	e.checked.Store(untagged)
	if len(e.tags) > 0 {
		e.checked.Store(began)
	}
	if !e.absent && (c.cfg.tier == nil || c.cfg.tier.LocalTTL > 0) {
		e.certain = c.cfg.certain(e.life, int64(slack))
	}
	c.local.Set(key, e)
	return true
}
