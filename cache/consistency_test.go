package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

// Each test is one line of the package's guarantees.

func TestConcurrentMissesForOneKeyInOneProcessCallLoadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = time.Second
		c := open(t, s)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // all within the load
				wantGet(t, c, "k", "v")
			})
		}
		all.Wait()
		wantLoads(t, s, 1)
	})
}

func TestConcurrentMissesInAllProcessesCallLoadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = time.Second
		tier := cachetest.NewMemory()
		var all sync.WaitGroup
		for range 4 {
			c := open(t, s, joined(tier))
			for range 1000 {
				all.Go(func() { wantGet(t, c, "k", "v") })
			}
		}
		all.Wait()
		wantLoads(t, s, 1)
	})
}

func TestCallerLeavesAtItsOwnDeadlineAndDisturbsNoOther(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource("k", "v")
				s.delay = time.Second
				c := open(t, s, func(cfg *config) {
					if shared {
						joined(cachetest.NewMemory())(cfg)
					}
				})
				var all sync.WaitGroup
				for i := range 100 {
					all.Go(func() {
						hasty := i%2 == 0 // the first caller among them
						ctx, cancel := context.WithCancel(t.Context())
						if hasty {
							ctx, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
						}
						defer cancel()
						start := time.Now()
						v, err := c.Get(ctx, "k")
						took := time.Since(start)
						switch {
						case hasty && (took != 10*time.Millisecond || !errors.Is(err, context.DeadlineExceeded)):
							t.Errorf("hasty caller left after %v with %v", took, err)
						case !hasty && (v != "v" || err != nil):
							t.Errorf("patient caller got %q, %v", v, err)
						}
					})
					synctest.Wait()
				}
				all.Wait()
				wantLoads(t, s, 1)
			})
		})
	}
}

func TestGetAfterInvalidateNeverSeesWhatWasLoadedBefore(t *testing.T) {
	for name, invalidate := range map[string]func(*lookAside) error{
		"Invalidate":    func(c *lookAside) error { return c.Invalidate(context.Background(), "k") },
		"InvalidateTag": func(c *lookAside) error { return c.InvalidateTag(context.Background(), "t") },
		"Purge":         func(c *lookAside) error { return c.Purge(context.Background()) },
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s shared=%v", name, shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSource("k", "old")
					s.tags = []string{"t", "u"}
					tier := cachetest.NewMemory()
					use := func(cfg *config) {
						if shared {
							joined(tier)(cfg)
						}
					}
					c, other := open(t, s, use), open(t, s, use)

					// At rest.
					wantGet(t, c, "k", "old")
					wantGet(t, other, "k", "old")
					s.set("k", "new")
					if err := invalidate(c); err != nil {
						t.Fatal(err)
					}
					wantGet(t, c, "k", "new")

					// With a load in flight, that has read the old value.
					if err := c.Invalidate(t.Context(), "k"); err != nil {
						t.Fatal(err)
					}
					s.delay = time.Second
					var all sync.WaitGroup
					all.Go(func() { wantGet(t, c, "k", "new") }) // it began before: the old one is right for it
					synctest.Wait()
					s.set("k", "newest")
					if err := invalidate(c); err != nil {
						t.Fatal(err)
					}
					all.Go(func() { wantGet(t, c, "k", "newest") })
					all.Wait()
					wantGet(t, c, "k", "newest")
					if shared { // and nobody has put the old one into the shared tier
						wantGet(t, open(t, s, use), "k", "newest")
					}
				})
			})
		}
	}
}

func TestLoadInFlightWhenItsKeyIsInvalidatedIsNeverStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "old")
		s.delay = time.Second
		tier := cachetest.NewMemory()
		c := open(t, s, joined(tier))
		var all sync.WaitGroup
		all.Go(func() { wantGet(t, c, "k", "old") })
		synctest.Wait()
		s.set("k", "new")
		if err := c.Invalidate(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		synctest.Wait()
		if st := c.Stats(); st.Entries != 0 || st.Overtaken != 1 {
			t.Errorf("entries %d, overtaken %d, want 0 and 1", st.Entries, st.Overtaken)
		}
		items, err := tier.Get(t.Context(), []string{"test:k"}, cache.Want{})
		if err != nil || items[0].Found || items[0].Busy {
			t.Errorf("the shared tier holds %+v, %v", items[0], err)
		}
	})
}

