package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

func wantMany(t *testing.T, c *lookAside, keys []string, want map[string]string) {
	t.Helper()
	got, err := c.GetMany(t.Context(), keys)
	if fmt.Sprint(got) != fmt.Sprint(want) || err != nil {
		t.Errorf("GetMany(%q) = %v, %v, want %v", keys, got, err, want)
	}
}

func TestGetManyLoadsOnlyWhatIsMissingAndAllOfItAtOnce(t *testing.T) {
	s := newSource("a", "1", "b", "2", "c", "3")
	var calls [][]string
	c := open(t, s, func(cfg *config) {
		cfg.LoadMany = func(ctx context.Context, keys []string) (map[string]cache.Loaded[string], error) {
			calls = append(calls, keys)
			return s.loadMany(ctx, keys)
		}
	})
	wantGet(t, c, "a", "1")
	wantMany(t, c, []string{"a", "b", "none", "c", "b"}, map[string]string{"a": "1", "b": "2", "c": "3"})
	if want := "[[b none c]]"; fmt.Sprint(calls) != want {
		t.Errorf("LoadMany got %v, want %v", calls, want)
	}
	wantMany(t, c, []string{"a", "b", "none", "c"}, map[string]string{"a": "1", "b": "2", "c": "3"})
	if len(calls) != 1 {
		t.Errorf("the second GetMany loaded again, the absent key included: %v", calls)
	}
}

func TestGetManyWithoutLoadManyLoadsConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("a", "1", "b", "2", "c", "3")
		s.delay = time.Second
		c := open(t, s)
		start := time.Now()
		wantMany(t, c, []string{"a", "b", "c", "none"}, map[string]string{"a": "1", "b": "2", "c": "3"})
		if took := time.Since(start); took != time.Second {
			t.Errorf("four loads of 1s took %v", took)
		}
	})
}

func TestGetManySharesFlightsWithGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("a", "1", "b", "2")
		s.delay = time.Second
		c := open(t, s, func(cfg *config) { cfg.LoadMany = s.loadMany })
		var all sync.WaitGroup
		all.Go(func() { wantGet(t, c, "a", "1") })
		synctest.Wait()
		for range 10 {
			all.Go(func() { wantMany(t, c, []string{"a", "b"}, map[string]string{"a": "1", "b": "2"}) })
		}
		all.Wait()
		wantLoads(t, s, 2)
	})
}

func TestGetManyGivesPartialResultsWithATypedError(t *testing.T) {
	down := errors.New("this shard is down")
	c, err := cache.New(cache.Config[int, int]{
		Load: func(_ context.Context, k int) (l cache.Loaded[int], err error) {
			if k%2 == 1 {
				return l, down
			}
			return cache.Loaded[int]{Value: k}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetMany(t.Context(), []int{1, 2, 3, 4})
	if fmt.Sprint(got) != "map[2:2 4:4]" {
		t.Errorf("values %v", got)
	}
	many, ok := errors.AsType[*cache.ManyError[int]](err)
	if !ok || len(many.Errs) != 2 || !errors.Is(many.Errs[3], down) || !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
}

func TestGetManyUsesWhatLoadManyBroughtBesideItsError(t *testing.T) {
	down := errors.New("half of the shards are down")
	c, err := cache.New(cache.Config[int, int]{
		Load: double,
		LoadMany: func(_ context.Context, ks []int) (map[int]cache.Loaded[int], error) {
			return map[int]cache.Loaded[int]{2: {Value: 20}}, down
		}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetMany(t.Context(), []int{1, 2})
	many, ok := errors.AsType[*cache.ManyError[int]](err)
	if fmt.Sprint(got) != "map[2:20]" || !ok || len(many.Errs) != 1 || !errors.Is(many.Errs[1], down) {
		t.Errorf("GetMany = %v, %v", got, err)
	}
}

func TestGetManyCallerLeavesAtItsDeadlineWithWhatThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("a", "1", "b", "2")
		c := open(t, s)
		wantGet(t, c, "a", "1")
		s.delay = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		got, err := c.GetMany(ctx, []string{"a", "b"})
		if time.Since(start) != time.Millisecond || got["a"] != "1" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("GetMany = %v, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestAbandonedBatchIsCancelledOnlyWhenNobodyWaitsForAnyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("a", "1", "b", "2")
		s.delay = time.Second
		c := open(t, s, func(cfg *config) { cfg.LoadMany = s.loadMany })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.GetMany(ctx, []string{"a", "b"}) })
		synctest.Wait()
		all.Go(func() { wantGet(t, c, "b", "2") })
		synctest.Wait()
		cancel()
		all.Wait()
		wantLoads(t, s, 2)
	})
}

func TestGetManyServesStaleValuesOfKeysThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("a", "1", "b", "2")
		c := open(t, s, func(cfg *config) { cfg.TTL, cfg.StaleIfError = time.Second, time.Minute })
		wantGet(t, c, "a", "1")
		time.Sleep(2 * time.Second)
		s.fail(errors.New("down"))
		got, err := c.GetMany(t.Context(), []string{"a", "b"})
		if fmt.Sprint(got) != "map[a:1]" || err == nil {
			t.Errorf("GetMany = %v, %v", got, err)
		}
	})
}

