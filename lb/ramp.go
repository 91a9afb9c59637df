package lb

import (
	"sync/atomic"
	"time"
)

// ramp is a member's slow start: while it lasts, the member may be chosen only
// on credit. Each request that anybody asks for earns it the part of a fair
// share that it is due, and each one that it gets costs a whole one. So it gets
// that part under any policy: one that prefers idle nodes cannot flood it, and
// one that takes turns cannot starve it.
type ramp struct {
	from   atomic.Int64 // when it came, or came back, in ns; 0: always there
	over   atomic.Int64 // when it has its full share
	credit atomic.Int64 // in parts of a request; see earn
}

const (
	wholeRequest = 1 << 32
	leastPart    = 0.1 // of a fair share, at first
)

// begin starts a slow start of d at now; 0 makes none.
func (r *ramp) begin(now, d time.Duration) {
	r.from.Store(int64(now))
	r.over.Store(int64(now + d))
	r.credit.Store(0)
}

// ramps reports whether it gets less than its share for the time being.
func (r *ramp) ramps(now time.Duration) bool { return int64(now) < r.over.Load() }

// earn pays it its part of one request among n nodes, and reports whether it
// can afford one.
func (r *ramp) earn(now time.Duration, n int) bool {
	credit := r.credit.Load()
	if credit >= wholeRequest {
		return true
	}
	from, over := r.from.Load(), r.over.Load()
	part := max(float64(int64(now)-from)/float64(max(over-from, 1)), leastPart)
	return r.credit.Add(int64(min(part, 1)/float64(n)*wholeRequest)) >= wholeRequest
}

// spend takes the price of a request from it. Of two at the same moment, one
// may be given on credit.
func (r *ramp) spend(now time.Duration) {
	if r.ramps(now) {
		r.credit.Add(-wholeRequest)
	}
}