func TestValueIsServedAsFreshNoLongerThanItsTTLInBothTiersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "old")
		tier := cachetest.NewMemory()
		set := func(cfg *config) { cfg.TTL = time.Minute; joined(tier)(cfg) }
		wantGet(t, open(t, s, set), "k", "old")
		synctest.Wait()
		s.set("k", "new")
		time.Sleep(59 * time.Second)
		late := open(t, s, set) // fills its local tier with an old copy
		if info := wantLookup(t, late, "k", "old", cache.Miss, cache.FromShared); info.Age != 59*time.Second {
			t.Errorf("age %v, want 59s", info.Age)
		}
		time.Sleep(999 * time.Millisecond)
		wantGet(t, late, "k", "old")
		time.Sleep(time.Millisecond)
		wantGet(t, late, "k", "new")
	})
}

func TestValueIsServedAsFreshNoLongerThanItsTTLWhenReadAllTheTime(t *testing.T) {
	// Reading all the time keeps the coarse clock running.
	for _, ttl := range []time.Duration{time.Millisecond, 99 * time.Millisecond, time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource("k", "v")
			c := open(t, s, func(cfg *config) { cfg.TTL = ttl })
			start := time.Now()
			for time.Since(start) < ttl {
				wantGet(t, c, "k", "v")
				time.Sleep(max(ttl/1000, time.Microsecond))
			}
			wantLoads(t, s, 1)
			wantGet(t, c, "k", "v")
			wantLoads(t, s, 2)
		})
	}
}

func TestValueIsServedAsStaleNoLongerThanTheWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		c := open(t, s, func(cfg *config) {
			cfg.TTL, cfg.StaleWhileRevalidate, cfg.StaleIfError = time.Minute, 10*time.Second, time.Hour
		})
		wantGet(t, c, "k", "v")
		s.fail(errors.New("the source is down"))
		start := time.Now()
		for {
			age := time.Since(start)
			v, err := c.Get(t.Context(), "k")
			if within := age < time.Minute+time.Hour; within != (v == "v" && err == nil) {
				t.Fatalf("at the age of %v: %q, %v", age, v, err)
			}
			if age > 2*time.Hour {
				break
			}
			time.Sleep(777 * time.Millisecond)
		}
		// The source was left in peace: it had 10 s of rest after each failure.
		if n := s.loads.Load(); n > 3600/10+5000 {
			t.Errorf("the source was asked %d times", n)
		}
	})
}

func TestFailingSourceIsAskedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		c := open(t, s, func(cfg *config) { cfg.TTL, cfg.StaleIfError = time.Second, time.Hour })
		wantGet(t, c, "k", "v")
		s.fail(errors.New("the source is down"))
		for range 600 * 10 { // ten minutes of a request every 100 ms
			time.Sleep(100 * time.Millisecond)
			wantGet(t, c, "k", "v")
		}
		if n := s.loads.Load(); n < 60 || n > 75 {
			t.Errorf("the source was asked %d times in ten minutes, want one in ten seconds at last", n)
		}
		s.fail(nil)
		s.set("k", "back")
		time.Sleep(10 * time.Second)
		wantGet(t, c, "k", "back")
	})
}

func TestStaleWhileRevalidateRefreshesOnceInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v1")
		c := open(t, s, func(cfg *config) { cfg.TTL, cfg.StaleWhileRevalidate = time.Minute, time.Minute })
		wantGet(t, c, "k", "v1")
		s.set("k", "v2")
		s.delay = time.Second
		time.Sleep(61 * time.Second)
		for range 100 {
			wantGet(t, c, "k", "v1") // at once
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantGet(t, c, "k", "v2")
		wantLoads(t, s, 2)
	})
}

func TestEarlyRefreshReplacesAPopularValueBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = 100 * time.Millisecond
		c := open(t, s, func(cfg *config) { cfg.TTL, cfg.EarlyRefresh = 10*time.Second, 1 })
		wantGet(t, c, "k", "v")
		waits := 0
		for range 60 * 1000 { // a minute of a request every millisecond
			start := time.Now()
			wantGet(t, c, "k", "v")
			if time.Since(start) > 0 {
				waits++
			}
			time.Sleep(time.Millisecond)
		}
		if waits > 0 {
			t.Errorf("%d requests had to wait for a load", waits)
		}
		if n := s.loads.Load(); n < 6 || n > 9 {
			t.Errorf("%d loads in a minute, want about one in ten seconds", n)
		}
	})
}

