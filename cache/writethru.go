package cache

import (
	"context"
	"errors"
)

// WriteThru writes values to the source and then to the cache, because what
// was just written is often read next (the book's chapter 7). Reads go to its
// [LookAside]. It is safe for concurrent use.
//
// # Guarantees
//
//   - The source is written first: no tier ever holds a value that the source
//     refused.
//   - While a write is in progress no load of its key is stored, in no tier,
//     and when Write has returned no Get on this node sees the old value.
//   - If the process dies between the commit and the update of the cache, the
//     shared tier holds nothing for the key until Shared.Hold has passed, and
//     then what the source says; other nodes' local tiers end with their TTL.
//     This assumes that a write takes less than Hold.
//   - Writes to one key through several nodes leave the newest version in
//     every tier, if write returns versions. Without versions, writes that
//     overlap leave nothing in the cache, because their order is unknown.
type WriteThru[K comparable, V any] struct {
	cache *LookAside[K, V]
	write func(ctx context.Context, key K, value V) (Loaded[V], error)
}

// NewWriteThru joins a cache to the function that writes its source. write
// returns the value as the source has it now, with its version if it has one.
// It may return [ErrNotFound] to say that it has removed the key.
func NewWriteThru[K comparable, V any](c *LookAside[K, V],
	write func(ctx context.Context, key K, value V) (Loaded[V], error)) (*WriteThru[K, V], error) {
	if c == nil || write == nil {
		return nil, errors.New("cache: NewWriteThru needs a cache and a function that writes")
	}
	return &WriteThru[K, V]{cache: c, write: write}, nil
}

// Write writes value to the source and then to the cache, and returns what the
// source has. An error is the source's, or a [PanicError]: then the write may
// or may not have happened, and the cache has forgotten the key. A failure of
// the shared tier is not returned, because the write has happened; it goes to
// Trace.TierError, and other nodes may see the old value until its TTL ends.
func (w *WriteThru[K, V]) Write(ctx context.Context, key K, value V) (Loaded[V], error) {
	c := w.cache
	p := c.beginWrite(ctx, key)
	done := false
	defer func() {
		if !done { // the outcome is unknown, so the shared tier's fence stays
			c.abandonWrite(key)
		}
	}()
	var l Loaded[V]
	err := contain(func() (err error) {
		l, err = w.write(ctx, key, value)
		return err
	})
	absent := errors.Is(err, ErrNotFound)
	if err != nil && !absent {
		return l, err
	}
	// The source has committed: the caller's hurry must not leave old values.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.LoadTimeout)
	defer cancel()
	_, _ = c.update(ctx, key, l, absent, p) // its error is traced
	done = true
	return l, nil
}

// pending is a write in progress.
type pending struct {
	began  uint64 // tag clock before it
	fence  Lease  // of the shared tier
	fenced bool   // false if the shared tier could not lay it
}

// beginWrite forgets key, in both tiers, and keeps loads of it from being
// stored until the write ends.
func (c *LookAside[K, V]) beginWrite(ctx context.Context, key K) *pending {
	p := &pending{began: c.tags.clock.Load()}
	s := c.shards.of(key)
	s.mu.Lock()
	c.forget(s, key)
	f := s.fences[key]
	f.crossed = f.crossed || f.writers > 0
	f.writers++
	s.setFence(key, f, c.clock.now())
	s.mu.Unlock()
	if c.cfg.tier != nil {
		// Without the fence a crash before the update leaves the old value until
		// its TTL ends.
		var err error
		p.fence, err = c.cfg.tier.Tier.Fence(ctx, c.cfg.tier.key(key), c.cfg.tier.Hold)
		p.fenced = c.tierResult("Fence", err) == nil
	}
	return p
}

// abandonWrite ends a write of which nobody knows whether it happened.
func (c *LookAside[K, V]) abandonWrite(key K) {
	s := c.shards.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.endWrite(s, key)
	c.forget(s, key)
}

// endWrite takes a writer off key's fence and returns what the fence said. The
// caller holds the shard's lock.
func (c *LookAside[K, V]) endWrite(s *shard[K, V], key K) fence {
	f := s.fences[key]
	last := f
	if last.writers--; last.writers == 0 {
		last.crossed, last.late = false, false
	}
	s.setFence(key, last, c.clock.now())
	return f
}
