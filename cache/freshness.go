package cache

import (
	"math"
	"time"
)

// Times inside the cache are nanoseconds on its own clock (clock.go), so that
// a step of the wall clock moves nothing.

// forever is the life of what never expires: long beyond any process and
// short of the year 2038, after which memcached's times do not reach.
const forever = 5 * 365 * 24 * time.Hour

// life says when a value is what.
type life struct {
	loaded  int64 // when the source was read
	fresh   int64 // until then the value is served without a second thought
	recheck int64 // from then on the shared tier is asked again; at most fresh
	cost    int64 // how long the load took, for early refresh
}

// windows is the part of a Config that decides about a value's age.
type windows struct {
	revalidate int64   // stale-while-revalidate, after fresh
	onError    int64   // stale-if-error, after fresh
	early      float64 // early refresh: the paper's beta
}

// A verdict is what a reader does with a value that it found.
type verdict uint8

const (
	drop         verdict = iota // too old for anything: load and wait
	serve                       // serve it
	serveRefresh                // serve it, and load in the background
	loadFirst                   // load and wait; serve it if the load fails
)

// judge decides what a value of this life is good for at now. r is a random
// number in (0, 1]; resting says that the last attempt to replace the value
// failed so recently that no other should be made yet.
func (w windows) judge(l life, now int64, r float64, resting bool) verdict {
	switch {
	case now < l.recheck:
		if w.isEarly(l, now, r) && !resting {
			return serveRefresh
		}
		return serve
	case now < l.fresh: // but another node may have invalidated it
		switch {
		case w.onError == 0:
			return drop
		case resting:
			return serve
		}
		return loadFirst
	case now < l.fresh+w.revalidate:
		if resting {
			return serve
		}
		return serveRefresh
	case now < l.fresh+w.onError:
		if resting {
			return serve
		}
		return loadFirst
	}
	return drop
}

// isEarly draws whether this reader is the one to refresh a value before its
// end: the probability grows towards the end and with the cost of a load, so
// that one reader of many does it in time (XFetch, Vattani et al. 2015).
func (w windows) isEarly(l life, now int64, r float64) bool {
	return w.early > 0 && float64(l.fresh-now) <= -float64(l.cost)*w.early*math.Log(r)
}

// certain returns the time before which judge says serve whatever r is, less
// slack for a clock that lags.
func (w windows) certain(l life, slack int64) int64 {
	// The smallest r that rand.Float64 yields is 2^-53, whose -ln is below 37.
	return min(l.recheck, l.fresh-int64(37*w.early*float64(l.cost))) - slack
}

// keep returns how long after its freshness a value is still good for something.
func (w windows) keep() int64 { return max(w.revalidate, w.onError) }

// rest returns how long to leave a source alone after so many failures in a
// row to refresh one key.
func rest(failures int32) time.Duration {
	return min(100*time.Millisecond<<min(failures-1, 10), 10*time.Second)
}

// shorten applies jitter: it takes away up to the fraction jitter of ttl, so
// that what was loaded together does not end together.
func shorten(ttl time.Duration, jitter, r float64) time.Duration {
	return ttl - time.Duration(float64(ttl)*jitter*r)
}