func TestNewestVersionWinsInEveryTierWhateverTheOrderOfArrival(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			tier := cachetest.NewMemory()
			s := newSource("k", "loaded")
			var nodes []*lookAside
			for range 3 {
				nodes = append(nodes, open(t, s, joined(tier)))
			}
			var all sync.WaitGroup
			for _, version := range rng.Perm(20) {
				node, pause := nodes[rng.IntN(3)], time.Duration(rng.IntN(3))*time.Millisecond
				all.Go(func() {
					time.Sleep(pause)
					v := fmt.Sprint(version + 1)
					if _, err := node.Put(context.Background(), "k", cache.Loaded[string]{Value: v, Version: uint64(version + 1)}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			wantGet(t, open(t, s, joined(tier)), "k", "20")
			for i, node := range nodes {
				if v, _, _ := node.Lookup(t.Context(), "k"); v == "loaded" || v == "" {
					t.Errorf("seed %d: node %d has %q", seed, i, v)
				}
			}
		})
	}
}

func TestOlderVersionIsRefusedEvenAfterTheNewerOneWasEvicted(t *testing.T) {
	s := newSource("k", "from the source")
	c := open(t, s, func(cfg *config) { cfg.MaxEntries = 1 })
	put := func(key, v string, version uint64, want bool) {
		t.Helper()
		if stored, err := c.Put(t.Context(), key, cache.Loaded[string]{Value: v, Version: version}); stored != want || err != nil {
			t.Errorf("Put(%q, version %d) = %v, %v, want %v", v, version, stored, err, want)
		}
	}
	put("k", "two", 2, true)
	put("k", "two again", 2, false)
	put("k", "one", 1, false)
	for i := range 100 { // pushes k out
		put(fmt.Sprint("other", i), "x", 1, true)
	}
	eventually(t, func() bool { return c.Stats().Entries <= 1 })
	put("k", "one", 1, false)
	put("k", "three", 3, true)
}

func TestLoadOfAnOlderVersionIsReturnedAndNotStored(t *testing.T) {
	replica := uint64(1)
	c, err := cache.New(cache.Config[string, uint64]{Load: func(context.Context, string) (cache.Loaded[uint64], error) {
		return cache.Loaded[uint64]{Value: replica, Version: replica}, nil // it lags
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := cache.NewWriteThru(c, func(_ context.Context, _ string, v uint64) (cache.Loaded[uint64], error) {
		return cache.Loaded[uint64]{Value: v, Version: v, TTL: -1}, nil // and do not keep it
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), "k", cache.Loaded[uint64]{Value: 5, Version: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(t.Context(), "k", 6); err != nil { // forgets the 5
		t.Fatal(err)
	}
	for range 2 {
		if v, info, err := c.Lookup(t.Context(), "k"); v != 1 || info.Status != cache.Miss || err != nil {
			t.Errorf("Lookup = %v, %v, %v, want 1 by a load each time", v, info.Status, err)
		}
	}
}

func TestAbsenceIsRememberedForNegativeTTLAtMost(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				set := func(cfg *config) {
					cfg.NegativeTTL, cfg.StaleIfError, cfg.StaleWhileRevalidate = time.Minute, time.Hour, time.Hour
					if shared {
						joined(cachetest.NewMemory())(cfg)
					}
				}
				c := open(t, s, set)
				for range 60 {
					if _, err := c.Get(t.Context(), "k"); !errors.Is(err, cache.ErrNotFound) {
						t.Errorf("Get = %v, want ErrNotFound", err)
					}
					time.Sleep(time.Second)
				}
				wantLoads(t, s, 1)
				s.set("k", "created by somebody who did not tell")
				wantGet(t, c, "k", "created by somebody who did not tell")
			})
		})
	}
}

func TestCreationIsVisibleOnceTheKeyIsInvalidated(t *testing.T) {
	s := newSource()
	c := open(t, s, joined(cachetest.NewMemory()))
	if _, err := c.Get(t.Context(), "k"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	s.set("k", "v")
	if err := c.Invalidate(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	wantGet(t, c, "k", "v")
}

func TestPanicOrGoexitInLoadBecomesAnErrorOfEveryWaiterAlsoWithASharedTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "v")
		var die atomic.Value
		die.Store(func() { panic("boom") })
		c := open(t, s, joined(tier), func(cfg *config) {
			cfg.Load = func(ctx context.Context, k string) (cache.Loaded[string], error) {
				die.Load().(func())()
				return s.load(ctx, k)
			}
		})
		if _, ok := errors.AsType[*cache.PanicError](getError(c)); !ok {
			t.Error("no PanicError")
		}
		die.Store(runtime.Goexit)
		if err := getError(c); !errors.Is(err, cache.ErrLoadAborted) {
			t.Errorf("Get = %v", err)
		}
		// The lease was given back each time: nobody waits for its end.
		die.Store(func() {})
		start := time.Now()
		wantGet(t, c, "k", "v")
		if took := time.Since(start); took > 0 {
			t.Errorf("the next load waited %v", took)
		}
	})
}

