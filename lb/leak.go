package lb

import (
	"runtime"
	"sync/atomic"
)

// leak finds leases that nobody gives back, and copies that are given back
// twice: the copies of a lease share one.
type leak struct {
	done *atomic.Bool
}

// watch makes the collector count a lease whose Done was never called. The
// request stays in flight: nobody knows whether it still is.
func (p *Pool) watch() *leak {
	l := &leak{done: new(atomic.Bool)}
	done, lost := l.done, &p.lost
	runtime.AddCleanup(l, func(done *atomic.Bool) {
		if !done.Load() {
			lost.Add(1)
		}
	}, done)
	return l
}

// over marks the lease as done, and reports whether it was already.
func (l *leak) over() bool { return l != nil && l.done.Swap(true) }
