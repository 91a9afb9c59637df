package cachetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

func (s *suite) putMissing() {
	for _, v := range []uint64{0, 1} {
		key := s.key()
		s.put(key, entry("v", v), true)
		s.holds(key, "v")
	}
}

func (s *suite) putNewest() {
	key := s.key()
	s.put(key, entry("five", 5), true)
	s.put(key, entry("four", 4), false)
	s.holds(key, "five")
	s.put(key, entry("five again", 5), false)
	s.holds(key, "five")
	s.put(key, entry("six", 6), true)
	s.holds(key, "six")
	if v := s.get(key, cache.Want{}).Entry.Version; v != 6 {
		s.t.Errorf("version %d, want 6", v)
	}
}

func (s *suite) putPlain() {
	key := s.filled("one", 0)
	s.put(key, entry("two", 0), true)
	s.holds(key, "two")
	s.lease(key, refresh)
	s.put(key, entry("three", 0), true)
	s.holds(key, "three")
	s.lease(key, refresh) // the Put has ended the lease before
}

func (s *suite) putVoids() {
	key := s.key()
	s.put(key, entry("five", 5), true)
	l := s.lease(key, refresh)
	s.put(key, entry("four", 4), false)
	s.fill(key, l, entry("six", 6), false)
	s.holds(key, "five")

	s.invalidate(0, key)
	l = s.lease(key, lease)
	s.put(key, entry("four", 4), false)
	s.fill(key, l, entry("six", 6), false)
	s.open(key)
}

func (s *suite) floor() {
	key := s.key()
	s.put(key, entry("five", 5), true)
	s.invalidate(0, key)
	s.put(key, entry("four", 4), false)
	s.put(key, entry("five", 5), false)
	s.open(key)
	s.put(key, entry("six", 6), true)
	s.holds(key, "six")

	// Also by a load.
	s.invalidate(0, key)
	s.fill(key, s.lease(key, lease), entry("five, from a slow replica", 5), false)
	s.open(key)
	s.fill(key, s.lease(key, lease), entry("six again", 6), true)
	s.holds(key, "six again")
}

func (s *suite) anyArrival() {
	for range 5 {
		key := s.key()
		var wg sync.WaitGroup
		for _, v := range rand.Perm(12) {
			wg.Go(func() {
				_, err := s.Put(s.ctx, key, cache.Lease{}, entry(fmt.Sprint("v", v+1), uint64(v+1)))
				s.check(err)
			})
		}
		wg.Wait()
		// Under contention a tier may hold nothing, but never an old version.
		if it := s.get(key, cache.Want{}); it.Found && it.Entry.Version != 12 {
			s.t.Fatalf("version %d is held after all of 1 to 12 were put", it.Entry.Version)
		}
	}
}

func (s *suite) fence() {
	key := s.filled("old", 0)
	l := s.lease(key, refresh)
	s.begin(key)
	s.fenced(key)
	s.fill(key, l, entry("late", 0), false)
	s.fenced(key)

	key = s.key()
	l = s.lease(key, lease)
	s.begin(key)
	s.fill(key, l, entry("late", 0), false)
	s.fenced(key)
}

func (s *suite) fenceEnds() {
	key := s.filled("old", 0)
	if _, err := s.Fence(s.ctx, key, time.Second); err != nil {
		s.t.Fatal(err)
	}
	s.ends(key)
}