func TestGetManyAsksTheSharedTierOnce(t *testing.T) {
	tier := cachetest.NewMemory()
	s := newSource("a", "1", "b", "2", "c", "3")
	wantMany(t, open(t, s, joined(tier)), []string{"a", "b", "c"}, map[string]string{"a": "1", "b": "2", "c": "3"})
	eventually(t, func() bool { return tier.Calls("fill") == 3 })
	before, loads := tier.Calls("get"), s.loads.Load()
	wantMany(t, open(t, s, joined(tier)), []string{"a", "b", "c"}, map[string]string{"a": "1", "b": "2", "c": "3"})
	if n := tier.Calls("get") - before; n != 1 {
		t.Errorf("the tier was asked %d times", n)
	}
	wantLoads(t, s, loads)
}

// A long run of everything at once: what it looks for is the race detector's,
// and that nobody hangs.
func TestManyCallersDoingEverythingAtOnce(t *testing.T) {
	tier := cachetest.NewMemory()
	var versions atomic.Uint64
	load := func(_ context.Context, k int) (cache.Loaded[uint64], error) {
		switch v := versions.Add(1); {
		case v%13 == 0:
			return cache.Loaded[uint64]{}, errors.New("unlucky")
		case v%17 == 0:
			return cache.Loaded[uint64]{}, cache.ErrNotFound
		case v%101 == 0:
			panic("very unlucky")
		default:
			return cache.Loaded[uint64]{Value: v, Version: v, Tags: []string{fmt.Sprint(k % 3)}}, nil
		}
	}
	var all sync.WaitGroup
	for range 3 {
		c, err := cache.New(cache.Config[int, uint64]{
			Load: load, MaxEntries: 20, TTL: time.Millisecond, NegativeTTL: time.Millisecond,
			StaleIfError: time.Second, StaleWhileRevalidate: time.Millisecond, EarlyRefresh: 1, MaxLoads: 4,
			Shared: &cache.Shared[int, uint64]{Tier: tier, Namespace: "n"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w, err := cache.NewWriteThru(c, func(ctx context.Context, k int, v uint64) (cache.Loaded[uint64], error) { return load(ctx, k) })
		if err != nil {
			t.Fatal(err)
		}
		for g := range 8 {
			all.Go(func() {
				for i := range 300 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*100*time.Microsecond+time.Microsecond)
					k := (i*7 + g) % 40
					switch i % 10 {
					case 0:
						_ = c.Invalidate(ctx, k)
					case 1:
						_ = c.InvalidateTag(ctx, fmt.Sprint(k%3))
					case 2:
						_, _ = w.Write(ctx, k, 1)
					case 3:
						_, _ = c.GetMany(ctx, []int{k, k + 1, k + 2})
					case 4:
						_, _ = c.Put(ctx, k, cache.Loaded[uint64]{Value: 1, Version: versions.Add(1)})
					case 5:
						if i%100 == 5 {
							_ = c.Purge(ctx)
						}
					default:
						_, _ = c.Get(ctx, k)
					}
					cancel()
				}
			})
		}
	}
	all.Wait()
}
