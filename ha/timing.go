package ha

import (
	"fmt"
	"time"
)

// Timing says how fast a cluster notices and acts. All members need the same.
// Zero fields are those of [LAN].
type Timing struct {
	// Heartbeat is the time from one heartbeat to the next.
	Heartbeat time.Duration
	// Misses is how many heartbeats in a row must be missing before a member is
	// believed dead. With a loss of p, a false alarm happens (1-p)·p^Misses times
	// per Heartbeat: many misses of a short interval see a death as fast as few
	// of a long one, and are wrong far more rarely.
	Misses int
	// Lease is how long an owner may act on after it last had a quorum, and how
	// long Renewer addresses live. Only used with Config.Quorum or a Renewer.
	// Default Heartbeat·Misses.
	Lease time.Duration
	// Maturity is how long a starting member watches before it owns anything,
	// so that one that starts again and again does no harm; default 5s.
	Maturity time.Duration
	// Settle is how long the membership must not have changed before groups are
	// moved to balance the load or to return to where they are preferred;
	// default 2s.
	Settle time.Duration
	// Pace is the time between such moves; default 4s.
	Pace time.Duration
	// Moves is how many are made at once; default 1.
	Moves int
	// Hook is the time a hook or the Plumber has before it counts as failed;
	// default 5s.
	Hook time.Duration
	// Backoff is how long a member does not try again to take a group that it
	// could not take; doubled with each failure in a row, up to 60 times;
	// default 1s.
	Backoff time.Duration
}

// LAN sees a silent death within 100 ms, and is the default.
func LAN() Timing { return Timing{Heartbeat: 10 * time.Millisecond, Misses: 10} }

// Fast sees a silent death within 24 ms, at five times the heartbeats of LAN.
func Fast() Timing { return Timing{Heartbeat: 2 * time.Millisecond, Misses: 12} }

// WAN sees a silent death within 2 s, over links where that is fast.
func WAN() Timing { return Timing{Heartbeat: 200 * time.Millisecond, Misses: 10} }

// window is the silence after which a member is believed dead.
func (t Timing) window() time.Duration { return t.Heartbeat * time.Duration(t.Misses) }

func (t Timing) fill() (Timing, error) {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&t.Heartbeat, LAN().Heartbeat)
	if t.Misses == 0 {
		t.Misses = LAN().Misses
	}
	set(&t.Lease, t.window())
	set(&t.Maturity, 5*time.Second)
	set(&t.Settle, 2*time.Second)
	set(&t.Pace, 4*time.Second)
	set(&t.Hook, 5*time.Second)
	set(&t.Backoff, time.Second)
	if t.Moves == 0 {
		t.Moves = 1
	}
	switch {
	case t.Heartbeat < time.Millisecond || t.Heartbeat > time.Minute:
		return t, fmt.Errorf("ha: Timing.Heartbeat is %v, out of range", t.Heartbeat)
	case t.Misses < 2 || t.Misses > 1000:
		return t, fmt.Errorf("ha: Timing.Misses is %d, out of range", t.Misses)
	case t.Lease < 4*t.Heartbeat:
		return t, fmt.Errorf("ha: Timing.Lease is %v, less than four heartbeats", t.Lease)
	case t.Maturity < 2*t.Lease || t.Maturity < 2*t.window():
		return t, fmt.Errorf("ha: Timing.Maturity is %v, less than two leases or two windows", t.Maturity)
	case t.Settle < 0 || t.Pace < 0 || t.Moves < 0 || t.Hook < 0 || t.Backoff < 0:
		return t, fmt.Errorf("ha: a field of Timing is negative: %+v", t)
	}
	return t, nil
}
