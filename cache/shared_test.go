package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

func TestSharedTierAnswersWhatAnotherProcessLoaded(t *testing.T) {
	for _, tags := range [][]string{nil, {"t", "u"}} {
		synctest.Test(t, func(t *testing.T) {
			tier := cachetest.NewMemory()
			s := newSource("k", "v")
			s.tags = tags
			wantLookup(t, open(t, s, joined(tier)), "k", "v", cache.Miss, cache.FromSource)
			synctest.Wait()
			time.Sleep(time.Second)
			c := open(t, s, joined(tier))
			if info := wantLookup(t, c, "k", "v", cache.Miss, cache.FromShared); info.Age != time.Second {
				t.Errorf("age %v, want 1s", info.Age)
			}
			wantLookup(t, c, "k", "v", cache.Hit, cache.FromLocal)
			wantLoads(t, s, 1)
			if st := c.Stats(); st.SharedHits != 1 || st.SharedMisses != 0 || st.Loads != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestTierWithoutTagsKeepsNoEntriesWithTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		simple := struct{ cache.Tier }{tier} // hides InvalidateTags and Purge
		s := newSource("k", "old")
		s.tags = []string{"t"}
		one, two := open(t, s, joined(simple)), open(t, s, joined(simple))
		wantGet(t, one, "k", "old")
		synctest.Wait()
		if _, err := one.Put(t.Context(), "k", cache.Loaded[string]{Value: "old", Tags: s.tags}); err != nil {
			t.Fatal(err)
		}
		s.set("k", "new")
		if err := one.InvalidateTag(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, one, "k", "new")
		wantGet(t, two, "k", "new")
		if err := one.Purge(t.Context()); err == nil {
			t.Error("Purge does not say that the shared tier keeps what it has")
		}
	})
}

func TestFailingSharedTierNeverFailsAGet(t *testing.T) {
	for _, fault := range []string{"fails", "hangs", "answers nothing", "answers garbage"} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := cachetest.NewMemory()
				s := newSource("k", "v", "l", "w")
				var traced sync.Map
				var use cache.Tier = tier
				switch fault {
				case "fails":
					tier.Fail("", -1, errors.New("no route to host"))
				case "hangs":
					use = impatient{tier}
					tier.Hang("", 1000)
				case "answers nothing":
					use = broken{tier}
				case "answers garbage":
					for _, k := range []string{"k", "l"} {
						if _, err := tier.Put(t.Context(), "test:"+k, cache.Lease{}, cache.Entry{Value: []byte("{"), Loaded: time.Now(), TTL: time.Hour}); err != nil {
							t.Fatal(err)
						}
					}
				}
				c := open(t, s, joined(use), func(cfg *config) {
					cfg.Trace = &cache.Trace{TierError: func(op string, err error) { traced.Store(op, err) }}
				})
				for range 3 {
					wantGet(t, c, "k", "v")
					wantMany(t, c, []string{"k", "l"}, map[string]string{"k": "v", "l": "w"})
				}
				synctest.Wait()
				if st := c.Stats(); fault != "answers nothing" && st.SharedErrors == 0 {
					t.Errorf("stats %+v: no tier error counted", st)
				}
				traces := 0
				traced.Range(func(any, any) bool { traces++; return true })
				if fault != "answers nothing" && traces == 0 {
					t.Error("Trace.TierError was not called")
				}
			})
		})
	}
}

// impatient gives up after 100 ms, as a client with a time-out does.
type impatient struct{ cache.Tier }

func (i impatient) Get(ctx context.Context, keys []string, want cache.Want) ([]cache.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	return i.Tier.Get(ctx, keys, want)
}

// broken breaks the contract: its answer is too short.
type broken struct{ cache.Tier }

func (broken) Get(context.Context, []string, cache.Want) ([]cache.Item, error) { return nil, nil }

func TestHungSharedTierHoldsUpNobodyBeyondHisDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		tier.Hang("get", 1)
		s := newSource("k", "v")
		c := open(t, s, joined(tier))
		var all sync.WaitGroup
		for i := range 10 { // the first one asks the tier, the others wait for him
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Millisecond)
				defer cancel()
				start := time.Now()
				v, err := c.Get(ctx, "k")
				if took := time.Since(start); took > time.Duration(i+1)*time.Millisecond {
					t.Errorf("caller %d waited %v", i, took)
				}
				if i > 0 && (v != "v" || err != nil) {
					t.Errorf("caller %d got %q, %v: the first one's end should not be his", i, v, err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		it, err := tier.Get(t.Context(), []string{"test:k"}, cache.Want{})
		if err != nil || !it[0].Found {
			t.Errorf("the shared tier holds %+v, %v: the load had no lease", it, err)
		}
	})
}

