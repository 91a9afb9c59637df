package memcached

import (
	"context"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/cache"
)

// Fill answers as cache.Tier says. A value over Config.MaxValue or the server's
// limit is ErrTooLarge, and ends the lease.
func (t *Tier) Fill(ctx context.Context, key string, lease cache.Lease, e cache.Entry) (bool, error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	if lease.Token == 0 {
		return false, nil
	}
	sp := t.spot(key)
	stored, err := sp.fill(ctx, lease, &e, t.cfg.MaxValue)
	if err == ErrEjected {
		if g, ok := t.gutter(key); ok {
			sp = g
			stored, err = sp.fill(ctx, lease, &e, t.cfg.MaxValue)
		}
	}
	s := sp.server
	switch {
	case stored:
		s.stats.fills.Add(1)
	case err == nil && !e.Loaded.IsZero():
		s.stats.refused.Add(1)
	case err == ErrTooLarge:
		s.stats.tooLarge.Add(1)
	}
	return stored, s.fail(ctx, "fill", err)
}

func (sp *spot) fill(ctx context.Context, lease cache.Lease, e *cache.Entry, maxValue int) (bool, error) {
	raw, cur, err := sp.look(ctx)
	if err != nil || raw == nil || cur.lease != lease.Token {
		return false, err
	}
	tooLarge := size(e) > maxValue
	if tooLarge {
		e = &cache.Entry{}
	}
	holds, err := sp.server.tagsHold(ctx, e.Tags, lease.Clock)
	if err != nil {
		return false, err
	}
	st := fill(&cur, lease, e, holds, time.Now())
	ok, err := sp.take(ctx, raw, st)
	if err == ErrTooLarge {
		// The server's own limit is lower; the lease is still there.
		sp.take(ctx, raw, fill(&cur, lease, &cache.Entry{}, true, time.Now()))
	}
	if err == nil && tooLarge {
		err = ErrTooLarge
	}
	return ok && st.stored && err == nil, err
}

func size(e *cache.Entry) int {
	n := len(e.Value)
	for _, tag := range e.Tags {
		n += len(tag) + 2
	}
	return n
}

// Fence answers as cache.Tier says. The fence records the time of the server's
// tag clock, so that the entry that ends the write may have tags.
func (t *Tier) Fence(ctx context.Context, key string, hold time.Duration) (cache.Lease, error) {
	if err := context.Cause(ctx); err != nil {
		return cache.Lease{}, err
	}
	sp := t.spot(key)
	lease, err := sp.fence(ctx, hold)
	return lease, sp.server.fail(ctx, "fence", err)
}

func (sp *spot) fence(ctx context.Context, hold time.Duration) (cache.Lease, error) {
	clock, err := sp.server.tagClock(ctx)
	if err != nil {
		return cache.Lease{}, err
	}
	lease := cache.Lease{Token: newToken(), Clock: clock}
	_, err = sp.change(ctx, func(cur *state) (step, error) {
		return fence(cur, hold, lease.Token, time.Now()), nil
	})
	if err != nil {
		return cache.Lease{}, err
	}
	return lease, nil
}

// Put answers as cache.Tier says; the work goes on to its end when ctx ends
// earlier. A server that cannot be reached has missed an invalidation, and is
// purged before this Tier uses it again.
func (t *Tier) Put(ctx context.Context, key string, fence cache.Lease, e cache.Entry) (stored bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	sp := t.spot(key)
	return detached(ctx, t, func(ctx context.Context) (bool, error) {
		s := sp.server
		stored, err := sp.put(ctx, fence, &e, t.cfg.MaxValue)
		switch {
		case stored:
			s.stats.puts.Add(1)
		case err == ErrTooLarge:
			s.stats.tooLarge.Add(1)
		case err != nil:
			s.missed(err)
			t.dropGutter(ctx, []string{key})
		}
		return stored, s.fail(ctx, "put", err)
	})
}

func (sp *spot) put(ctx context.Context, fence cache.Lease, e *cache.Entry, maxValue int) (bool, error) {
	tooLarge := size(e) > maxValue
	for {
		st, err := sp.change(ctx, func(cur *state) (step, error) {
			if err := sp.server.voidByTags(ctx, cur); err != nil {
				return step{}, err
			}
			holds, err := sp.server.tagsHold(ctx, e.Tags, fence.Clock)
			return put(cur, fence, e, holds && !tooLarge, time.Now()), err
		})
		switch {
		case err == ErrTooLarge && !tooLarge:
			tooLarge = true // for this server: what is older goes in the next round
		case err == nil && tooLarge:
			return false, ErrTooLarge
		default:
			return st.stored, err
		}
	}
}

