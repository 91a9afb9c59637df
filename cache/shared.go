package cache

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"time"
)

// fromTier ends the flights that the shared tier can answer. It returns those
// to be loaded, with their leases if they got one, and those that another
// process is loading.
func (c *LookAside[K, V]) fromTier(ctx context.Context, flights []*flight[K, V]) (missing, busy []*flight[K, V]) {
	var ageing []*flight[K, V]
	for i, it := range c.ask(ctx, flights, false) {
		f := flights[i]
		f.lease = it.Lease
		switch {
		case c.useItem(f, it):
		case it.Found:
			ageing = append(ageing, f)
		case it.Busy:
			busy = append(busy, f)
		default:
			c.counts.sharedMisses.Add(1)
			missing = append(missing, f)
		}
	}
	if len(ageing) > 0 {
		m, b := c.fromAgeing(ctx, ageing)
		missing, busy = append(missing, m...), append(busy, b...)
	}
	return missing, busy
}

// fromAgeing asks for the leases of flights whose keys the shared tier holds
// past their freshness, or in a form that cannot be used.
func (c *LookAside[K, V]) fromAgeing(ctx context.Context, flights []*flight[K, V]) (missing, busy []*flight[K, V]) {
	for i, it := range c.ask(ctx, flights, true) {
		f := flights[i]
		f.lease = it.Lease
		switch {
		case it.Lease == (Lease{}) && c.useItem(f, it): // replaced meanwhile
		case it.Found && it.Lease == (Lease{}) && f.pinned:
			// Another process is refreshing: this one need not.
			c.fail(flights[i:i+1], errRefreshing)
		case it.Busy || it.Found && it.Lease == (Lease{}):
			busy = append(busy, f)
		default:
			c.counts.sharedMisses.Add(1)
			missing = append(missing, f)
		}
	}
	return missing, busy
}

var errRefreshing = errors.New("cache: another process is loading the value")

// useItem ends f with what the shared tier holds, if that is good enough. It
// keeps in f what may be good enough later, if the source fails.
func (c *LookAside[K, V]) useItem(f *flight[K, V], it Item) bool {
	e := c.decode(it)
	if e == nil {
		return false
	}
	now := c.clock.now()
	if stale := now >= e.fresh; stale || f.pinned && e.fresh <= f.than+int64(tick) {
		if e.absent || now >= e.fresh+c.cfg.keep() {
			return false
		}
		f.ageing = e
		if f.pinned || now >= e.fresh+c.cfg.revalidate {
			return false
		}
	}
	c.counts.sharedHits.Add(1)
	c.end(f, outcome[V]{result[V]{entry: e, from: FromShared}, it.Entry.TTL})
	if now >= e.fresh {
		c.refresh(f.batch.ctx, f.key, e.fresh)
	}
	return true
}

// fromOthers waits for what other processes are loading, and loads what they
// do not bring in time.
func (c *LookAside[K, V]) fromOthers(b *batch[K, V], busy []*flight[K, V]) {
	c.counts.sharedWaits.Add(int64(len(busy)))
	patience := time.NewTimer(c.cfg.tier.Wait)
	defer patience.Stop()
	for pause := time.Millisecond; len(busy) > 0; pause = min(2*pause, 50*time.Millisecond) {
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			var missing []*flight[K, V]
			missing, busy = c.fromTier(b.ctx, busy)
			c.fromSource(b, missing)
		case <-patience.C:
			again.Stop()
			c.fromSource(b, busy)
			return
		case <-b.ctx.Done():
			again.Stop()
			c.fail(busy, context.Cause(b.ctx))
			return
		}
	}
}

// ask calls the shared tier's Get for flights.
func (c *LookAside[K, V]) ask(ctx context.Context, flights []*flight[K, V], refresh bool) []Item {
	keys := make([]string, len(flights))
	for i, f := range flights {
		keys[i] = c.cfg.tier.key(f.key)
	}
	items, err := c.cfg.tier.Tier.Get(ctx, keys, Want{
		Lease: c.cfg.tier.Lease, Refresh: refresh, Tagged: c.tagTier != nil,
	})
	if err != nil {
		c.tierError("Get", err)
	}
	if len(items) != len(keys) {
		return make([]Item, len(keys))
	}
	return items
}

// decode makes an entry of what the shared tier holds; nil if it holds nothing
// that can be used.
func (c *LookAside[K, V]) decode(it Item) *entry[V] {
	if !it.Found {
		return nil
	}
	e := &entry[V]{absent: it.Entry.Absent, version: it.Entry.Version}
	if !e.absent {
		if err := contain(func() error { return c.cfg.tier.Codec.Decode(it.Entry.Value, &e.value) }); err != nil {
			c.tierError("decode", err)
			return nil
		}
	}
	for _, tag := range it.Entry.Tags {
		e.tags = append(e.tags, strings.TrimPrefix(tag, c.cfg.tier.Namespace+":"))
	}
	now := c.clock.now()
	// Another node's clock may be ahead: nothing was loaded in the future.
	c.date(e, min(c.clock.at(it.Entry.Loaded), now), now, min(it.Entry.TTL, forever))
	return e
}

// encode makes of e what the shared tier keeps; the zero Entry if it cannot.
func (c *LookAside[K, V]) encode(e *entry[V], ttl time.Duration) Entry {
	if len(e.tags) > 0 && c.tagTier == nil {
		return Entry{}
	}
	out := Entry{Absent: e.absent, Version: e.version, Tags: c.tierTags(e.tags), Loaded: c.clock.time(e.loaded), TTL: ttl}
	if e.absent {
		return out
	}
	out.Keep = time.Duration(c.cfg.keep())
	err := contain(func() (err error) {
		out.Value, err = c.cfg.tier.Codec.Append(nil, e.value)
		return err
	})
	if err != nil {
		c.tierError("encode", err)
		return Entry{}
	}
	return out
}

// fillTier ends f's lease, with its entry if it was stored here too, and
// reports whether the shared tier accepted that.
func (c *LookAside[K, V]) fillTier(f *flight[K, V], o outcome[V], stored bool) (accepted bool) {
	var e Entry
	if stored && o.from == FromSource {
		e = c.encode(o.entry, o.ttl)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.batch.ctx), c.cfg.LoadTimeout)
	defer cancel()
	accepted, err := c.cfg.tier.Tier.Fill(ctx, c.cfg.tier.key(f.key), f.lease, e)
	if err != nil {
		c.tierError("Fill", err)
	}
	return accepted
}

// mayBeOld reports whether a caller that joined f after it had begun must not
// be content with it, because it is to see what any node invalidated before it
// called. A flight that it joins after that began later than the caller did.
func (c *LookAside[K, V]) mayBeOld(f *flight[K, V], res result[V]) bool {
	return res.err == nil && c.cfg.tier != nil && c.cfg.tier.LocalTTL == 0 && !f.certain
}

func (c *LookAside[K, V]) tierError(op string, err error) {
	c.counts.tierErrors.Add(1)
	if c.cfg.Trace.TierError != nil {
		c.cfg.Trace.TierError(op, err)
	}
}

// contain calls a function of the user's and turns a panic into an error.
func contain(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return call()
}
