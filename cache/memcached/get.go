package memcached

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/cache"
)

// maxTries bounds how often a step is tried while other clients change the key.
const maxTries = 8

// Get answers as cache.Tier says. Keys of different servers are asked for at
// the same time, and within one Config.Timeout; what cannot be asked is an
// Error for each server.
func (t *Tier) Get(ctx context.Context, keys []string, want cache.Want) ([]cache.Item, error) {
	items := make([]cache.Item, len(keys))
	if ctx.Done() != nil {
		if err := context.Cause(ctx); err != nil {
			return items, err
		}
	}
	if len(keys) == 1 {
		return items, t.getOne(ctx, keys[0], want, &items[0])
	}
	return items, t.getMany(ctx, keys, want, items)
}

func (t *Tier) getOne(ctx context.Context, key string, want cache.Want, it *cache.Item) error {
	sp := t.spot(key)
	sp.server.stats.gets.Add(1)
	raw, err := sp.server.get(ctx, sp.key)
	if err == ErrEjected {
		if g, ok := t.gutter(key); ok {
			sp = g
			sp.server.stats.gets.Add(1)
			raw, err = sp.server.get(ctx, sp.key)
		}
	}
	if err == nil {
		err = sp.answer(ctx, raw, want, it)
	}
	return sp.server.fail(ctx, "get", err)
}

// getMany groups keys by server.
func (t *Tier) getMany(ctx context.Context, keys []string, want cache.Want, items []cache.Item) error {
	m := t.members.Load()
	if len(m.servers) == 1 || len(keys) == 0 {
		return t.getGroup(ctx, m.servers[0], keys, nil, want, items)
	}
	groups := make(map[*server][]int)
	var servers []*server
	for i, key := range keys {
		s := m.servers[m.layout.pick(key, nil)]
		if groups[s] == nil {
			servers = append(servers, s)
		}
		groups[s] = append(groups[s], i)
	}
	if len(servers) == 1 {
		return t.getGroup(ctx, servers[0], keys, nil, want, items)
	}
	// The answers are the goroutines' until all are done: a caller that leaves
	// early must not see them change.
	type answer struct {
		server *server
		items  []cache.Item
		err    error
	}
	answers := make(chan answer, len(servers))
	for _, s := range servers {
		ask := func() {
			a := answer{server: s, items: make([]cache.Item, len(keys))}
			a.err = t.getGroup(ctx, s, keys, groups[s], want, a.items)
			answers <- a
		}
		if !t.run(ask) {
			return ErrClosed
		}
	}
	var errs []error
	for range servers {
		select {
		case a := <-answers:
			for _, i := range groups[a.server] {
				items[i] = a.items[i]
			}
			errs = append(errs, a.err)
		case <-ctx.Done():
			clear(items)
			return context.Cause(ctx)
		}
	}
	return errors.Join(errs...)
}

// getGroup asks one server for the keys at index in, or for all keys when in is
// nil.
func (t *Tier) getGroup(ctx context.Context, s *server, keys []string, in []int, want cache.Want, items []cache.Item) error {
	at := func(n int) int { return n }
	count := len(keys)
	if in != nil {
		at = func(n int) int { return in[n] }
		count = len(in)
	}
	wire := keys
	if in != nil || slices.ContainsFunc(keys, odd) {
		wire = make([]string, count)
		for n := range wire {
			wire[n] = wireKey(keys[at(n)])
		}
	}
	var first error
	for start := 0; start < count; start += maxBatch {
		end := min(start+maxBatch, count)
		s.stats.gets.Add(int64(end - start))
		found, err := s.getMany(ctx, wire[start:end])
		if err == ErrEjected && t.cfg.Gutter > 0 {
			for n := start; n < count; n++ {
				first = cmp.Or(first, t.getOne(ctx, keys[at(n)], want, &items[at(n)]))
			}
			return first
		}
		if err != nil {
			return cmp.Or(first, s.fail(ctx, "get", err))
		}
		for n := start; n < end; n++ {
			sp, it := spot{server: s, key: wire[n]}, &items[at(n)]
			if err := sp.answer(ctx, found[sp.key], want, it); err != nil {
				*it = cache.Item{}
				first = cmp.Or(first, s.fail(ctx, "get", err))
			}
		}
	}
	return first
}

// answer turns what the server holds into the answer to a Get, and takes the
// lease that is due.
func (sp *spot) answer(ctx context.Context, raw *memcache.Item, want cache.Want, it *cache.Item) error {
	s := sp.server
	if raw != nil && !want.Refresh && plain(raw.Value, &it.Entry) {
		it.Found = true
		s.stats.hits.Add(1)
		return nil
	}
	var cur state
	if raw != nil {
		cur.parse(raw.Value)
	}
	if err := sp.claim(ctx, raw, &cur, want, it); err != nil {
		return err
	}
	if it.Found {
		s.stats.hits.Add(1)
	} else {
		s.stats.misses.Add(1)
	}
	if it.Busy {
		s.stats.busy.Add(1)
	}
	if it.Lease.Token != 0 {
		s.stats.leases.Add(1)
	}
	return nil
}

// claim is answer for all that is not simply a hit.
func (sp *spot) claim(ctx context.Context, raw *memcache.Item, cur *state, want cache.Want, it *cache.Item) error {
	s := sp.server
	var token uint64
	for try := 0; ; try++ {
		if err := s.voidByTags(ctx, cur); err != nil {
			return err
		}
		if token == 0 && want.Lease > 0 {
			token = newToken()
		}
		answer, st := look(cur, want, token, time.Now())
		if st.action == leave {
			*it = answer
			break
		}
		if try == maxTries {
			// Somebody changes the key all the time: no lease.
			answer.Lease = cache.Lease{}
			answer.Busy = !answer.Found
			*it = answer
			return nil
		}
		ok, err := sp.take(ctx, raw, st)
		if err != nil {
			return err
		}
		if ok {
			*it = answer
			break
		}
		if raw, err = s.get(ctx, sp.key); err != nil {
			return err
		}
		*cur = state{}
		if raw != nil {
			cur.parse(raw.Value)
		}
	}
	if it.Lease.Token != 0 && want.Tagged {
		clock, err := s.tagClock(ctx)
		if err != nil {
			return err
		}
		it.Lease.Clock = clock
	}
	return nil
}

// take does one step atomically; ok is false when the key has changed since it
// was seen as raw.
func (sp *spot) take(ctx context.Context, raw *memcache.Item, st step) (ok bool, err error) {
	switch st.action {
	case write:
		life := st.life
		if sp.limit > 0 && st.next.held() {
			life = min(life, sp.limit)
		}
		return sp.server.swap(ctx, sp.key, raw, st.next.encode(), life)
	case remove:
		return sp.server.removeSeen(ctx, sp.key, raw)
	default:
		return true, nil
	}
}

// look reads what is held for the spot's key.
func (sp *spot) look(ctx context.Context) (raw *memcache.Item, cur state, err error) {
	raw, err = sp.server.get(ctx, sp.key)
	if raw != nil {
		cur.parse(raw.Value)
	}
	return raw, cur, err
}

// newToken returns a number that no other grant has.
func newToken() uint64 {
	for {
		if token := rand.Uint64(); token != 0 {
			return token
		}
	}
}
