package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// source is a source of truth that tests read and change.
type source struct {
	mu     sync.Mutex
	values map[string]string
	loads  atomic.Int64
	delay  time.Duration // how long a load takes
	err    error         // what loads fail with
	ttl    time.Duration
	tags   []string
}

func newSource(pairs ...string) *source {
	s := &source{values: make(map[string]string)}
	for i := 0; i < len(pairs); i += 2 {
		s.values[pairs[i]] = pairs[i+1]
	}
	return s
}

func (s *source) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// load reads at once and then takes its time to answer, so that a change
// meanwhile makes the answer an old one.
func (s *source) load(ctx context.Context, key string) (cache.Loaded[string], error) {
	s.loads.Add(1)
	s.mu.Lock()
	v, ok := s.values[key]
	err, delay, ttl, tags := s.err, s.delay, s.ttl, s.tags
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return cache.Loaded[string]{}, ctx.Err()
		}
	}
	switch {
	case err != nil:
		return cache.Loaded[string]{}, err
	case !ok:
		return cache.Loaded[string]{}, fmt.Errorf("no row for %q: %w", key, cache.ErrNotFound)
	}
	return cache.Loaded[string]{Value: v, TTL: ttl, Tags: tags}, nil
}

func (s *source) loadMany(ctx context.Context, keys []string) (map[string]cache.Loaded[string], error) {
	out := make(map[string]cache.Loaded[string])
	for _, k := range keys {
		l, err := s.load(ctx, k)
		switch {
		case err == nil:
			out[k] = l
		case !errors.Is(err, cache.ErrNotFound):
			return out, err
		}
	}
	return out, nil
}

type lookAside = cache.LookAside[string, string]
type config = cache.Config[string, string]

// open makes a cache without jitter over s.
func open(t testing.TB, s *source, change ...func(*config)) *lookAside {
	t.Helper()
	cfg := config{Load: s.load, Jitter: -1}
	for _, f := range change {
		f(&cfg)
	}
	c, err := cache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantGet(t *testing.T, c *lookAside, key, want string) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); got != want || err != nil {
		t.Errorf("Get(%q) = %q, %v, want %q", key, got, err, want)
	}
}

func wantLoads(t *testing.T, s *source, want int64) {
	t.Helper()
	if got := s.loads.Load(); got != want {
		t.Errorf("source was asked %d times, want %d", got, want)
	}
}

func wantLookup(t *testing.T, c *lookAside, key, value string, status cache.Status, from cache.Origin) cache.Info {
	t.Helper()
	v, info, err := c.Lookup(t.Context(), key)
	if v != value || info.Status != status || info.From != from {
		t.Errorf("Lookup(%q) = %q, %v from %v, %v; want %q, %v from %v", key, v, info.Status, info.From, err, value, status, from)
	}
	return info
}

func TestThousandMissesAreOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = 20 * time.Millisecond
		c := open(t, s)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { wantGet(t, c, "k", "v") })
		}
		all.Wait()
		wantLoads(t, s, 1)
		st := c.Stats()
		if st.Misses != 1 || st.Coalesced != 999 || st.Loads != 1 {
			t.Errorf("stats %+v, want 1 miss, 999 coalesced, 1 load", st)
		}
	})
}

func TestCancelOfTheFirstCallerPoisonsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = 20 * time.Millisecond
		c := open(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller who left got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() { wantGet(t, c, "k", "v") })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		wantLoads(t, s, 1)
	})
}

func TestWaiterLeavesAtItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = time.Second
		c := open(t, s)
		var all sync.WaitGroup
		all.Go(func() { wantGet(t, c, "k", "v") })
		synctest.Wait()
		for _, d := range []time.Duration{time.Microsecond, time.Millisecond, 20 * time.Millisecond, 999 * time.Millisecond} {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), d)
				defer cancel()
				start := time.Now()
				_, err := c.Get(ctx, "k")
				if took := time.Since(start); took != d || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("caller with %v left after %v with %v", d, took, err)
				}
			})
		}
		all.Wait()
		wantLoads(t, s, 1)
	})
}

func TestLoadIsCancelledWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan error, 1)
		c, err := cache.New(config{Load: func(ctx context.Context, _ string) (l cache.Loaded[string], err error) {
			<-ctx.Done()
			cancelled <- context.Cause(ctx)
			return l, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // and the key stays usable each time
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Get = %v", err)
			}
			cancel()
			if err := <-cancelled; err == nil {
				t.Error("the load's context has no cause")
			}
		}
	})
}

