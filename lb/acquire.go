package lb

import (
	"context"
	"slices"
	"time"
)

// acquire is Acquire where not all nodes are candidates, or may turn out not to
// be.
func (p *Pool) acquire(ctx context.Context, r Request) (Lease, error) {
	if ctx.Err() != nil {
		return Lease{}, context.Cause(ctx)
	}
	l, err := Lease{}, error(errAtLimit)
	if !p.queue.busy() { // else those that wait come first
		l, err = p.try(r)
	}
	for front := false; err == errAtLimit; front = true {
		if err = p.queue.wait(ctx, r.Tier, front, p.room); err != nil {
			return Lease{}, err
		}
		l, err = p.try(r)
	}
	return l, err
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
	if !p.gather(c, v, r.Exclude, now) && !p.gather(c, v, nil, now) {
		if len(v.members) > 0 {
			return Lease{}, errAtLimit
		}
		return Lease{}, ErrNoNodes
	}
	q := Query{Now: now, Rand: p.random(), Request: r}
	for _, step := range p.steps {
		k := Candidates{v: c, now: now, rnd: mix(q.Rand)}
		step(&q.Request, &k)
	}
	if len(c.members) == 0 {
		return Lease{}, ErrNoNodes
	}
	c.weigh()
	i := p.policy.Pick(c, q)
	if i < 0 {
		return Lease{}, ErrNoNodes
	}
	m := c.members[i]
	if v.ramping {
		p.spend(m)
	}
	l, err := p.lease(m, now)
	if err == nil && p.limit > 0 && m.InFlight() > p.limit { // somebody else was quicker
		m.acquired.Add(^uint64(0))
		return Lease{}, errAtLimit
	}
	return l, err
}

// gather fills c with the members of v that may have one more request, and
// reports whether there are any. While nodes ramp up it pays them their share
// of this request.
func (p *Pool) gather(c, v *View, exclude []*Node, now time.Duration) bool {
	c.members = c.members[:0]
	c.all = false
	if v.ramping {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	var held []*Member // ramping, and out of credit
	for _, m := range v.members {
		if p.limit > 0 && m.InFlight() >= p.limit || slices.Contains(exclude, m.node) {
			continue
		}
		if v.ramping && m.ramps(now, p.ramp) {
			part := max(float64(now-m.state.since)/float64(p.ramp), 0.1)
			m.state.credit = min(m.state.credit+part/float64(len(v.members)), 1)
			if m.state.credit < 1 {
				held = append(held, m)
				continue
			}
		}
		c.members = append(c.members, m)
	}
	if len(c.members) == 0 { // better them than nobody
		c.members = append(c.members, held...)
	}
	return len(c.members) > 0
}

// spend takes the credit for one request from a node that ramps up.
func (p *Pool) spend(m *Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.state.credit = max(m.state.credit-1, 0)
}

// room reports whether a node is below its limit.
func (p *Pool) room() bool {
	return slices.ContainsFunc(p.view.Load().members, func(m *Member) bool { return m.InFlight() < p.limit })
}
