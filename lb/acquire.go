package lb

import (
	"context"
	"slices"
	"time"
)

// acquire is Acquire where not all nodes are candidates, or may turn out not to
// be.
func (p *Pool) acquire(ctx context.Context, r Request) (l Lease, err error) {
	if ctx.Err() != nil {
		return Lease{}, context.Cause(ctx)
	}
	if !p.queue.busy(r.Tier) { // else those that wait come first
		if l, err := p.try(r); err != errAtLimit {
			return l, err
		}
	}
	w, now := p.queue.enter(r.Tier)
	if w == nil {
		return Lease{}, ErrQueueFull
	}
	defer func() { p.queue.leave(w, err == nil) }()
	timer := time.NewTimer(p.queue.Wait)
	defer timer.Stop()
	for {
		if !now {
			if err := w.wait(ctx, timer.C); err != nil {
				return Lease{}, err
			}
		}
		if l, err := p.try(r); err != errAtLimit {
			return l, err
		}
		now = p.queue.again(w)
	}
}

// try chooses among the candidates of now. It returns errAtLimit if there are
// some, all of which are at their limit.
func (p *Pool) try(r Request) (Lease, error) {
	if p.closing.Load() {
		return Lease{}, ErrClosed
	}
	now := p.now()
	v := p.view.Load()
	if v.until != 0 && now >= v.until {
		p.change(func() {})
		v = p.view.Load()
	}
	c := p.scratch.Get().(*View)
	defer func() {
		clear(c.members)
		c.members = c.members[:0]
		p.scratch.Put(c)
	}()
	q := Query{Now: now, Rand: p.random(), Request: r}
	if err := p.narrow(c, v, &q, nil); err != nil {
		return Lease{}, err
	}
	c.weigh()
	i := p.policy.Pick(c, q)
	if i < 0 {
		return Lease{}, ErrNoNodes
	}
	m := c.members[i]
	if v.ramping {
		m.spend(now)
	}
	n := m.begun()
	if limit := p.limitOf(m); limit > 0 && n > limit { // somebody else was quicker
		m.acquired.Add(^uint64(0))
		p.released(m) // another may have seen it full for a moment
		return Lease{}, errAtLimit
	}
	return p.granted(m, now)
}

// narrow leaves in c those of v that may have the request. gathered, if it is
// not nil, sees them before the steps do.
func (p *Pool) narrow(c, v *View, q *Query, gathered func(*View)) error {
	some := func(exclude []*Node, full bool) bool {
		p.gather(c, v, exclude, q.Now, full)
		if gathered != nil {
			gathered(c)
		}
		for _, step := range p.steps {
			step(&q.Request, &Candidates{v: c, usable: v, now: q.Now, rnd: mix(q.Rand)})
		}
		return len(c.members) > 0
	}
	exclude := q.Request.Exclude
	if some(exclude, false) {
		return nil
	}
	if !q.Request.Strict && len(exclude) > 0 {
		if exclude = nil; some(nil, false) {
			return nil
		}
	}
	if p.limited() && some(exclude, true) {
		return errAtLimit
	}
	return ErrNoNodes
}

// gather fills c with the members of v that may have one more request; full
// says that those at their limit are wanted too. While nodes ramp up it pays
// them their share of this request.
func (p *Pool) gather(c, v *View, exclude []*Node, now time.Duration, full bool) {
	c.members, c.all = c.members[:0], false
	held := false // some ramp up, and are out of credit
	for _, m := range v.members {
		switch {
		case excluded(exclude, m.Node()) || !full && p.full(m):
		case v.ramping && !full && m.ramps(now) && !m.earn(now, len(v.members)):
			held = true
		default:
			c.members = append(c.members, m)
		}
	}
	if held && len(c.members) == 0 { // better them than nobody
		for _, m := range v.members {
			if !excluded(exclude, m.Node()) && !p.full(m) {
				c.members = append(c.members, m)
			}
		}
	}
}

// excluded compares IDs, since a node's other facts may change between two
// attempts.
func excluded(list []*Node, n *Node) bool {
	return slices.ContainsFunc(list, func(e *Node) bool { return e == n || e != nil && e.ID == n.ID })
}

// limited reports whether nodes have limits at all.
func (p *Pool) limited() bool { return p.limit > 0 || p.adapts }

// limitOf is how many requests m may have in flight; 0: any number.
func (p *Pool) limitOf(m *Member) int {
	if m.adapt != nil {
		return int(m.adapt.limit.Load())
	}
	return p.limit
}

func (p *Pool) full(m *Member) bool {
	limit := p.limitOf(m)
	return limit > 0 && m.InFlight() >= limit
}

// released tells the queue that m may have room.
func (p *Pool) released(m *Member) {
	if p.queue.waiting.Load() > 0 {
		if room := p.limitOf(m) - m.InFlight(); room > 0 {
			p.queue.next(room > 1)
		}
	}
}
