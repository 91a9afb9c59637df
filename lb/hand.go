package lb

import (
	"sync"
	"sync/atomic"
	"time"
)

// hand is a monotonic clock that is read by one load. It moves each
// millisecond while the pool is in use, so that an idle pool holds no timer.
type hand struct {
	base  time.Time
	at    atomic.Int64  // 0 while it stands still
	moves func() uint64 // differs when the pool was used; constant

	mu   sync.Mutex
	idle int    // guarded by mu: ticks since the last use
	seen uint64 // guarded by mu
}

const (
	handTick  = time.Millisecond
	handIdles = 100 // ticks without use that stop it
)

func newHand(moves func() uint64) *hand {
	return &hand{base: time.Now(), moves: moves}
}

// now returns the time since the hand was made, a tick late at most while the
// processor has time for timers.
func (h *hand) now() time.Duration {
	if at := h.at.Load(); at != 0 {
		return time.Duration(at)
	}
	return h.wind()
}

func (h *hand) wind() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Since(h.base) + 1
	if h.at.Load() != 0 {
		return now
	}
	h.idle, h.seen = 0, h.moves()
	h.at.Store(int64(now))
	var timer *time.Timer
	timer = time.AfterFunc(handTick, func() {
		if h.move() {
			timer.Reset(handTick)
		}
	})
	return now
}

// move advances the hand and reports whether it should go on.
func (h *hand) move() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.moves(); n != h.seen {
		h.idle, h.seen = 0, n
	} else if h.idle++; h.idle >= handIdles {
		h.at.Store(0)
		return false
	}
	h.at.Store(int64(time.Since(h.base) + 1))
	return true
}