func TestLeaseOfADeadProcessDelaysOthersUntilItEndsAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		// A process took the lease and was killed.
		if _, err := tier.Get(t.Context(), []string{"test:k"}, cache.Want{Lease: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		s := newSource("k", "v")
		c := open(t, s, joined(tier))
		start := time.Now()
		wantGet(t, c, "k", "v")
		if took := time.Since(start); took < 2*time.Second || took > 3100*time.Millisecond {
			t.Errorf("waited %v for a lease of 3s", took)
		}
		wantLoads(t, s, 1)
	})
}

func TestWaitBoundsThePatienceWithOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		if _, err := tier.Get(t.Context(), []string{"test:k"}, cache.Want{Lease: time.Hour}); err != nil {
			t.Fatal(err)
		}
		s := newSource("k", "v")
		c := open(t, s, joined(tier), func(cfg *config) { cfg.Shared.Wait = 50 * time.Millisecond })
		start := time.Now()
		wantGet(t, c, "k", "v")
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("waited %v, want 50ms", took)
		}
	})
}

func TestFailedLoadGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		s.fail(errors.New("down"))
		if err := getError(open(t, s, joined(tier))); err == nil {
			t.Error("no error")
		}
		synctest.Wait()
		s.fail(nil)
		start := time.Now()
		wantGet(t, open(t, s, joined(tier)), "k", "v")
		if took := time.Since(start); took != 0 {
			t.Errorf("the next process waited %v", took)
		}
	})
}

func TestAbandonedLoadGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		s.delay = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := open(t, s, joined(tier)).Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v", err)
		}
		synctest.Wait()
		s.delay = 0
		start := time.Now()
		wantGet(t, open(t, s, joined(tier)), "k", "v")
		if took := time.Since(start); took != 0 {
			t.Errorf("the next process waited %v", took)
		}
	})
}

func TestPanickingHookOfTheCallerLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		tier.Delay("get", time.Second)
		s := newSource("k", "v")
		broken := true
		c := open(t, s, func(cfg *config) {
			joined(tier)(cfg)
			cfg.Trace = &cache.Trace{TierError: func(string, error) {
				if broken {
					panic("a hook of the program")
				}
			}}
		})
		tier.Fail("get", 1, errors.New("down"))
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach its caller")
				}
			}()
			_, _ = c.Get(t.Context(), "k")
		})
		synctest.Wait()
		all.Go(func() {
			if err := getError(c); !errors.Is(err, cache.ErrLoadAborted) {
				t.Errorf("the other caller got %v", err)
			}
		})
		all.Wait()
		broken = false
		wantGet(t, c, "k", "v")
	})
}

func TestSharedStaleValueIsServedWhileOneProcessRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v1")
		set := func(cfg *config) {
			cfg.TTL, cfg.StaleWhileRevalidate = time.Minute, time.Minute
			joined(tier)(cfg)
		}
		wantGet(t, open(t, s, set), "k", "v1")
		synctest.Wait()
		time.Sleep(61 * time.Second)
		s.set("k", "v2")
		s.delay = time.Second
		var nodes []*lookAside
		for range 5 { // new processes, with empty local tiers
			c := open(t, s, set)
			nodes = append(nodes, c)
			if info := wantLookup(t, c, "k", "v1", cache.Stale, cache.FromShared); info.Age != 61*time.Second {
				t.Errorf("age %v", info.Age)
			}
		}
		time.Sleep(3 * time.Second)
		for _, c := range nodes {
			v, _, err := c.Lookup(t.Context(), "k") // may be stale once more, and asks the tier again
			if err != nil || v != "v1" && v != "v2" {
				t.Errorf("Lookup = %q, %v", v, err)
			}
			synctest.Wait()
			wantGet(t, c, "k", "v2")
		}
		wantLoads(t, s, 2)
	})
}

func TestSharedStaleValueIsServedWhenTheSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		set := func(cfg *config) { cfg.TTL, cfg.StaleIfError = time.Minute, time.Hour; joined(tier)(cfg) }
		wantGet(t, open(t, s, set), "k", "v")
		synctest.Wait()
		s.fail(errors.New("down"))
		time.Sleep(30 * time.Minute)
		wantLookup(t, open(t, s, set), "k", "v", cache.Stale, cache.FromShared)
		time.Sleep(32 * time.Minute)
		if err := getError(open(t, s, set)); err == nil {
			t.Error("served beyond the window")
		}
	})
}

func TestEarlyRefreshReachesTheSharedTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		s.delay = 100 * time.Millisecond
		c := open(t, s, joined(tier), func(cfg *config) { cfg.TTL, cfg.EarlyRefresh = 10*time.Second, 4 })
		wantGet(t, c, "k", "v")
		for range 95 * 100 {
			start := time.Now()
			wantGet(t, c, "k", "v")
			if time.Since(start) > 0 {
				t.Fatal("a request had to wait for a load")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.loads.Load(); n < 9 || n > 20 {
			t.Errorf("%d loads in 95s, want about one in ten seconds", n)
		}
		late := open(t, s, joined(tier))
		if info := wantLookup(t, late, "k", "v", cache.Miss, cache.FromShared); info.Age >= 10*time.Second {
			t.Errorf("the shared tier holds a value of %v", info.Age)
		}
	})
}

func TestLocalTTLBoundsHowLongANodeMissesAnInvalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "old")
		set := func(local time.Duration) func(*config) {
			return func(cfg *config) { cfg.TTL = time.Hour; joined(tier)(cfg); cfg.Shared.LocalTTL = local }
		}
		writer, second, never := open(t, s, set(0)), open(t, s, set(time.Second)), open(t, s, set(-1))
		for _, c := range []*lookAside{writer, second, never} {
			wantGet(t, c, "k", "old")
			synctest.Wait()
		}
		s.set("k", "new")
		if err := writer.Invalidate(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, never, "k", "new")
		wantGet(t, second, "k", "old")
		time.Sleep(time.Second)
		wantGet(t, second, "k", "new")
		wantLoads(t, s, 2)
	})
}

func TestStaleIfErrorServesAValueWithinItsTTLWhenTierAndSourceAreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		c := open(t, s, func(cfg *config) { cfg.TTL = time.Hour; joined(tier)(cfg); cfg.Shared.LocalTTL = time.Second })
		lenient := open(t, s, func(cfg *config) {
			cfg.TTL, cfg.StaleIfError = time.Hour, time.Minute
			joined(tier)(cfg)
			cfg.Shared.LocalTTL = time.Second
		})
		wantGet(t, c, "k", "v")
		synctest.Wait()
		wantGet(t, lenient, "k", "v")
		tier.Fail("", -1, errors.New("down"))
		s.fail(errors.New("down"))
		time.Sleep(time.Minute)
		wantGet(t, lenient, "k", "v")
		if err := getError(c); err == nil {
			t.Error("without StaleIfError a value was served that another node may have invalidated")
		}
	})
}

func TestInvalidateReportsThatTheSharedTierFailedAndIsLocalAllTheSame(t *testing.T) {
	down := errors.New("no route to host")
	tier := cachetest.NewMemory()
	s := newSource("k", "old")
	s.tags = []string{"t"}
	c := open(t, s, joined(tier))
	wantGet(t, c, "k", "old")
	tier.Fail("", -1, down)
	s.set("k", "new")
	if err := c.Invalidate(t.Context(), "k"); !errors.Is(err, down) {
		t.Errorf("Invalidate = %v", err)
	}
	wantGet(t, c, "k", "new")
	s.set("k", "newer")
	if err := c.InvalidateTag(t.Context(), "t"); !errors.Is(err, down) {
		t.Errorf("InvalidateTag = %v", err)
	}
	wantGet(t, c, "k", "newer")
	s.set("k", "newest")
	if err := c.Purge(t.Context()); !errors.Is(err, down) {
		t.Errorf("Purge = %v", err)
	}
	wantGet(t, c, "k", "newest")
}

