package memcached

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// memcached takes up to 30 days for a number of seconds, and more for a point
// in time; a naive TTL of 31 days lies in 1970 and stores nothing.
func TestExpiryIsNeverSoonerAndNeverForEver(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	end := time.Unix(math.MaxInt32, 0)
	for _, c := range []struct {
		life time.Duration
		want int64
	}{
		{1, 1}, {time.Millisecond, 1}, {time.Second, 1}, {time.Second + 1, 2},
		{30 * day, 30 * 24 * 3600},
		{30*day + 1, now.Unix() + 30*24*3600 + 1},
		{31 * day, now.Add(31 * day).Unix()},
		{365 * day, now.Add(365 * day).Unix()},
		{end.Sub(now), math.MaxInt32},
		{end.Sub(now) + time.Second, 30 * 24 * 3600}, // after January 2038
		{math.MaxInt64, 30 * 24 * 3600},
	} {
		if got := expiry(c.life, now); int64(got) != c.want {
			t.Errorf("expiry(%v) = %d, want %d", c.life, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		now := time.Unix(rng.Int64N(math.MaxInt32), rng.Int64N(1e9))
		life := time.Duration(1 + rng.Int64N(math.MaxInt64)>>rng.IntN(63))
		got := int64(expiry(life, now))
		switch {
		case got <= 0:
			t.Fatalf("expiry(%v, %v) = %d: for ever, or at once", life, now, got)
		case got > int64(maxRelative/time.Second) && got <= now.Unix():
			t.Fatalf("expiry(%v, %v) = %d: in the past", life, now, got)
		case got < int64(maxRelative/time.Second) && time.Duration(got)*time.Second < life:
			t.Fatalf("expiry(%v, %v) = %d: too soon", life, now, got)
		}
	}
}

func TestLeaseLifeIsWholeSecondsAndAtLeastTwo(t *testing.T) {
	for in, want := range map[time.Duration]time.Duration{
		1: 2 * time.Second, time.Second: 2 * time.Second, 2 * time.Second: 2 * time.Second,
		2*time.Second + 1: 3 * time.Second, time.Minute: time.Minute,
	} {
		if got := leaseLife(in); got != want {
			t.Errorf("leaseLife(%v) = %v, want %v", in, got, want)
		}
	}
	if d := leaseLife(math.MaxInt64); d <= 0 || d%time.Second != 0 {
		t.Errorf("the longest lease lasts %v", d)
	}
}

// Whatever is held and whatever comes: the version known of a key never falls
// while anything of it is held, a fence is never shortened, and nothing is
// written that would not be read again.
func TestNoStepLosesAVersionOrShortensAFence(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	now := time.UnixMilli(1_800_000_000_000)
	for range 200_000 {
		cur := someState(rng)
		if cur.kind == kindFence && max(cur.end, cur.ban) <= now.UnixMilli() {
			continue // memcached has forgotten it
		}
		mine := cache.Lease{Token: 1 + rng.Uint64N(4)}
		if rng.IntN(2) == 0 {
			mine.Token = cur.lease
			if len(cur.writers) > 0 {
				mine.Token = cur.writers[rng.IntN(len(cur.writers))]
			}
		}
		e := cache.Entry{Value: []byte("v"), Loaded: now.Add(-time.Second), TTL: time.Minute, Version: rng.Uint64N(1 << rng.IntN(40))}
		hold := time.Duration(rng.IntN(20)) * time.Second
		var st step
		var what string
		switch rng.IntN(5) {
		case 0:
			_, st = look(&cur, cache.Want{Lease: time.Second, Refresh: rng.IntN(2) == 0}, 7, now)
			what = "look"
		case 1:
			st, what = fill(&cur, mine, &e, rng.IntN(2) == 0, now), "fill"
		case 2:
			st, what = fence(&cur, hold, 9, now), "fence"
		case 3:
			st, what = put(&cur, mine, &e, rng.IntN(2) == 0, now), "put"
		default:
			st, what = invalidate(&cur, hold, now), "invalidate"
		}
		if st.action == leave {
			continue
		}
		if st.action == remove {
			if cur.known() > 0 {
				t.Fatalf("%s forgets version %d of %+v", what, cur.known(), cur)
			}
			continue
		}
		if st.next.known() < cur.known() {
			t.Fatalf("%s turns %+v into %+v: an older version", what, cur, st.next)
		}
		if st.life <= 0 {
			t.Fatalf("%s holds %+v for %v", what, st.next, st.life)
		}
		if cur.ban > now.UnixMilli() && (st.next.kind != kindFence || st.next.ban < cur.ban) && !(what == "put" && st.stored) {
			t.Fatalf("%s turns %+v into %+v: the ban is gone", what, cur, st.next)
		}
		if len(cur.writers) > 1 && (st.next.kind != kindFence || st.next.end < cur.end) {
			t.Fatalf("%s turns %+v into %+v: writes in progress are not fenced any more", what, cur, st.next)
		}
		wire := st.next.encode()
		if st.next.lease == 0 {
			st.next.leaseEnd = 0 // of nothing
		}
		if st.next.floor <= st.next.version {
			st.next.floor = 0 // the version says it
		}
		var again state
		if !again.parse(wire) || !sameState(again, st.next) {
			t.Fatalf("%s writes %+v, which is read as %+v", what, st.next, again)
		}
	}
}
