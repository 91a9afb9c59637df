package lb

import (
	"sync"
	"time"
)

// Budget bounds retries, or hedges, to a share of the requests, so that an
// outage is not made worse by them: in one, everything fails and would be tried
// again. The zero value allows a fifth and ten a second besides. It is safe for
// concurrent use and must not be copied.
type Budget struct {
	Share float64 // of the requests; default 0.2, negative none
	Floor float64 // each second besides, for services with few requests; default 10, negative none

	mu    sync.Mutex
	left  float64   // guarded by mu: retries that are paid for
	begun time.Time // guarded by mu: when the floor was paid last
}

// budgetSeconds is for how long an unused right to retry is kept, in terms of
// the floor; of the share, as many as a hundred requests give.
const budgetSeconds = 10

// Request pays in for one request. Call it once for each, not for retries.
func (b *Budget) Request() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pay()
	b.left = min(b.left+share(b.Share, 0.2), b.most())
}

// Take reports whether one more retry is allowed, and pays for it then.
// Otherwise the caller gives up with [ErrBudget].
func (b *Budget) Take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pay()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// pay adds the floor for the time that went by; mu is held.
func (b *Budget) pay() {
	now := time.Now()
	floor := share(b.Floor, 10)
	if b.begun.IsZero() {
		b.left = floor
	} else {
		b.left = min(b.left+floor*now.Sub(b.begun).Seconds(), b.most())
	}
	b.begun = now
}

func (b *Budget) most() float64 {
	return max(share(b.Share, 0.2)*100+share(b.Floor, 10)*budgetSeconds, 1)
}

func share(x, zero float64) float64 {
	switch {
	case x == 0:
		return zero
	case x < 0:
		return 0
	}
	return x
}
