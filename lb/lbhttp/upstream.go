package lbhttp

import (
	"maps"
	"sync"
	"sync/atomic"
)

// upstream keeps the idle connections to one address, the newest on top: it is
// the least likely to have been closed meanwhile.
type upstream struct {
	mu     sync.Mutex
	idle   []*backend // guarded by mu
	closed bool       // guarded by mu
	used   atomic.Int64
}

func (u *upstream) get() *backend {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.idle)
	if n == 0 {
		return nil
	}
	b := u.idle[n-1]
	u.idle[n-1] = nil
	u.idle = u.idle[:n-1]
	return b
}

// put keeps b for the next request, unless there are enough.
func (u *upstream) put(b *backend, now int64, limit int) {
	b.release()
	b.used, b.since = true, now
	u.mu.Lock()
	keep := !u.closed && len(u.idle) < limit
	if keep {
		u.idle = append(u.idle, b)
	}
	u.mu.Unlock()
	if !keep {
		b.close()
	}
}

// expire closes what has been idle since before then.
func (u *upstream) expire(then int64) {
	u.mu.Lock()
	n := 0
	for n < len(u.idle) && u.idle[n].since < then { // the oldest are at the bottom
		n++
	}
	old := append([]*backend(nil), u.idle[:n]...)
	rest := copy(u.idle, u.idle[n:])
	clear(u.idle[rest:])
	u.idle = u.idle[:rest]
	u.mu.Unlock()
	for _, b := range old {
		b.close()
	}
}

// close closes the idle connections, and those in use when they are put back.
func (u *upstream) close() {
	u.mu.Lock()
	u.closed = true
	idle := u.idle
	u.idle = nil
	u.mu.Unlock()
	for _, b := range idle {
		b.close()
	}
}

// upstreams finds the connections of an address without a lock.
type upstreams struct {
	mu  sync.Mutex // held to change the map
	all atomic.Pointer[map[string]*upstream]
}

func (us *upstreams) of(addr string) *upstream {
	if m := us.all.Load(); m != nil {
		if u := (*m)[addr]; u != nil {
			return u
		}
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	next := map[string]*upstream{}
	if m := us.all.Load(); m != nil {
		if u := (*m)[addr]; u != nil {
			return u
		}
		maps.Copy(next, *m)
	}
	u := &upstream{}
	next[addr] = u
	us.all.Store(&next)
	return u
}

// each calls f for every address; those for which it returns false are
// forgotten. Whoever holds one still may use it: what is put back to it is closed.
func (us *upstreams) each(f func(*upstream) bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	m := us.all.Load()
	if m == nil {
		return
	}
	next, dropped := map[string]*upstream{}, false
	for a, u := range *m {
		if f(u) {
			next[a] = u
		} else {
			u.close()
			dropped = true
		}
	}
	if dropped {
		us.all.Store(&next)
	}
}
