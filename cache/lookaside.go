package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/maypok86/otter/v2"
)

// LookAside is a typed cache in front of a source of truth: Get answers from
// the local tier, else from the shared tier, else from Config.Load, and keeps
// the answer (the book's chapter 7; look-aside as in memcached). All methods
// are safe for concurrent use. It holds no goroutine and needs no Close.
type LookAside[K comparable, V any] struct {
	cfg    settings[K, V]
	local  *otter.Cache[K, *entry[V]]
	shards *shardSet[K, V]
	clock  *clock
	tags   tags
	slots  chan struct{} // a place per load in progress; nil is unbounded
	counts counts

	tagTier TagTier // the shared tier, if it knows tags
}

// New checks cfg and returns an empty cache.
func New[K comparable, V any](cfg Config[K, V]) (*LookAside[K, V], error) {
	s, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	c := &LookAside[K, V]{cfg: s, shards: newShards[K, V]()}
	c.clock = newClock(c.counts.hits.sum)
	if s.tier != nil {
		c.tagTier, _ = s.tier.Tier.(TagTier)
	}
	if s.MaxLoads > 0 {
		c.slots = make(chan struct{}, s.MaxLoads)
	}
	options := &otter.Options[K, *entry[V]]{
		MaximumSize:   s.MaxEntries,
		MaximumWeight: s.MaxWeight,
		OnAtomicDeletion: func(e otter.DeletionEvent[K, *entry[V]]) {
			if e.WasEvicted() {
				c.counts.evicted.Add(1)
			}
		},
	}
	if s.Weigh != nil {
		options.Weigher = func(key K, e *entry[V]) uint32 {
			if e.absent {
				return 1
			}
			return s.Weigh(key, e.value)
		}
	}
	if c.local, err = otter.New(options); err != nil {
		return nil, fmt.Errorf("cache: local tier: %w", err)
	}
	return c, nil
}

// Get returns the value of key. It returns an error that wraps [ErrNotFound]
// if the source has no such key, Load's own error if it failed, [PanicError],
// [ErrLoadAborted] or [ErrLoadTimeout] if it did not return, and ctx's cause
// if ctx ended first. A value that is at hand is returned whatever ctx says.
//
// The value is shared: callers must not change what it points to.
func (c *LookAside[K, V]) Get(ctx context.Context, key K) (V, error) {
	if c.bypassed() {
		v, _, err := c.direct(ctx, key)
		return v, err
	}
	e, ok := c.local.GetIfPresent(key)
	if ok && e.certain > c.clock.coarse.Load() && e.checked.Load() >= c.tags.clock.Load() {
		c.counts.hits.add()
		return e.value, nil
	}
	v, _, err := c.lookup(ctx, key)
	return v, err
}

// Lookup is Get that also says how it was answered.
func (c *LookAside[K, V]) Lookup(ctx context.Context, key K) (V, Info, error) {
	if c.bypassed() {
		return c.direct(ctx, key)
	}
	return c.lookup(ctx, key)
}

func (c *LookAside[K, V]) bypassed() bool { return c.cfg.Bypass != nil && c.cfg.Bypass() }

// direct asks the source, on the caller's goroutine and by its context.
func (c *LookAside[K, V]) direct(ctx context.Context, key K) (V, Info, error) {
	c.counts.bypassed.Add(1)
	l, err := c.load(ctx, key)
	return l.Value, Info{Status: Bypassed, Version: l.Version}, err
}

// lookup takes every step that a Get may need, cheapest first.
func (c *LookAside[K, V]) lookup(ctx context.Context, key K) (V, Info, error) {
	c.clock.wind()
	asked := c.tags.clock.Load()
	for joined := false; ; {
		old, now, what := c.find(key)
		switch what {
		case serveRefresh:
			c.refresh(ctx, key, old.fresh)
			return c.serve(old, now)
		case serve:
			return c.serve(old, now)
		}
		b := c.newBatch(ctx)
		f := c.join(key, b)
		if f == nil {
			continue // stored by another meanwhile
		}
		led := f.batch == b
		if led {
			c.lead(ctx, b)
		}
		res := c.wait(ctx, f)
		if c.overtaken(res, f, asked) {
			continue
		}
		if !led && !joined && c.mayBeOld(f, res) {
			joined = true
			continue
		}
		if res.err != nil && what == loadFirst && c.holds(key, old) {
			c.counts.stale.Add(1)
			now = c.clock.now()
			return old.value, Info{Stale, FromLocal, time.Duration(now - old.loaded), old.version}, nil
		}
		return c.answer(res, led)
	}
}

