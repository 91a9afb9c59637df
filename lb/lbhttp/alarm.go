package lbhttp

import (
	"runtime"
	"sync/atomic"
)

// An alarm is the time limit of what a connection waits for just now. Its owner
// sets and stops it with one atomic operation each; one goroutine of the server
// looks at all alarms every tick and fires those that are over. A timer of the
// runtime for each wait would cost more than the rest of a small request.
//
// The state is the time limit in nanoseconds of the server's clock, shifted left
// by two, with a watch in the low bits; or one of the values below.
type alarm struct{ state atomic.Int64 }

const (
	alarmOff    = 0
	alarmFiring = -1 // the ticker is at work on the connection; the owner waits
	alarmFired  = -2
)

// A watch is what the ticker looks at besides the time.
type watch int64

const (
	watchNothing watch = iota
	watchClient        // whether the client has gone, as long as the alarm is set
	watchOnce          // the same, once
)

// set arms an alarm that is off.
func (a *alarm) set(at int64, w watch) { a.state.Store(at<<2 | int64(w)) }

// stop disarms it and reports whether it was in time.
func (a *alarm) stop() bool {
	for {
		switch v := a.state.Load(); v {
		case alarmOff:
			return true
		case alarmFired:
			a.state.Store(alarmOff)
			return false
		case alarmFiring:
			runtime.Gosched()
		default:
			if a.state.CompareAndSwap(v, alarmOff) {
				return true
			}
		}
	}
}

// look is the ticker's part. gone asks whether the client has gone, expire ends
// the wait; neither is called while the owner touches the connection.
func (a *alarm) look(now int64, gone func() bool, expire func(gone bool)) {
	v := a.state.Load()
	if v <= 0 {
		return
	}
	w, over := watch(v&3), v>>2 <= now
	if !over && w == watchNothing || !a.state.CompareAndSwap(v, alarmFiring) {
		return
	}
	left := w != watchNothing && gone()
	switch {
	case over || left:
		expire(left)
		a.state.Store(alarmFired)
	case w == watchOnce:
		a.state.Store(v &^ 3)
	default:
		a.state.Store(v)
	}
}

// end fires the alarm if it is set and the condition holds, which is looked at
// while the owner waits.
func (a *alarm) end(condition func() bool, expire func(gone bool)) {
	v := a.state.Load()
	if v <= 0 || !a.state.CompareAndSwap(v, alarmFiring) {
		return
	}
	if !condition() {
		a.state.Store(v)
		return
	}
	expire(false)
	a.state.Store(alarmFired)
}

// tighten gives an alarm that is set another limit. Unlike the owner's methods
// it may be called from any goroutine.
func (a *alarm) tighten(at int64, w watch) {
	for {
		v := a.state.Load()
		switch {
		case v == alarmFiring:
			runtime.Gosched()
		case v <= 0 || a.state.CompareAndSwap(v, at<<2|int64(w)):
			return
		}
	}
}
