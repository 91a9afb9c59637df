package memcached

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/bradfitz/gomemcache/memcache"
)

// Tags are kept on each server for the entries of that server. A clock counts
// the invalidations; a lease records its time before the load begins, and the
// entry takes it over. A tag's mark is the time of its last invalidation. An
// entry is valid while every tag of it has a mark that is not later than the
// entry. A mark that is missing, because memcached needed the room, voids the
// tag's entries; it is made again by the next fill, with the present time.
//
// The clock can be lost too. Its upper half is therefore a random epoch, chosen
// when it is made, and times of different epochs never agree: what was loaded
// in a lost epoch and is not void already is voided by the first invalidation
// or fill of its tag.

// epochBits is where the epoch begins in a time of the tag clock.
const epochBits = 32

func epoch(time uint64) uint64 { return time >> epochBits }

// notAfter reports whether what was marked at mark leaves valid what was loaded
// at clock.
func notAfter(mark, clock uint64) bool {
	return mark != 0 && epoch(mark) == epoch(clock) && mark <= clock
}

// newClock begins an epoch.
func newClock() uint64 { return uint64(rand.Uint32N(1<<31-1)+1)<<epochBits | 1 }

// clockTime is what an item of the clock or a mark says; zero is nothing.
func clockTime(item *memcache.Item) uint64 {
	if item == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(item.Value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func clockBytes(n uint64) []byte { return strconv.AppendUint(nil, n, 10) }

// tagClock returns the time of the server's clock, and makes one if need be.
func (s *server) tagClock(ctx context.Context) (uint64, error) {
	for range maxTries {
		item, err := s.get(ctx, clockKey)
		if err != nil {
			return 0, err
		}
		if now := clockTime(item); now != 0 {
			return now, nil
		}
		now := newClock()
		ok, err := s.swap(ctx, clockKey, item, clockBytes(now), markLife)
		if err != nil {
			return 0, err
		}
		if ok {
			return now, nil
		}
	}
	return 0, errContended
}

var errContended = errors.New("tags change too fast")

// advance adds one to the clock and returns its time.
func (s *server) advance(ctx context.Context) (uint64, error) {
	for range maxTries {
		now, ok, err := s.increment(ctx, clockKey)
		if ok || err != nil {
			return now, err
		}
		if _, err := s.tagClock(ctx); err != nil {
			return 0, err
		}
	}
	return 0, errContended
}

// marks returns the items of the marks of tags, by key.
func (s *server) marks(ctx context.Context, tags []string) ([]string, map[string]*memcache.Item, error) {
	keys := make([]string, len(tags))
	for i, tag := range tags {
		keys[i] = markKey(tag)
	}
	items, err := s.getMany(ctx, keys)
	return keys, items, err
}

// voidByTags makes cur void when one of its tags was invalidated.
func (s *server) voidByTags(ctx context.Context, cur *state) error {
	if !cur.held() || len(cur.tags) == 0 {
		return nil
	}
	keys, items, err := s.marks(ctx, cur.tags)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !notAfter(clockTime(items[key]), cur.clock) {
			*cur = state{kind: kindVoid, version: cur.known()}
			return nil
		}
	}
	return nil
}

// tagsHold reports whether a value with tags that was loaded at clock may be
// held, and makes the marks that it will need.
func (s *server) tagsHold(ctx context.Context, tags []string, clock uint64) (bool, error) {
	if len(tags) == 0 {
		return true, nil
	}
	if clock == 0 {
		return false, nil
	}
	keys, items, err := s.marks(ctx, tags)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		mark := clockTime(items[key])
		for try := 0; mark == 0 || epoch(mark) != epoch(clock); try++ {
			// No mark of this epoch. The present time is not before the last
			// invalidation, whichever that was, so that nothing void comes back.
			now, err := s.tagClock(ctx)
			if err != nil {
				return false, err
			}
			if mark != 0 && epoch(mark) == epoch(now) || try == maxTries {
				return false, nil // it is the value that is of a lost epoch
			}
			ok, err := s.swap(ctx, key, items[key], clockBytes(now), markLife)
			if err != nil {
				return false, err
			}
			if ok {
				mark = now
				break
			}
			if items[key], err = s.get(ctx, key); err != nil {
				return false, err
			}
			mark = clockTime(items[key])
		}
		if !notAfter(mark, clock) {
			return false, nil
		}
	}
	return true, nil
}

// InvalidateTags answers as cache.TagTier says, on every server of the cluster;
// the work goes on to its end when ctx ends earlier. A server that cannot be
// reached is an Error, and is purged before this Tier uses it again.
func (t *Tier) InvalidateTags(ctx context.Context, tags []string) error {
	if err := context.Cause(ctx); err != nil || len(tags) == 0 {
		return err
	}
	return t.each(ctx, t.members.Load().servers, func(ctx context.Context, s *server) error {
		err := s.invalidateTags(ctx, tags)
		if err != nil {
			s.missed(err)
		}
		return s.fail(ctx, "invalidatetags", err)
	})
}

func (s *server) invalidateTags(ctx context.Context, tags []string) error {
	for range maxTries {
		now, err := s.advance(ctx)
		if err != nil {
			return err
		}
		done, err := s.markAll(ctx, tags, now)
		if err != nil {
			return err
		}
		// When the clock was lost meanwhile, the marks are of an epoch that is
		// over, and may have replaced those of a later call.
		if after, err := s.tagClock(ctx); err != nil || done && epoch(after) == epoch(now) {
			return err
		}
	}
	return errContended
}

// markAll raises the marks of tags to now. done is false when a mark is of
// another epoch than now and the clock too.
func (s *server) markAll(ctx context.Context, tags []string, now uint64) (done bool, err error) {
	keys, items, err := s.marks(ctx, tags)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		done := false
		for range maxTries {
			item := items[key]
			mark := clockTime(item)
			if epoch(mark) == epoch(now) && mark >= now {
				done = true
				break
			}
			if mark != 0 && epoch(mark) != epoch(now) {
				if clock, err := s.tagClock(ctx); err != nil || epoch(clock) != epoch(now) {
					return false, err
				}
			}
			ok, err := s.swap(ctx, key, item, clockBytes(now), markLife)
			if err != nil {
				return false, err
			}
			if ok {
				done = true
				break
			}
			if items[key], err = s.get(ctx, key); err != nil {
				return false, err
			}
		}
		if !done {
			return false, nil
		}
	}
	return true, nil
}
