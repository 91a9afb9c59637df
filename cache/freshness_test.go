package cache

import (
	"testing"
	"testing/quick"
	"time"
)

func TestJudge(t *testing.T) {
	const s = int64(time.Second)
	l := life{loaded: 0, fresh: 100 * s, recheck: 60 * s, cost: s}
	whole := life{loaded: 0, fresh: 100 * s, recheck: 100 * s, cost: s}
	w := windows{revalidate: 10 * s, onError: 50 * s}
	for _, row := range []struct {
		name    string
		w       windows
		l       life
		now     int64
		r       float64
		resting bool
		want    verdict
	}{
		{"fresh", w, l, 59 * s, 1, false, serve},
		{"fresh and resting", w, l, 59 * s, 1, true, serve},
		{"the shared tier is to be asked", w, l, 60 * s, 1, false, loadFirst},
		{"the shared tier failed just now", w, l, 60 * s, 1, true, serve},
		{"the shared tier is to be asked, and nothing else will do", windows{}, l, 60 * s, 1, true, drop},
		{"last moment of freshness", w, whole, 100*s - 1, 1, false, serve},
		{"stale while revalidating", w, whole, 100 * s, 1, false, serveRefresh},
		{"revalidation failed just now", w, whole, 105 * s, 1, true, serve},
		{"stale if error", w, whole, 110 * s, 1, false, loadFirst},
		{"stale if error, and it failed just now", w, whole, 110 * s, 1, true, serve},
		{"too old", w, whole, 150 * s, 1, false, drop},
		{"too old and resting", w, whole, 150 * s, 1, true, drop},
		{"no windows", windows{}, whole, 100 * s, 1, false, drop},
		{"early, drawn", windows{early: 1}, whole, 99 * s, 0.3, false, serveRefresh}, // -ln 0.3 = 1.2
		{"early, not drawn", windows{early: 1}, whole, 99 * s, 0.4, false, serve},    // -ln 0.4 = 0.9
		{"early, drawn and resting", windows{early: 1}, whole, 99 * s, 0.3, true, serve},
		{"early, far from the end", windows{early: 1}, whole, 10 * s, 1e-9, false, serve},
		{"early, more eager", windows{early: 100}, whole, 10 * s, 0.4, false, serveRefresh},
	} {
		if got := row.w.judge(row.l, row.now, row.r, row.resting); got != row.want {
			t.Errorf("%s: verdict %d, want %d", row.name, got, row.want)
		}
	}
}

// What the fast path of Get takes for certain, judge must say whatever it draws.
func TestCertainMeansServeWhateverIsDrawn(t *testing.T) {
	const smallest = 1.0 / (1 << 53) // of 1-rand.Float64()
	f := func(fresh, recheck, cost, now uint32, beta uint8, lag uint16) bool {
		l := life{fresh: int64(fresh), recheck: min(int64(recheck), int64(fresh)), cost: int64(cost)}
		w := windows{early: float64(beta) / 16}
		coarse := int64(now) - int64(lag)
		if coarse >= w.certain(l, int64(lag)) {
			return true
		}
		return w.judge(l, int64(now), smallest, false) == serve && w.judge(l, int64(now), 1, false) == serve
	}
	if err := quick.Check(f, &quick.Config{MaxCount: 200_000}); err != nil {
		t.Error(err)
	}
}

func TestRestGrowsAndIsBounded(t *testing.T) {
	last := time.Duration(0)
	for n := int32(1); n < 100; n++ {
		d := rest(n)
		if d < last || d < 100*time.Millisecond || d > 10*time.Second {
			t.Errorf("after %d failures %v, after one less %v", n, d, last)
		}
		last = d
	}
	if last != 10*time.Second {
		t.Errorf("the longest rest is %v, want 10s", last)
	}
}

func TestShortenStaysWithinJitter(t *testing.T) {
	for _, row := range []struct {
		jitter, r float64
		want      time.Duration
	}{{0, 0.9, 100}, {0.1, 0, 100}, {0.1, 0.5, 95}, {1, 1, 0}} {
		if got := shorten(100, row.jitter, row.r); got != row.want {
			t.Errorf("shorten(100, %v, %v) = %d, want %d", row.jitter, row.r, got, row.want)
		}
	}
}

func TestForgottenTagsCountAsInvalidated(t *testing.T) {
	var tg tags
	before := tg.clock.Load()
	names := make([]string, 1000)
	for i := range maxTags/len(names) + 1 {
		for j := range names {
			names[j] = string(rune(i)) + "/" + string(rune(j))
		}
		tg.invalidate(names)
	}
	if len(tg.marks) > maxTags {
		t.Errorf("%d tags are remembered, want at most %d", len(tg.marks), maxTags)
	}
	if tg.valid([]string{"never invalidated, but who knows"}, before, untagged) {
		t.Error("a tag of which nothing is known any more counts as valid")
	}
	if !tg.valid([]string{"never invalidated"}, tg.clock.Load(), untagged) {
		t.Error("what was loaded now counts as invalid")
	}
	if !tg.valid(nil, before, untagged) {
		t.Error("what has no tags counts as invalid")
	}
}

func TestFencesAreForgotten(t *testing.T) {
	s := &newShards[int, int]().all[0]
	for k := range 100_000 {
		now := int64(k) * int64(time.Millisecond)
		s.setFence(k, fence{floor: 1, forget: now + int64(time.Second)}, now)
	}
	if n := len(s.fences); n < 1000 || n > 5000 {
		t.Errorf("%d fences of 1 s at 1,000 a second are kept, want a few thousand", n)
	}
}

func TestCoarseClockStopsWhenIdle(t *testing.T) {
	var uses int64
	c := newClock(func() int64 { return uses })
	c.wind()
	if c.coarse.Load() > c.now() {
		t.Error("the coarse hand is ahead")
	}
	for range idleTicks - 1 {
		if !c.move() {
			t.Fatal("stopped too soon")
		}
	}
	uses++
	if !c.move() || c.idle != 0 {
		t.Error("use did not keep it going")
	}
}
