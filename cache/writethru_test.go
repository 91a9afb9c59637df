package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

// table is a source with versions, as a database table with an update counter.
type table struct {
	mu       sync.Mutex
	value    string
	version  uint64
	loads    atomic.Int64
	before   func() // called before the commit
	after    func() // called between the commit and the answer
	failWith error
	unversed bool // answer without versions
}

func (tb *table) load(context.Context, string) (cache.Loaded[string], error) {
	tb.loads.Add(1)
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.row(), nil
}

// row answers the state; the caller holds mu.
func (tb *table) row() cache.Loaded[string] {
	l := cache.Loaded[string]{Value: tb.value, Version: tb.version}
	if tb.unversed {
		l.Version = 0
	}
	return l
}

func (tb *table) write(_ context.Context, _ string, v string) (cache.Loaded[string], error) {
	call(tb.before)
	tb.mu.Lock()
	if err := tb.failWith; err != nil {
		tb.mu.Unlock()
		return cache.Loaded[string]{}, err
	}
	tb.value = v
	tb.version++
	l := tb.row()
	tb.mu.Unlock()
	call(tb.after)
	return l, nil
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func openWriteThru(t *testing.T, tb *table, change ...func(*config)) (*lookAside, *cache.WriteThru[string, string]) {
	t.Helper()
	cfg := config{Load: tb.load, Jitter: -1, TTL: time.Hour}
	for _, f := range change {
		f(&cfg)
	}
	c, err := cache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w, err := cache.NewWriteThru(c, tb.write)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func wantWrite(t *testing.T, w *cache.WriteThru[string, string], v string) {
	t.Helper()
	if l, err := w.Write(context.Background(), "k", v); l.Value != v || err != nil {
		t.Errorf("Write(%q) = %+v, %v", v, l, err)
	}
}

func TestWhatWasJustWrittenIsReadWithoutALoad(t *testing.T) {
	tier := cachetest.NewMemory()
	tb := &table{value: "old"}
	c, w := openWriteThru(t, tb, joined(tier))
	wantGet(t, c, "k", "old")
	wantWrite(t, w, "new")
	wantGet(t, c, "k", "new")
	other, _ := openWriteThru(t, tb, joined(tier))
	wantGet(t, other, "k", "new")
	if n := tb.loads.Load(); n != 1 {
		t.Errorf("%d loads, want the first one only", n)
	}
}

func TestNoTierEverHoldsAValueThatTheSourceRefused(t *testing.T) {
	refused := errors.New("constraint violated")
	tier := cachetest.NewMemory()
	tb := &table{value: "old", failWith: refused}
	c, w := openWriteThru(t, tb, joined(tier))
	if _, err := w.Write(t.Context(), "k", "new"); !errors.Is(err, refused) {
		t.Errorf("Write = %v", err)
	}
	wantGet(t, c, "k", "old")
	other, _ := openWriteThru(t, tb, joined(tier))
	wantGet(t, other, "k", "old")
}

func TestNoLoadIsStoredWhileAWriteOfItsKeyIsInProgress(t *testing.T) {
	for _, unversed := range []bool{false, true} {
		t.Run(fmt.Sprintf("without versions=%v", unversed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := cachetest.NewMemory()
				tb := &table{value: "old", unversed: unversed, before: func() { time.Sleep(time.Second) }}
				c, w := openWriteThru(t, tb, joined(tier))
				other, _ := openWriteThru(t, tb, joined(tier), func(cfg *config) { cfg.Shared.LocalTTL = -1 })
				var all sync.WaitGroup
				all.Go(func() { wantWrite(t, w, "new") })
				synctest.Wait()
				wantGet(t, c, "k", "old")
				wantGet(t, c, "k", "old")
				wantGet(t, other, "k", "old")
				if n := tb.loads.Load(); n != 3 {
					t.Errorf("%d loads, want 3: none is stored", n)
				}
				all.Wait()
				wantGet(t, c, "k", "new")
				wantGet(t, other, "k", "new")
				if n := tb.loads.Load(); n != 3 {
					t.Errorf("%d loads, want none after the write", n)
				}
			})
		})
	}
}

func TestCrashBetweenCommitAndUpdateLeavesNothingOlderInTheSharedTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		tb := &table{value: "old"}
		c, w := openWriteThru(t, tb, joined(tier))
		wantGet(t, c, "k", "old")
		synctest.Wait()

		// The node dies after the commit: its goroutine never comes back.
		tb.after = runtime.Goexit
		var all sync.WaitGroup
		all.Go(func() { _, _ = w.Write(context.Background(), "k", "new") })
		all.Wait()

		for range 30 { // the fence first, then the source's value, and never the old one
			node, _ := openWriteThru(t, tb, joined(tier))
			wantGet(t, node, "k", "new")
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if n := tb.loads.Load(); n < 10 || n > 13 {
			t.Errorf("%d loads, want one a second until the fence ends after 10s", n)
		}
	})
}

func TestCrashBeforeTheCommitLeavesNothingOlderThanTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := cachetest.NewMemory()
		tb := &table{value: "old"}
		_, w := openWriteThru(t, tb, joined(tier))
		// The answer is lost, and the source commits three seconds later.
		tb.before = runtime.Goexit
		var all sync.WaitGroup
		all.Go(func() { _, _ = w.Write(context.Background(), "k", "new") })
		all.Wait()
		node, _ := openWriteThru(t, tb, joined(tier))
		wantGet(t, node, "k", "old")
		time.Sleep(3 * time.Second)
		tb.before = nil
		if _, err := tb.write(context.Background(), "k", "new"); err != nil {
			t.Fatal(err)
		}
		fresh, _ := openWriteThru(t, tb, joined(tier))
		wantGet(t, fresh, "k", "new")
	})
}