// find looks for key in the local tier and says what the entry is good for
// now. It reads the clock after it has the entry: an entry that was stored in
// between would seem good for longer, and with a LocalTTL of nothing that is
// the difference between asking the shared tier and not.
func (c *LookAside[K, V]) find(key K) (e *entry[V], now int64, what verdict) {
	e, ok := c.local.GetIfPresent(key)
	now = c.clock.now()
	if !ok || e.absent && now >= e.fresh {
		return nil, now, drop
	}
	if began := e.checked.Load(); began < c.tags.clock.Load() {
		upTo := c.tags.clock.Load()
		if !c.tags.valid(e.tags, began, upTo) {
			return nil, now, drop
		}
		e.checked.Store(upTo)
	}
	return e, now, c.cfg.judge(e.life, now, 1-rand.Float64(), now < e.rests.Load())
}

// serve answers with what the local tier holds.
func (c *LookAside[K, V]) serve(e *entry[V], now int64) (V, Info, error) {
	info := Info{From: FromLocal, Age: time.Duration(now - e.loaded), Version: e.version}
	switch {
	case e.absent:
		info.Status = Negative
		c.counts.negative.Add(1)
		return e.value, info, ErrNotFound
	case now >= e.fresh:
		info.Status = Stale
		c.counts.stale.Add(1)
	default:
		info.Status = Hit
		c.counts.hits.add()
	}
	return e.value, info, nil
}

// answer turns the end of a flight into the end of a lookup.
func (c *LookAside[K, V]) answer(res result[V], led bool) (v V, info Info, err error) {
	info.From = res.from
	e, now := res.entry, c.clock.now()
	switch {
	case e != nil && res.from == FromShared && now >= e.fresh:
		info.Status = Stale
		c.counts.stale.Add(1)
	case led:
		info.Status = Miss
		c.counts.misses.Add(1)
	default:
		info.Status = Coalesced
		c.counts.coalesced.Add(1)
	}
	if e == nil {
		return v, info, res.err
	}
	info.Age, info.Version = time.Duration(max(now-e.loaded, 0)), e.version
	if e.absent {
		return v, info, ErrNotFound
	}
	return e.value, info, nil
}

// holds reports whether e is still the local tier's entry of key, and not
// void by a tag.
func (c *LookAside[K, V]) holds(key K, e *entry[V]) bool {
	now, ok := c.local.GetEntryQuietly(key)
	return ok && now.Value == e && !e.absent && c.tags.valid(e.tags, e.checked.Load(), untagged)
}

// join returns key's flight; if there was none it begins one as a part of b,
// which the caller must then lead. It returns nil when an entry of use was
// stored meanwhile.
func (c *LookAside[K, V]) join(key K, b *batch[K, V]) *flight[K, V] {
	s := c.shards.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil {
		f.waiters++
		return f
	}
	if _, _, what := c.find(key); what == serve || what == serveRefresh {
		return nil
	}
	f := b.begin(key, c.tags.clock.Load())
	f.waiters = 1
	s.flights[key] = f
	return f
}

// refresh begins to replace in the background what is fresh until than, unless
// that is going on.
func (c *LookAside[K, V]) refresh(ctx context.Context, key K, than int64) {
	s := c.shards.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[key] != nil {
		return
	}
	b := c.newBatch(ctx)
	f := b.begin(key, c.tags.clock.Load())
	f.pinned, f.than = true, than
	s.flights[key] = f
	c.counts.refreshes.Add(1)
	go c.renew(b, b.flights)
}

// wait waits for f or for the end of ctx, whichever is first.
func (c *LookAside[K, V]) wait(ctx context.Context, f *flight[K, V]) result[V] {
	select {
	case <-f.done:
		return f.res
	case <-ctx.Done():
	}
	s := c.shards.of(f.key)
	s.mu.Lock()
	f.waiters--
	last := f.waiters == 0 && !f.pinned
	if last {
		s.detach(f) // nobody should join what is about to be cancelled
	}
	s.mu.Unlock()
	if last {
		f.batch.left()
	}
	return result[V]{err: fmt.Errorf("cache: waiting for a load: %w", ended(ctx))}
}

// overtaken reports whether the flight's value carries a tag that was
// invalidated after the flight began and before the caller did: then the
// caller must not see it.
func (c *LookAside[K, V]) overtaken(res result[V], f *flight[K, V], began uint64) bool {
	return res.entry != nil && !c.tags.valid(res.entry.tags, f.began, began)
}

// ended says why ctx ended, keeping both its error and its cause.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}