func TestSettleKeepsWhatALaggingReplicaSaysOutOfEveryTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "old")
		set := func(cfg *config) { cfg.TTL, cfg.Settle = time.Hour, 2*time.Second; joined(tier)(cfg) }
		c := open(t, s, set)
		wantGet(t, c, "k", "old")
		// The master has committed; the replica that Load reads has not heard.
		if err := c.Invalidate(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, c, "k", "old")
		wantGet(t, open(t, s, set), "k", "old")
		s.set("k", "new") // now it has
		wantGet(t, c, "k", "new")
		wantGet(t, open(t, s, set), "k", "new")
		time.Sleep(3 * time.Second)
		wantGet(t, c, "k", "new")
		synctest.Wait()
		n := s.loads.Load()
		wantGet(t, c, "k", "new")
		wantGet(t, open(t, s, set), "k", "new")
		wantLoads(t, s, n) // and is cached again
	})
}

func TestTagsOfTwoNamespacesDoNotMeet(t *testing.T) {
	tier := cachetest.NewMemory()
	s := newSource("k", "v")
	s.tags = []string{"t"}
	a := open(t, s, joined(tier), func(cfg *config) { cfg.Shared.Namespace = "a"; cfg.Shared.LocalTTL = -1 })
	b := open(t, s, joined(tier), func(cfg *config) { cfg.Shared.Namespace = "b" })
	for range 3 { // until it is known that there are tags
		wantGet(t, a, "k", "v")
		eventually(t, func() bool { return tier.Calls("fill") > 0 })
	}
	n := s.loads.Load()
	if err := b.InvalidateTag(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	wantGet(t, a, "k", "v")
	wantLoads(t, s, n)
}

func TestTagInvalidationReachesOtherNodesThroughTheSharedTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("a", "1", "b", "1", "c", "1")
		s.tags = []string{"section"}
		asking := func(cfg *config) { joined(tier)(cfg); cfg.Shared.LocalTTL = -1 }
		one, two := open(t, s, asking), open(t, s, asking)
		get := func(want string) {
			t.Helper()
			for _, k := range []string{"a", "b", "c"} {
				for _, c := range []*lookAside{one, two} {
					wantGet(t, c, k, want)
					synctest.Wait()
				}
			}
		}
		get("1")
		get("1")
		n := s.loads.Load()
		get("1")
		wantLoads(t, s, n)
		for i := range 5 {
			v := fmt.Sprint("v", i)
			for _, k := range []string{"a", "b", "c"} {
				s.set(k, v)
			}
			if err := one.InvalidateTag(t.Context(), "section"); err != nil {
				t.Fatal(err)
			}
			get(v)
		}
	})
}

func TestKeysOfOtherTypesNeedAFunction(t *testing.T) {
	type id struct{ a, b int }
	load := func(context.Context, id) (cache.Loaded[int], error) { return cache.Loaded[int]{Value: 7}, nil }
	cfg := cache.Config[id, int]{Load: load, Shared: &cache.Shared[id, int]{Tier: cachetest.NewMemory()}}
	if _, err := cache.New(cfg); err == nil {
		t.Error("New took a struct key without Shared.Key")
	}
	cfg.Shared.Key = func(k id) string { return fmt.Sprint(k.a, "/", k.b) }
	c, err := cache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(t.Context(), id{1, 2}); v != 7 || err != nil {
		t.Errorf("Get = %v, %v", v, err)
	}
}

func TestRawCodecSharesBytesAsTheyAre(t *testing.T) {
	tier := cachetest.NewMemory()
	load := func(context.Context, string) (cache.Loaded[[]byte], error) {
		return cache.Loaded[[]byte]{Value: []byte{0, 255, '\n'}}, nil
	}
	for range 2 {
		c, err := cache.New(cache.Config[string, []byte]{Load: load,
			Shared: &cache.Shared[string, []byte]{Tier: tier, Codec: cache.Raw[[]byte]()}})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.Get(t.Context(), "k"); string(v) != "\x00\xff\n" || err != nil {
			t.Errorf("Get = %q, %v", v, err)
		}
		eventually(t, func() bool { return tier.Calls("fill") > 0 })
	}
	it, err := tier.Get(t.Context(), []string{":k"}, cache.Want{})
	if err != nil || string(it[0].Entry.Value) != "\x00\xff\n" {
		t.Errorf("the tier holds %q, %v", it[0].Entry.Value, err)
	}
}