func TestWritersThroughSeveralNodesLeaveTheNewestVersion(t *testing.T) {
	for _, unversed := range []bool{false, true} {
		t.Run(fmt.Sprintf("without versions=%v", unversed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tier := cachetest.NewMemory()
				var turn atomic.Int64
				slow := func() { time.Sleep(time.Duration(turn.Add(7)%11) * time.Millisecond) }
				tb := &table{value: "0", unversed: unversed, before: slow, after: slow}
				var nodes []*lookAside
				var all sync.WaitGroup
				for n := range 3 {
					c, w := openWriteThru(t, tb, joined(tier))
					nodes = append(nodes, c)
					for i := range 33 {
						all.Go(func() {
							time.Sleep(time.Duration(i) * time.Millisecond)
							wantWrite(t, w, strconv.Itoa(100*n+i))
							_, _ = c.Get(context.Background(), "k")
						})
					}
				}
				all.Wait()
				synctest.Wait()
				// In the shared tier there is the last value or none; the local
				// tiers of nodes that did not write last end with their TTL.
				fresh, _ := openWriteThru(t, tb, joined(tier))
				wantGet(t, fresh, "k", tb.value)
				time.Sleep(time.Hour)
				for _, c := range nodes {
					wantGet(t, c, "k", tb.value)
				}
			})
		})
	}
}

func TestOverlappingWritesOnOneNodeLeaveTheLastCommitOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := &table{value: "0", unversed: true}
		var turn atomic.Int64
		// What commits first may answer last.
		tb.after = func() { time.Sleep(time.Duration(turn.Add(37)%50) * time.Millisecond) }
		c, w := openWriteThru(t, tb)
		for round := range 50 {
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() { wantWrite(t, w, fmt.Sprint(round, i)) })
			}
			all.Wait()
			wantGet(t, c, "k", tb.value)
		}
	})
}

func TestWriteGoesOnWithoutTheSharedTier(t *testing.T) {
	tier := cachetest.NewMemory()
	tier.Fail("", -1, errors.New("the tier is down"))
	var ops sync.Map
	tb := &table{value: "old"}
	c, w := openWriteThru(t, tb, joined(tier), func(cfg *config) {
		cfg.Trace = &cache.Trace{TierError: func(op string, err error) { ops.Store(op, err) }}
	})
	wantGet(t, c, "k", "old")
	wantWrite(t, w, "new")
	wantGet(t, c, "k", "new")
	for _, op := range []string{"Get", "Fence", "Invalidate"} {
		if _, ok := ops.Load(op); !ok {
			t.Errorf("Trace.TierError did not hear of %s", op)
		}
	}
}

func TestWriteThatRemovesTheKeyLeavesItsAbsence(t *testing.T) {
	tier := cachetest.NewMemory()
	s := newSource("k", "v")
	c := open(t, s, joined(tier))
	w, err := cache.NewWriteThru(c, func(_ context.Context, k, _ string) (l cache.Loaded[string], err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.values, k)
		return l, cache.ErrNotFound
	})
	if err != nil {
		t.Fatal(err)
	}
	wantGet(t, c, "k", "v")
	if _, err := w.Write(t.Context(), "k", ""); err != nil {
		t.Fatal(err)
	}
	for _, node := range []*lookAside{c, open(t, s, joined(tier))} {
		if _, err := node.Get(t.Context(), "k"); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
	}
	wantLoads(t, s, 1)
}

func TestPanicInAWriteIsItsErrorAndTheKeyStaysUsable(t *testing.T) {
	tb := &table{value: "old", before: func() { panic("boom") }}
	c, w := openWriteThru(t, tb)
	if _, err := w.Write(t.Context(), "k", "new"); err == nil {
		t.Error("no error")
	} else if _, ok := errors.AsType[*cache.PanicError](err); !ok {
		t.Errorf("Write = %v", err)
	}
	tb.before = nil
	wantGet(t, c, "k", "old")
	wantGet(t, c, "k", "old")
	if n := tb.loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1: the key is cached again", n)
	}
}

func TestInvalidationDuringAWriteIsNotOvertakenByIt(t *testing.T) {
	for _, how := range []string{"key", "tag"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, tier := range []cache.Tier{nil, cachetest.NewMemory()} {
					s := newSource("k", "old")
					s.tags = []string{"t"}
					c := open(t, s, func(cfg *config) {
						if tier != nil {
							joined(tier)(cfg)
						}
					})
					w, err := cache.NewWriteThru(c, func(_ context.Context, k, v string) (cache.Loaded[string], error) {
						s.set(k, v)
						time.Sleep(time.Second) // the answer takes its time
						return cache.Loaded[string]{Value: v, Version: 2, Tags: s.tags}, nil
					})
					if err != nil {
						t.Fatal(err)
					}
					var all sync.WaitGroup
					all.Go(func() {
						if _, err := w.Write(context.Background(), "k", "mine"); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
					s.set("k", "somebody else's") // after mine
					if how == "key" {
						err = c.Invalidate(t.Context(), "k")
					} else {
						err = c.InvalidateTag(t.Context(), "t")
					}
					if err != nil {
						t.Fatal(err)
					}
					all.Wait()
					wantGet(t, c, "k", "somebody else's")
				}
			})
		})
	}
}