func TestLoadGetsTheValuesOfTheCallersContext(t *testing.T) {
	type key struct{}
	c, err := cache.New(config{Load: func(ctx context.Context, _ string) (cache.Loaded[string], error) {
		return cache.Loaded[string]{Value: ctx.Value(key{}).(string)}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(context.WithValue(t.Context(), key{}, "trace 7"), "k"); v != "trace 7" {
		t.Errorf("Load saw %q, %v", v, err)
	}
}

func TestPanicIsEveryWaitersErrorAndTheKeyStaysUsable(t *testing.T) {
	for name, died := range map[string]struct {
		die   func()
		check func(error) bool
	}{
		"panic": {func() { panic("boom") }, func(err error) bool {
			p, ok := errors.AsType[*cache.PanicError](err)
			return ok && p.Value == "boom" && strings.Contains(string(p.Stack), "lookaside_test") && !strings.Contains(err.Error(), "goroutine")
		}},
		"panic with an error": {func() { panic(context.Canceled) }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"panic(nil)": {func() { panic(nil) }, func(err error) bool {
			_, ok := errors.AsType[*runtime.PanicNilError](err)
			return ok
		}},
		"Goexit": {runtime.Goexit, func(err error) bool { return errors.Is(err, cache.ErrLoadAborted) }},
	} {
		for _, many := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s many=%v", name, many), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSource("k", "v")
					var dead atomic.Bool
					dead.Store(true)
					die := func() {
						time.Sleep(time.Millisecond)
						if dead.Load() {
							died.die()
						}
					}
					c := open(t, s, func(cfg *config) {
						cfg.MaxLoads = 1 // a place that is not given back would show
						cfg.Load = func(ctx context.Context, k string) (cache.Loaded[string], error) {
							die()
							return s.load(ctx, k)
						}
						cfg.LoadMany = func(ctx context.Context, ks []string) (map[string]cache.Loaded[string], error) {
							die()
							return s.loadMany(ctx, ks)
						}
					})
					var all sync.WaitGroup
					for range 10 {
						all.Go(func() {
							var err error
							if many {
								_, err = c.GetMany(t.Context(), []string{"k", "l"})
							} else {
								_, err = c.Get(t.Context(), "k")
							}
							if !died.check(err) {
								t.Errorf("a waiter got %v", err)
							}
						})
					}
					all.Wait()
					dead.Store(false)
					wantGet(t, c, "k", "v")
				})
			})
		}
	}
}

func TestLoadTimeoutEndsALoadThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, err := cache.New(config{LoadTimeout: time.Second, Load: func(context.Context, string) (cache.Loaded[string], error) {
			<-release
			return cache.Loaded[string]{Value: "late"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.Get(t.Context(), "k")
		if took := time.Since(start); took != time.Second || !errors.Is(err, cache.ErrLoadTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get ended after %v with %v", took, err)
		}
		close(release)
		synctest.Wait()
		if st := c.Stats(); st.Entries != 0 {
			t.Errorf("the late value was stored: %+v", st)
		}
	})
}

func TestConcurrentLoadsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		c, err := cache.New(cache.Config[int, int]{MaxLoads: 3, LoadTimeout: 5500 * time.Millisecond,
			Load: func(_ context.Context, k int) (cache.Loaded[int], error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return cache.Loaded[int]{Value: k}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var late atomic.Int64
		for k := range 21 {
			all.Go(func() {
				if _, err := c.Get(t.Context(), k); errors.Is(err, cache.ErrLoadTimeout) {
					late.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most.Load() != 3 {
			t.Errorf("%d loads at once, want 3", most.Load())
		}
		// Five rounds of three end within the time-out, the sixth is cut short.
		if late.Load() != 6 {
			t.Errorf("%d callers timed out, want 6", late.Load())
		}
		time.Sleep(time.Second) // the loads that were cut short
	})
}

// A context is done before its AfterFuncs start; whoever notices in between
// must not leave the callers without an answer.
func TestLoadsThatNeverGetTheirTurnEndTheirCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := cache.New(cache.Config[int, int]{MaxLoads: 1, LoadTimeout: time.Second,
			Load: func(_ context.Context, k int) (cache.Loaded[int], error) {
				time.Sleep(time.Minute)
				return cache.Loaded[int]{Value: k}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for k := range 5000 {
			all.Go(func() {
				if _, err := c.Get(t.Context(), k); !errors.Is(err, cache.ErrLoadTimeout) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute)
	})
}

func TestLookupSaysHowItWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v1")
		c := open(t, s, func(cfg *config) {
			cfg.TTL, cfg.StaleWhileRevalidate, cfg.StaleIfError = time.Minute, time.Minute, time.Hour
		})
		wantLookup(t, c, "k", "v1", cache.Miss, cache.FromSource)
		time.Sleep(59 * time.Second)
		if info := wantLookup(t, c, "k", "v1", cache.Hit, cache.FromLocal); info.Age != 59*time.Second {
			t.Errorf("age %v, want 59s", info.Age)
		}
		s.set("k", "v2")
		time.Sleep(2 * time.Second)
		wantLookup(t, c, "k", "v1", cache.Stale, cache.FromLocal) // and refreshes
		synctest.Wait()
		if info := wantLookup(t, c, "k", "v2", cache.Hit, cache.FromLocal); info.Age != 0 {
			t.Errorf("age after the refresh %v, want 0", info.Age)
		}
		_, info, err := c.Lookup(t.Context(), "none")
		if info.Status != cache.Miss || !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("first lookup of an absent key: %v, %v", info.Status, err)
		}
		_, info, err = c.Lookup(t.Context(), "none")
		if info.Status != cache.Negative || !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("second lookup of an absent key: %v, %v", info.Status, err)
		}
	})
}

func TestBypassGivesTheSameAnswersWithoutTheCache(t *testing.T) {
	s := newSource("a", "1", "b", "2")
	var off atomic.Bool
	c := open(t, s, func(cfg *config) { cfg.Bypass = off.Load; cfg.LoadMany = s.loadMany })
	wantGet(t, c, "a", "1")
	off.Store(true)
	s.set("a", "1 changed") // nobody invalidates: the cache alone would be stale
	wantGet(t, c, "a", "1 changed")
	wantLookup(t, c, "a", "1 changed", cache.Bypassed, cache.FromSource)
	if _, err := c.Get(t.Context(), "none"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Get of an absent key = %v", err)
	}
	m, err := c.GetMany(t.Context(), []string{"a", "b", "none"})
	if len(m) != 2 || m["b"] != "2" || err != nil {
		t.Errorf("GetMany = %v, %v", m, err)
	}
	before := s.loads.Load()
	wantGet(t, c, "b", "2")
	wantLoads(t, s, before+1) // what was read while bypassed was not kept

	// An invalidation while bypassed counts when the cache is back.
	if err := c.Invalidate(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	off.Store(false)
	wantGet(t, c, "a", "1 changed")
}

func TestEntriesAreBoundedByCount(t *testing.T) {
	c, err := cache.New(cache.Config[int, int]{MaxEntries: 100, Load: double})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 10_000 {
		if v, err := c.Get(t.Context(), k); v != 2*k || err != nil {
			t.Fatalf("Get(%d) = %d, %v", k, v, err)
		}
	}
	eventually(t, func() bool { st := c.Stats(); return st.Entries <= 100 && st.Evicted >= 9_800 })
}

func TestEntriesAreBoundedByWeight(t *testing.T) {
	c, err := cache.New(cache.Config[int, []byte]{
		MaxWeight: 10_000, Weigh: func(_ int, v []byte) uint32 { return uint32(len(v)) },
		Load: func(_ context.Context, k int) (cache.Loaded[[]byte], error) {
			return cache.Loaded[[]byte]{Value: make([]byte, 500)}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 1000 {
		if _, err := c.Get(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return c.Stats().Entries <= 20 })
}

func double(_ context.Context, k int) (cache.Loaded[int], error) {
	return cache.Loaded[int]{Value: 2 * k}, nil
}

// eventually waits for what otter does in the background.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("did not come true within 5s")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	load := newSource().load
	for want, cfg := range map[string]config{
		"Config.Load is required":       {},
		"Config.MaxEntries is -1":       {Load: load, MaxEntries: -1},
		"Config.MaxWeight requires":     {Load: load, MaxWeight: 1},
		"Config.Weigh requires":         {Load: load, Weigh: func(string, string) uint32 { return 1 }},
		"both MaxEntries and MaxWeight": {Load: load, MaxEntries: 1, MaxWeight: 1, Weigh: func(string, string) uint32 { return 1 }},
		"Config.Jitter is 2":            {Load: load, Jitter: 2},
		"Config.EarlyRefresh is -1":     {Load: load, EarlyRefresh: -1},
		"Config.MaxLoads is -1":         {Load: load, MaxLoads: -1},
		"Shared.Tier is required":       {Load: load, Shared: &cache.Shared[string, string]{}},
	} {
		if _, err := cache.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want an error with %q", err, want)
		}
	}
}