func getError(c *lookAside) error {
	_, err := c.Get(context.Background(), "k")
	return err
}

// joined lets a cache share tier.
func joined(tier cache.Tier) func(*config) {
	return func(cfg *config) {
		cfg.Shared = &cache.Shared[string, string]{Tier: tier, Namespace: "test"}
	}
}

// What follows are the narrow places between two steps of one operation.

func TestCallerAfterTheLastOneLeftGetsALoadOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v")
		s.delay = time.Millisecond
		c := open(t, s)
		for range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
			if _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Get = %v", err)
			}
			wantGet(t, c, "k", "v") // while the abandoned load is being cancelled
			if err := c.Invalidate(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
	})
}

func TestOvertakenLoadDoesNotEndTheOneThatFollowedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("k", "v1")
		s.delay = time.Second
		c := open(t, s)
		var all sync.WaitGroup
		for i, v := range []string{"v1", "v2", "v2"} {
			if i == 1 {
				s.set("k", v)
				if err := c.Invalidate(t.Context(), "k"); err != nil {
					t.Fatal(err)
				}
			}
			all.Go(func() { wantGet(t, c, "k", v) })
			// The second load begins during the first; the third caller comes
			// when the first has ended.
			time.Sleep(600 * time.Millisecond)
		}
		all.Wait()
		wantLoads(t, s, 2)
	})
}

func TestWhatIsFetchedWhileTheSharedTierIsBeingToldIsVoidToo(t *testing.T) {
	for name, invalidate := range map[string]func(*lookAside) error{
		"invalidate":     func(c *lookAside) error { return c.Invalidate(context.Background(), "k") },
		"invalidatetags": func(c *lookAside) error { return c.InvalidateTag(context.Background(), "t") },
		"purge":          func(c *lookAside) error { return c.Purge(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := cachetest.NewMemory()
				s := newSource("k", "old")
				s.tags = []string{"t"}
				c := open(t, s, joined(tier))
				wantGet(t, c, "k", "old")
				synctest.Wait()
				s.set("k", "new")
				tier.Delay(name, time.Second)
				var all sync.WaitGroup
				all.Go(func() {
					if err := invalidate(c); err != nil {
						t.Error(err)
					}
					wantGet(t, c, "k", "new")
				})
				synctest.Wait()
				wantGet(t, c, "k", "old") // from the shared tier, which has not heard yet
				all.Wait()
				wantGet(t, c, "k", "new")
			})
		})
	}
}

func TestFailedLoadOfAnInvalidatedKeyDoesNotBringBackItsStaleValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		s := newSource("k", "old")
		set := func(cfg *config) { cfg.TTL, cfg.StaleIfError = time.Second, time.Hour; joined(tier)(cfg) }
		wantGet(t, open(t, s, set), "k", "old")
		synctest.Wait()
		time.Sleep(2 * time.Second)
		s.fail(errors.New("down"))
		s.delay = time.Second
		c := open(t, s, set)
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Get(t.Context(), "k") }) // finds the old value in the shared tier
		synctest.Wait()
		if err := c.Invalidate(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		if v, err := c.Get(t.Context(), "k"); err == nil {
			t.Errorf("Get = %q after the invalidation", v)
		}
	})
}

func TestRefreshFromALaggingReplicaDoesNotReplaceANewerValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := uint64(2)
		c, err := cache.New(cache.Config[string, uint64]{TTL: time.Minute, StaleWhileRevalidate: time.Hour, Jitter: -1,
			Load: func(context.Context, string) (cache.Loaded[uint64], error) {
				return cache.Loaded[uint64]{Value: version, Version: version}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []uint64{2, 2, 2, 2, 3} {
			if v, err := c.Get(t.Context(), "k"); v != want || err != nil {
				t.Errorf("Get %d = %d, %v, want %d", i, v, err, want)
			}
			synctest.Wait() // the refresh has come back
			version = 1
			if i >= 2 {
				version = 3
			}
			time.Sleep(10 * time.Minute)
		}
	})
}
