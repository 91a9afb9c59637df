package memcached

import "time"

// health is what one client knows about one server. It decides; it does no I/O
// and reads no clock. The zero value is a healthy server.
type health struct {
	out      bool      // not to be used
	reviving bool      // somebody tries to take it back
	draining bool      // and it answers: changes are sent to it already, before it is purged
	until    time.Time // when the next attempt to take it back is due

	failures int       // without a success between them
	first    time.Time // when the first of them began

	backoff time.Duration // the pause after the last failed attempt
	back    time.Time     // when it was taken back last
	missed  uint64        // counts what it has missed: a purge must come after the last
}

const (
	maxFailures  = 3
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// succeeded forgets failures.
func (h *health) succeeded() { h.failures = 0 }

// failed counts a call that the server did not answer, begun at began, and
// reports whether the server is to be ejected: at the third failure in a row.
// A call that its own caller cut short is proof only when the failures have
// lasted for a whole time-out together.
func (h *health) failed(began, now time.Time, cut bool, timeout time.Duration) bool {
	if h.out {
		return false
	}
	if h.failures == 0 {
		h.first = began
	}
	h.failures++
	return h.failures >= maxFailures && (!cut || now.Sub(h.first) >= timeout)
}

// eject takes the server out of use. random in [0,1) spreads the clients'
// attempts.
func (h *health) eject(now time.Time, random float64) {
	h.missed++
	if h.out {
		return
	}
	h.out, h.failures = true, 0
	if now.Sub(h.back) > maxBackoff {
		h.backoff = 0 // it had been well for long
	}
	h.pause(now, random)
}

// pause sets the next attempt after twice the pause before.
func (h *health) pause(now time.Time, random float64) {
	h.backoff = min(max(2*h.backoff, firstBackoff), maxBackoff)
	h.until = now.Add(h.backoff - time.Duration(random*float64(h.backoff)/4))
}

// due reports whether an attempt to take the server back is to start now.
func (h *health) due(now time.Time) bool {
	return h.out && !h.reviving && !now.Before(h.until)
}

// start begins an attempt to take the server back.
func (h *health) start() { h.reviving = true }

// answers is for a server that answers again. From then on changes must be sent
// to it, although nothing is read from it: the purge that follows makes good for
// all changes before, and these need no other. (Were they turned away, a
// program that repeats them would keep the server out for ever.)
func (h *health) answers() (missed uint64) {
	h.draining = true
	return h.missed
}

// finish ends an attempt, or says that the server must be purged once more
// because a change since answers did not reach it.
func (h *health) finish(purged bool, missed uint64, now time.Time, random float64) (back, again bool) {
	if purged && missed != h.missed {
		return false, true
	}
	h.reviving, h.draining = false, false
	if !purged {
		h.pause(now, random)
		return false, false
	}
	h.out, h.back = false, now
	return true, false
}
