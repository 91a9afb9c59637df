package memcached

import (
	"math"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// This file decides what becomes of a key: each function takes what is held
// and returns what shall be held instead. The caller makes the step atomic by
// cas, or by add when nothing is held, and starts again from what is held then
// when another client was faster. Nothing here does I/O or reads a clock.

// action says what a step does to what is held.
type action int

const (
	leave  action = iota // nothing
	write                // hold next for life
	remove               // hold nothing
)

// step is one atomic change.
type step struct {
	action action
	next   state
	life   time.Duration
	stored bool // the caller's value is held after the step
}

const (
	// floorLife is how long an invalidated key remembers its version, so that
	// a late Put of an older one is refused.
	floorLife = time.Minute
	// markLife is the longest relative time that memcached takes. A tag's mark
	// is set again by each invalidation and each first fill; when it ends, the
	// entries of the tag end with it.
	markLife = maxRelative
	// maxRelative is the largest number of seconds that memcached does not take
	// for a point in time.
	maxRelative = 30 * 24 * time.Hour
)

// look answers a Get from what is held. token is for the lease if one is due;
// when a lease with that token stands already, it is the caller's own, taken
// by a request whose answer was lost.
func look(cur *state, want cache.Want, token uint64, now time.Time) (it cache.Item, s step) {
	leased := cur.leased(now) && cur.lease != token
	grant := want.Lease > 0 && !leased
	switch {
	case cur.kind == kindFence:
		return it, s
	case cur.held():
		it.Found = true
		cur.entry(&it.Entry)
		grant = grant && want.Refresh
	default:
		it.Busy = leased
	}
	if !grant {
		return it, s
	}
	it.Lease.Token = token
	if cur.lease == token {
		return it, s
	}
	life := leaseLife(want.Lease)
	s = step{action: write, life: life, next: *cur}
	if cur.held() {
		s.life = max(remaining(cur, now), life)
	} else {
		s.next = state{kind: kindLease, version: cur.known()}
	}
	s.next.lease, s.next.leaseEnd = token, now.Add(life).UnixMilli()
	return it, s
}

// fill decides about a value that was loaded under a lease. tagsHold says
// whether none of the entry's tags was invalidated since the lease was granted.
func fill(cur *state, lease cache.Lease, e *cache.Entry, tagsHold bool, now time.Time) step {
	if lease.Token == 0 || cur.lease != lease.Token {
		return step{}
	}
	next := holding(e, lease.Clock, cur.known())
	life := remaining(&next, now)
	switch {
	case !e.Loaded.IsZero() && life > 0 && tagsHold && (e.Version == 0 || e.Version >= cur.known()):
		return step{action: write, next: next, life: life, stored: true}
	case cur.held():
		return unlease(cur, now)
	default:
		return void(cur.known())
	}
}

// fence begins the write whose token it is given. A fence that stands goes on.
func fence(cur *state, hold time.Duration, token uint64, now time.Time) step {
	if slices.Contains(cur.writers, token) {
		return step{} // laid by a request whose answer was lost
	}
	next := state{kind: kindFence, version: cur.known(), end: now.Add(wholeSeconds(hold)).UnixMilli()}
	if cur.kind == kindFence {
		next.end = max(next.end, cur.end)
		next.ban, next.crossed, next.spoiled = cur.ban, len(cur.writers) > 0, cur.spoiled
		next.writers = slices.Clone(cur.writers)
	}
	next.writers = append(next.writers, token)
	if len(next.writers) > maxWriters {
		// Zero is nobody's token: the fence stands until its end.
		next.writers = append(next.writers[:maxWriters-1], 0)
		next.spoiled = true
	}
	return holdFence(next, now)
}

// put decides about what a writer brings; mine is the lease of its fence, or
// zero. tagsHold says whether none of the entry's tags was invalidated since
// the fence was laid.
func put(cur *state, mine cache.Lease, e *cache.Entry, tagsHold bool, now time.Time) step {
	known := cur.known()
	newest := max(known, e.Version)
	stands := mine.Token != 0 && slices.Contains(cur.writers, mine.Token)
	others := slices.DeleteFunc(slices.Clone(cur.writers), func(w uint64) bool { return stands && w == mine.Token })
	var store bool
	switch {
	case len(others) > 0:
		next := *cur
		next.version, next.writers, next.crossed = newest, others, true
		next.spoiled = cur.spoiled || e.Version == 0
		return holdFence(next, now)
	case stands && cur.crossed:
		store = !cur.spoiled && e.Version > known
	case stands:
		store = !cur.spoiled && (e.Version == 0 || e.Version >= known)
	case mine.Token != 0:
		if cur.held() && e.Version > 0 && cur.version >= e.Version {
			return unlease(cur, now) // what is held is not older
		}
	case e.Version > 0 && e.Version <= known:
		if cur.held() {
			return unlease(cur, now)
		}
	default:
		store = true
	}
	next := holding(e, mine.Clock, known)
	if life := remaining(&next, now); store && tagsHold && life > 0 {
		return step{action: write, next: next, life: life, stored: true}
	}
	return forget(cur, newest, now)
}

// invalidate voids what is held. A write in progress stays fenced and learns
// that what it brings may be out of date. With a hold, nobody gets a lease for
// that long.
func invalidate(cur *state, hold time.Duration, now time.Time) step {
	next := *cur
	if cur.kind != kindFence {
		next = state{kind: kindFence, version: cur.known()}
	}
	if hold > 0 {
		next.ban = max(next.ban, now.Add(wholeSeconds(hold)).UnixMilli())
	}
	if len(next.writers) > 0 {
		next.spoiled = true
		return holdFence(next, now)
	}
	return forget(&next, cur.known(), now)
}

// forget leaves of cur what outlasts a value: its ban, and the version.
func forget(cur *state, version uint64, now time.Time) step {
	if cur.kind == kindFence && cur.ban > now.UnixMilli() {
		return holdFence(state{kind: kindFence, version: version, ban: cur.ban}, now)
	}
	return void(version)
}

// unlease voids the lease on a value that stays.
func unlease(cur *state, now time.Time) step {
	if cur.lease == 0 {
		return step{}
	}
	s := step{action: write, next: *cur, life: max(remaining(cur, now), time.Second)}
	s.next.lease = 0
	return s
}

// holdFence holds a fence to its end, and for the tick longer by which
// memcached may be early.
func holdFence(next state, now time.Time) step {
	end := time.UnixMilli(max(next.end, next.ban))
	return step{action: write, next: next, life: max(end.Sub(now), 0) + time.Second}
}

// barrier is a fence of nobody: the safe state when a key changes so fast that
// no step succeeds.
func barrier(version uint64, now time.Time) step {
	return holdFence(state{
		kind: kindFence, version: version, end: now.Add(barrierLife).UnixMilli(),
		writers: []uint64{0}, crossed: true, spoiled: true,
	}, now)
}

const barrierLife = 10 * time.Second

// void forgets all but the version.
func void(version uint64) step {
	if version == 0 {
		return step{action: remove}
	}
	return step{action: write, next: state{kind: kindVoid, version: version}, life: floorLife}
}

// remaining returns how long a value is still to be held.
func remaining(s *state, now time.Time) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	end := s.loaded + s.ttl // each is at most a third of what an int64 holds
	end += s.keep
	return time.Duration(min(end-now.UnixMilli(), most)) * time.Millisecond
}

// leaseLife rounds up to whole seconds, and a single one to two: memcached
// counts by the ticks of its clock, so that one second may be over at once.
func leaseLife(d time.Duration) time.Duration {
	return max(wholeSeconds(d), 2*time.Second)
}

func wholeSeconds(d time.Duration) time.Duration {
	if d > math.MaxInt64-time.Second {
		return d.Truncate(time.Second)
	}
	return (d + time.Second - 1).Truncate(time.Second)
}

// expiry returns how memcached is told to hold an item for life, which must be
// positive: seconds up to 30 days, a point in Unix time beyond. It is never
// zero, which would mean for ever.
func expiry(life time.Duration, now time.Time) int32 {
	seconds := max(int64(wholeSeconds(life)/time.Second), 1)
	if seconds <= int64(maxRelative/time.Second) {
		return int32(seconds)
	}
	if at := now.Unix() + seconds; at <= math.MaxInt32 {
		return int32(at)
	}
	// gomemcache has 32 bits for it, which end in January 2038.
	return int32(maxRelative / time.Second)
}