// ends fails unless what keeps key from being leased ends after a second.
func (s *suite) ends(key string) {
	s.t.Helper()
	began := time.Now()
	for s.get(key, lease).Lease.Token == 0 {
		if time.Since(began) > 5*time.Second {
			s.t.Fatal("it stands after five seconds, and was to stand for one")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if d := time.Since(began); d < 900*time.Millisecond {
		s.t.Errorf("it stood for %v, and was to stand for a second", d)
	}
}

func (s *suite) fencePut() {
	for _, v := range []uint64{0, 3, 4} {
		key := s.filled("old", min(v, 3))
		fence := s.begin(key)
		s.end(key, fence, entry("new", v), true)
		s.holds(key, "new")
		s.end(key, fence, entry("again", 0), false) // a write ends once
		s.holds(key, "")
	}
}

func (s *suite) fenceOlder() {
	key := s.filled("five", 5)
	s.end(key, s.begin(key), entry("four", 4), false)
	s.open(key)
}

func (s *suite) overlap() {
	key := s.key()
	a, b, c := s.begin(key), s.begin(key), s.begin(key)
	s.end(key, b, entry("b", 0), false)
	s.fenced(key)
	s.end(key, b, entry("b", 0), false) // its write is over
	s.fenced(key)
	s.end(key, a, entry("a", 0), false)
	s.fenced(key)
	s.end(key, c, entry("c", 0), false)
	s.open(key)
}

func (s *suite) overlapVersions() {
	for _, versions := range [][]uint64{{1, 2}, {2, 1}, {1, 2, 3}, {3, 1, 2}, {2, 3, 1}, {2, 2}, {0, 2}, {2, 0}} {
		key := s.key()
		var fences []cache.Lease
		for range versions {
			fences = append(fences, s.begin(key))
		}
		newest, certain := uint64(0), true
		for i, v := range versions {
			last := i == len(versions)-1
			certain = certain && v > 0
			s.end(key, fences[i], entry(fmt.Sprint(v), v), last && certain && v > newest)
			newest = max(newest, v)
		}
		if it := s.get(key, cache.Want{}); it.Found && it.Entry.Version != newest {
			s.t.Fatalf("writes of versions %v leave %d", versions, it.Entry.Version)
		}
		s.put(key, entry("late", newest-1), false)
	}
}

func (s *suite) overlapPlain() {
	key := s.filled("old", 0)
	a, b := s.begin(key), s.begin(key)
	s.end(key, a, entry("a", 0), false)
	s.fenced(key)
	s.end(key, b, entry("b", 0), false)
	s.open(key)

	// One write after the other is no overlap.
	s.end(key, s.begin(key), entry("a", 0), true)
	s.end(key, s.begin(key), entry("b", 0), true)
	s.holds(key, "b")
}

func (s *suite) putDuringWrite() {
	for _, c := range []struct {
		outside, write uint64
		stored         bool
	}{{5, 6, true}, {5, 5, false}, {5, 4, false}, {0, 6, false}, {5, 0, false}, {0, 0, false}} {
		key := s.key()
		fence := s.begin(key)
		s.put(key, entry("from outside", c.outside), false)
		s.fenced(key)
		s.end(key, fence, entry("written", c.write), c.stored)
		if c.stored {
			s.holds(key, "written")
		} else {
			s.open(key)
		}
	}
}

func (s *suite) writeOvertaken() {
	for _, v := range []uint64{0, 6} {
		key := s.filled("old", min(v, 5))
		fence := s.begin(key)
		s.invalidate(0, key)
		s.fenced(key)
		s.end(key, fence, entry("of before", v), false)
		s.open(key)

		// The last of several knows too.
		a, b := s.begin(key), s.begin(key)
		s.invalidate(0, key)
		s.end(key, a, entry("a", v), false)
		s.fenced(key)
		s.end(key, b, entry("b", v+min(v, 1)), false)
		s.open(key)

		// What begins afterwards does not suffer.
		s.end(key, s.begin(key), entry("new", v+2*min(v, 1)), true)
		s.holds(key, "new")
	}
}

func (s *suite) fenceLost() {
	begin := func() (string, cache.Lease) {
		key := s.key()
		fence, err := s.Fence(s.ctx, key, time.Second)
		if err != nil {
			s.t.Fatal(err)
		}
		return key, fence
	}
	// Others load, write or fence the key before the late writer ends.
	loaded, f1 := begin()
	loading, f2 := begin()
	newer, f3 := begin()
	older, f4 := begin()
	writing, f5 := begin()
	s.ends(loaded)
	s.invalidate(0, loaded)
	for _, key := range []string{loaded, loading, newer, older, writing} {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if l := s.get(key, lease).Lease; l.Token != 0 {
				s.fill(key, l, cache.Entry{}, false)
				break
			}
			if time.Now().After(end) {
				s.t.Fatal("the fence does not end")
			}
		}
	}
	s.fill(loaded, s.lease(loaded, lease), entry("newer or older", 0), true)
	s.end(loaded, f1, entry("of unknown order", 0), false)
	s.open(loaded)

	l := s.lease(loading, lease)
	s.end(loading, f2, entry("of unknown order", 0), false)
	s.fill(loading, l, entry("read before the commit", 0), false)
	s.open(loading)

	s.put(newer, entry("nine", 9), true)
	s.end(newer, f3, entry("eight", 8), false)
	if it := s.get(newer, cache.Want{}); it.Found && it.Entry.Version != 9 {
		s.t.Errorf("version %d is held", it.Entry.Version)
	}

	s.put(older, entry("seven", 7), true)
	s.end(older, f4, entry("eight", 8), false)
	s.open(older)

	other := s.begin(writing)
	s.end(writing, f5, entry("of unknown order", 0), false)
	s.fenced(writing)
	s.end(writing, other, entry("perhaps older", 0), false)
	s.open(writing)
}

func (s *suite) hold() {
	key := s.filled("old", 0)
	l := s.lease(key, refresh)
	s.invalidate(time.Second, key)
	s.fill(key, l, entry("late", 0), false)
	s.fenced(key)
	s.ends(key)

	key = s.filled("old", 0)
	s.invalidate(10*time.Second, key)
	s.invalidate(0, key)
	s.fenced(key)
	s.invalidate(time.Second, key)
	s.fenced(key)
}

func (s *suite) holdPut() {
	for _, v := range []uint64{0, 5} {
		key := s.filled("old", min(v, 4))
		s.invalidate(10*time.Second, key)
		s.put(key, entry("new", v), true)
		s.holds(key, "new")

		s.invalidate(10*time.Second, key)
		s.end(key, s.begin(key), entry("newer", v+min(v, 1)), true)
		s.holds(key, "newer")
	}
	key := s.filled("five", 5)
	s.invalidate(10*time.Second, key)
	s.put(key, entry("four", 4), false)
	s.fenced(key)
}

func (s *suite) holdOverWrite() {
	key := s.key()
	fence := s.begin(key)
	s.invalidate(10*time.Second, key)
	s.end(key, fence, entry("of before", 0), false)
	s.fenced(key)
}

func (s *suite) invalidateMany() {
	var keys []string
	for range 300 {
		keys = append(keys, s.key())
		s.put(keys[len(keys)-1], entry("v", 1), true)
	}
	s.invalidate(0, keys[:200]...)
	s.invalidate(10*time.Second, keys[200:]...)
	items, err := s.Get(s.ctx, keys, lease)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, it := range items {
		if it.Found || (it.Lease.Token != 0) != (i < 200) {
			s.t.Fatalf("key %d of 300: %+v", i, it)
		}
	}
}

func (s *suite) ended() {
	key := s.filled("v", 0)
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	calls := map[string]func() error{
		"Get": func() error {
			items, err := s.Get(ctx, []string{key, key, key}, lease)
			if len(items) != 3 || slices.ContainsFunc(items, func(it cache.Item) bool { return it.Found || it.Busy || it.Lease.Token != 0 }) {
				s.t.Errorf("Get under an ended context = %+v, want 3 zero Items", items)
			}
			return err
		},
		"Fill":       func() error { _, err := s.Fill(ctx, key, cache.Lease{Token: 1}, entry("w", 0)); return err },
		"Put":        func() error { _, err := s.Put(ctx, key, cache.Lease{}, entry("w", 9)); return err },
		"Fence":      func() error { _, err := s.Fence(ctx, key, time.Second); return err },
		"Invalidate": func() error { return s.Invalidate(ctx, []string{key}, 0) },
	}
	if s.tags != nil {
		calls["InvalidateTags"] = func() error { return s.tags.InvalidateTags(ctx, []string{"t"}) }
	}
	if s.purge != nil {
		calls["Purge"] = func() error { return s.purge.Purge(ctx) }
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
			s.t.Errorf("%s under an ended context = %v, want its cause", name, err)
		}
	}
	s.holds(key, "v")
}
