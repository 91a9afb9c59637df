package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

// Fibonacci of 30 remembered against naive: three orders of magnitude.
func TestBook_7_2_ComputationalReuse(t *testing.T) {
	naive, remembered := 0, 0
	var slow func(int) int
	slow = func(n int) int {
		naive++
		if n < 2 {
			return n
		}
		return slow(n-1) + slow(n-2)
	}
	var fast func(int) int
	fast = cache.Memo(100, func(n int) int {
		remembered++
		if n < 2 {
			return n
		}
		return fast(n-1) + fast(n-2)
	})
	if a, b := slow(30), fast(30); a != 832040 || b != a {
		t.Errorf("fib(30) = %d and %d", a, b)
	}
	if remembered != 31 || naive < 1000*remembered {
		t.Errorf("%d calls naively, %d remembered", naive, remembered)
	}
}

// A time-out is wrong by a margin; where the publisher is ours, invalidation is right.
func TestBook_7_3_InvalidationIsRightWhereATimeoutIsWrongByAMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource("article", "v0")
		timeout := open(t, s, func(cfg *config) { cfg.TTL = time.Minute })
		told := open(t, s, func(cfg *config) { cfg.TTL = time.Hour })
		wrong := 0
		for edit := range 100 {
			want := fmt.Sprint("v", edit)
			s.set("article", want)
			if err := told.Invalidate(t.Context(), "article"); err != nil {
				t.Fatal(err)
			}
			wantGet(t, told, "article", want)
			if v, _ := timeout.Get(t.Context(), "article"); v != want {
				wrong++
			}
			time.Sleep(10 * time.Second)
		}
		if wrong < 50 {
			t.Errorf("the time-out was wrong only %d times of 100", wrong)
		}
	})
}

// Who is told by the database is right without knowing who reads.
func TestBook_7_4_TheDatabaseKnowsWhatChanged(t *testing.T) {
	tier := cachetest.NewMemory()
	rows := newSource("row", "1")
	reader := open(t, rows, joined(tier), func(cfg *config) { cfg.Shared.LocalTTL = -1 })
	feed := open(t, rows, joined(tier)) // the process that follows the database's log
	for i := range 10 {
		v := fmt.Sprint(i)
		rows.set("row", v)
		if err := feed.Invalidate(t.Context(), "row"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, reader, "row", v)
	}
}

// Write-thru: what was just written is read next, and nothing is lost.
func TestBook_7_5_WriteThruReadsWhatWasJustWrittenAndLosesNothing(t *testing.T) {
	tb := &table{}
	c, w := openWriteThru(t, tb)
	for i := range 100 {
		v := fmt.Sprint("v", i)
		wantWrite(t, w, v)
		if tb.value != v {
			t.Fatalf("the source has %q after Write(%q) returned", tb.value, v)
		}
		wantGet(t, c, "k", v)
	}
	if n := tb.loads.Load(); n != 0 {
		t.Errorf("%d loads, want none", n)
	}
}

// Stock quotes: stale but available when the feed is gone.
func TestBook_7_6_QuotesStayAvailableWhenTheFeedIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := newSource("ACME", "12.50")
		c := open(t, feed, func(cfg *config) { cfg.TTL, cfg.StaleIfError = time.Second, 24*time.Hour })
		wantGet(t, c, "ACME", "12.50")
		feed.fail(errors.New("the line is cut"))
		for range 60 {
			time.Sleep(time.Minute)
			v, info, err := c.Lookup(t.Context(), "ACME")
			if v != "12.50" || err != nil || info.Status != cache.Stale || info.Age < time.Minute {
				t.Fatalf("Lookup = %q, %+v, %v", v, info, err)
			}
		}
	})
}

// Five-page visits: look-aside answers 80 % of the questions for what is each
// visitor's own, near 100 % for what all share.
func TestBook_7_9_LookAsideByKindOfData(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	zipf := rand.NewZipf(rng, 1.1, 1, 149)
	constant := func(context.Context, int) (cache.Loaded[int], error) { return cache.Loaded[int]{}, nil }
	articles, err := cache.New(cache.Config[int, int]{Load: constant, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	navigation, err := cache.New(cache.Config[int, int]{Load: constant, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const visits = 5_000
	for visitor := range visits {
		for range 5 {
			if _, err := articles.Get(t.Context(), int(zipf.Uint64())); err != nil {
				t.Fatal(err)
			}
			if _, err := navigation.Get(t.Context(), visitor); err != nil {
				t.Fatal(err)
			}
		}
	}
	ratio := func(s cache.Stats) float64 { return float64(s.Hits) / float64(s.Hits+s.Misses) }
	if r := ratio(articles.Stats()); r < 0.99 {
		t.Errorf("articles: %.3f of the questions answered, want above 0.99", r)
	}
	if r := ratio(navigation.Stats()); r < 0.799 || r > 0.801 {
		t.Errorf("navigation: %.3f of the questions answered, want 0.8", r)
	}
}

// When in doubt, purge.
func TestBook_7_10_ANodeInDoubtPurges(t *testing.T) {
	s := newSource("a", "1", "b", "1")
	c := open(t, s)
	wantGet(t, c, "a", "1")
	wantGet(t, c, "b", "1")
	s.set("a", "2") // while this node heard nothing
	s.set("b", "2")
	if err := c.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantGet(t, c, "a", "2")
	wantGet(t, c, "b", "2")
}

// A cache must be removable without changing what the site does.
func TestBook_3_3_TheCacheIsNotNeededForOperation(t *testing.T) {
	s := newSource("a", "1", "b", "2")
	tier := cachetest.NewMemory()
	bypassed := open(t, s, joined(tier), func(cfg *config) { cfg.Bypass = func() bool { return true } })
	answers := make(map[string]string)
	for _, k := range []string{"a", "b", "none"} {
		v, err := bypassed.Get(t.Context(), k)
		answers[k] = fmt.Sprint(v, errors.Is(err, cache.ErrNotFound))
	}
	if n := tier.Calls(""); n != 0 {
		t.Errorf("the bypassed cache called the shared tier %d times", n)
	}
	c := open(t, s, joined(tier))
	for _, k := range []string{"a", "b", "none", "a", "b", "none"} {
		v, err := c.Get(t.Context(), k)
		if got := fmt.Sprint(v, errors.Is(err, cache.ErrNotFound)); got != answers[k] {
			t.Errorf("%q: %s with the cache, %s without", k, got, answers[k])
		}
	}
}
