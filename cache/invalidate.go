package cache

import (
	"context"
	"errors"
	"time"
)

// fenceMemory is how long the newest version of a key is remembered for
// writes and loads that arrive late, after the entry itself may have gone.
const fenceMemory = time.Minute

// Invalidate makes the cache forget keys: a Get that begins after it returned
// does not see, on this node, what was loaded before, and no load in progress
// is stored. Call it after the source has committed. It also forgets that a
// key was absent.
//
// An error says that the shared tier could not be told of every key: other
// nodes, and this one once its local tier asks again, may see the old value
// until its TTL ends or, where package memcached is the tier, until the server
// comes back and is purged. This node's local tier is void all the same.
func (c *LookAside[K, V]) Invalidate(ctx context.Context, keys ...K) error {
	c.counts.invalidated.Add(int64(len(keys)))
	if c.cfg.tier == nil {
		c.void(keys)
		return nil
	}
	// The local tier is voided before, so that old values are gone at once, and
	// after, because what was fetched from the shared tier meanwhile was old.
	c.void(keys)
	defer c.void(keys)
	return c.tierResult("Invalidate", c.cfg.tier.Tier.Invalidate(ctx, c.tierKeys(keys), c.cfg.Settle))
}

// InvalidateTag makes the cache forget everything that carries one of tags, as
// Invalidate does for keys. Its cost does not depend on how much that is.
func (c *LookAside[K, V]) InvalidateTag(ctx context.Context, tags ...string) error {
	c.counts.invalidated.Add(int64(len(tags)))
	c.tags.invalidate(tags)
	if c.tagTier == nil {
		return nil // no other tier keeps entries with tags
	}
	defer c.tags.invalidate(tags)
	return c.tierResult("InvalidateTags", c.tagTier.InvalidateTags(ctx, c.tierTags(tags)))
}

// Purge makes the cache forget everything, as Invalidate does for keys. A
// shared tier that can is purged as well, other caches' entries included.
func (c *LookAside[K, V]) Purge(ctx context.Context) error {
	c.counts.invalidated.Add(1)
	c.voidAll()
	if c.cfg.tier == nil {
		return nil
	}
	pt, ok := c.cfg.tier.Tier.(PurgeTier)
	if !ok {
		return errors.New("cache: purge: the shared tier cannot forget everything")
	}
	defer c.voidAll()
	return c.tierResult("Purge", pt.Purge(ctx))
}

// Put stores a value that the caller knows to be the source's, such as what it
// has just written: call it after the source has committed. With versions the
// newest wins in every tier, whatever the order in which Puts arrive; without,
// the last one wins. stored is false if something at least as new is known.
// Prefer [WriteThru], which also keeps loads that cross the write from
// bringing back the old value.
//
// An error says that the shared tier failed, as for Invalidate; the local tier
// has the value.
func (c *LookAside[K, V]) Put(ctx context.Context, key K, l Loaded[V]) (stored bool, err error) {
	return c.update(ctx, key, l, false, nil)
}

// update stores what the source holds now, or its absence, in every tier. The
// shared tier comes first: what is fetched from it meanwhile is void then.
// w is the write that it ends; nil if it is none.
func (c *LookAside[K, V]) update(ctx context.Context, key K, l Loaded[V], absent bool, w *pending) (stored bool, err error) {
	began := c.tags.clock.Load()
	if w != nil {
		began = w.began
	}
	o := c.loaded(l, nil, 0)
	if absent {
		o = c.loaded(l, ErrNotFound, 0)
	}
	stored = o.ttl > 0
	if c.cfg.tier != nil {
		stored, err = c.putTier(ctx, key, o, w)
	}
	s := c.shards.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w != nil {
		f := c.endWrite(s, key)
		// Writes that overlap have no order without versions.
		if f.late || f.crossed && l.Version == 0 {
			stored = false
		}
	}
	if stored && o.ttl > 0 {
		stored = c.put(s, key, o.entry, began)
	} else {
		stored = false
		c.forget(s, key)
	}
	if stored {
		c.counts.puts.Add(1)
	} else {
		c.counts.putsRefused.Add(1)
	}
	return stored, err
}

// put stores e in the local tier unless something at least as new is known.
// The caller holds the shard's lock.
func (c *LookAside[K, V]) put(s *shard[K, V], key K, e *entry[V], began uint64) bool {
	now := c.clock.now()
	fence := s.fences[key]
	if e.version > 0 {
		newest := uint64(0)
		if now < fence.forget {
			newest = fence.floor
		}
		if old, ok := c.local.GetEntryQuietly(key); ok {
			newest = max(newest, old.Value.version)
		}
		if e.version <= newest {
			return false
		}
		fence.floor, fence.forget, fence.until = e.version, now+int64(fenceMemory), 0
		s.setFence(key, fence, now)
	}
	c.forget(s, key)
	return c.store(key, e, began)
}

// forget voids key in the local tier. The caller holds the shard's lock.
func (c *LookAside[K, V]) forget(s *shard[K, V], key K) {
	if f := s.flights[key]; f != nil {
		s.detach(f)
	}
	c.local.Invalidate(key)
}

// void forgets keys in the local tier, and what loads may bring until the
// source has settled.
func (c *LookAside[K, V]) void(keys []K) {
	for _, key := range keys {
		s := c.shards.of(key)
		s.mu.Lock()
		c.forget(s, key)
		now := c.clock.now()
		f := s.fences[key]
		f.late = f.writers > 0
		f.until = now + int64(c.cfg.Settle)
		s.setFence(key, f, now)
		s.mu.Unlock()
	}
}

// voidAll forgets everything in the local tier.
func (c *LookAside[K, V]) voidAll() {
	for i := range c.shards.all {
		s := &c.shards.all[i]
		s.mu.Lock()
		for _, f := range s.flights {
			s.detach(f)
		}
		s.mu.Unlock()
	}
	// What flights stored before they were detached goes now; none of them
	// stores anything later.
	c.local.InvalidateAll()
}

// putTier puts an entry into the shared tier, or invalidates there what must
// not be stored or cannot be. stored is false if the shared tier knows
// something newer, or cannot tell.
func (c *LookAside[K, V]) putTier(ctx context.Context, key K, o outcome[V], w *pending) (stored bool, err error) {
	tier, k := c.cfg.tier.Tier, c.cfg.tier.key(key)
	var out Entry
	if o.ttl > 0 && (w == nil || w.fenced) {
		out = c.encode(o.entry, o.ttl)
	}
	if out.zero() {
		return true, c.tierResult("Invalidate", tier.Invalidate(ctx, []string{k}, c.cfg.Settle))
	}
	var fence Lease
	if w != nil {
		fence = w.fence
	}
	stored, err = tier.Put(ctx, k, fence, out)
	return stored || err != nil, c.tierResult("Put", err)
}

func (c *LookAside[K, V]) tierResult(op string, err error) error {
	if err != nil {
		c.tierError(op, err)
	}
	return err
}

func (c *LookAside[K, V]) tierKeys(keys []K) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = c.cfg.tier.key(k)
	}
	return out
}

// tierTags puts tags into the cache's namespace.
func (c *LookAside[K, V]) tierTags(tags []string) []string {
	if len(tags) == 0 {
		return nil
	}
	out := make([]string, len(tags))
	for i, tag := range tags {
		out[i] = c.cfg.tier.Namespace + ":" + tag
	}
	return out
}