// change does the step that decide takes from what is held. When others change
// the key again and again, it fences the key instead: nothing is stored then,
// and what they bring stores nothing either.
func (sp *spot) change(ctx context.Context, decide func(cur *state) (step, error)) (step, error) {
	var newest uint64
	for range maxTries {
		raw, cur, err := sp.look(ctx)
		if err != nil {
			return step{}, err
		}
		st, err := decide(&cur)
		if err != nil {
			return step{}, err
		}
		newest = max(newest, cur.known(), st.next.known())
		if ok, err := sp.take(ctx, raw, st); ok || err != nil {
			return st, err
		}
	}
	st := barrier(newest, time.Now())
	return step{}, sp.server.set(ctx, sp.key, st.next.encode(), st.life)
}

// Invalidate answers as cache.Tier says; the work goes on to its end when ctx
// ends earlier. A server that cannot be reached is an Error, and is purged
// before this Tier uses it again; other clients that reach it may be served the
// old values meanwhile.
func (t *Tier) Invalidate(ctx context.Context, keys []string, hold time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m := t.members.Load()
	groups := make(map[*server][]string, 1)
	servers := make([]*server, 0, 1)
	for _, key := range keys {
		s := m.servers[m.layout.pick(key, nil)]
		if groups[s] == nil {
			servers = append(servers, s)
		}
		groups[s] = append(groups[s], key)
	}
	return t.each(ctx, servers, func(ctx context.Context, s *server) error {
		err := t.invalidate(ctx, s, groups[s], hold)
		if err != nil {
			s.missed(err)
			t.dropGutter(ctx, groups[s])
		}
		return s.fail(ctx, "invalidate", err)
	})
}

func (t *Tier) invalidate(ctx context.Context, s *server, keys []string, hold time.Duration) error {
	for start := 0; start < len(keys); start += maxBatch {
		part := keys[start:min(start+maxBatch, len(keys))]
		wire := make([]string, len(part))
		for i, key := range part {
			wire[i] = wireKey(key)
		}
		found, err := s.getMany(ctx, wire)
		if err != nil {
			return err
		}
		for _, key := range wire {
			sp := spot{server: s, key: key}
			if err := sp.invalidate(ctx, found[key], hold); err != nil {
				return err
			}
		}
	}
	return nil
}

// invalidate voids one key, which was seen as raw.
func (sp *spot) invalidate(ctx context.Context, raw *memcache.Item, hold time.Duration) error {
	if raw == nil && hold <= 0 {
		return nil
	}
	var cur state
	if raw != nil {
		cur.parse(raw.Value)
	}
	ok, err := sp.take(ctx, raw, invalidate(&cur, hold, time.Now()))
	if err == errMemory && hold <= 0 && len(cur.writers) == 0 {
		// No room for the memory of a version: the key is void without it too.
		ok, err = sp.server.removeSeen(ctx, sp.key, raw)
	}
	if ok || err != nil {
		return err
	}
	_, err = sp.change(ctx, func(cur *state) (step, error) { return invalidate(cur, hold, time.Now()), nil })
	return err
}

// dropGutter removes the copies of keys on servers that stand in for theirs.
// What fails there ends by itself, within Config.Gutter.
func (t *Tier) dropGutter(ctx context.Context, keys []string) {
	for _, key := range keys {
		if sp, ok := t.gutter(key); ok {
			if err := sp.server.delete(ctx, sp.key); err != nil {
				sp.server.missed(err)
			}
		}
	}
}

// Purge answers as cache.PurgeTier says, by flush_all on every server: what
// other programs hold there goes too. A server that cannot be reached is an
// Error, and is purged before this Tier uses it again.
func (t *Tier) Purge(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return t.each(ctx, t.members.Load().servers, func(ctx context.Context, s *server) error {
		err := s.do(ctx, (*memcache.Client).FlushAll)
		if err != nil {
			s.missed(err)
			return s.fail(ctx, "purge", err)
		}
		s.stats.purges.Add(1)
		return nil
	})
}
