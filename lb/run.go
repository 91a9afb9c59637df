package lb

import (
	"context"
	"sync"
	"time"
)

// Check asks nodes whether they can serve. Each node is asked on its own
// goroutine, at times of its own: no two checks of a farm march in step.
type Check struct {
	// Func returns nil if the node can serve. It should ask for what clients ask
	// for, and look at what comes back: a page that says "error" with status 200
	// is no health. ctx ends after Timeout. Required for checks.
	Func     func(ctx context.Context, n *Node) error
	Interval time.Duration // from one check to the next; default 2s
	Timeout  time.Duration // of one check; default half of Interval
	Rise     int           // so many in a row must succeed before a node is used again; default 2
	Fall     int           // so many in a row must fail before it is not used; default 3
	// First keeps a node that joins, also by New, or changes its address, from
	// getting requests until its first check succeeded, or SetHealthy said so; a
	// panic does not change that. If the first check fails, the node is down.
	// Default: nodes are believed until they fail.
	First bool
}

func (c Check) fill() (Check, error) {
	if c.Interval == 0 {
		c.Interval = 2 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = c.Interval / 2
	}
	if c.Rise == 0 {
		c.Rise = 2
	}
	if c.Fall == 0 {
		c.Fall = 3
	}
	switch {
	case c.Interval < 0 || c.Timeout < 0:
		return c, errRange("Check.Interval or Timeout", min(c.Interval, c.Timeout))
	case c.Rise < 0 || c.Fall < 0:
		return c, errRange("Check.Rise or Fall", min(c.Rise, c.Fall))
	}
	return c, nil
}

// vote is the pure part of a check: results in a row.
type vote struct {
	down  bool
	row   int  // results in a row that speak against down
	first bool // none yet, and it counts whatever it says
}

// vote is how a node stands whose checks begin.
func (s *memberState) vote(c Check) vote {
	if s.unchecked { // the first result decides
		return vote{down: true, row: c.Rise - 1, first: true}
	}
	return vote{down: s.down}
}

// next takes in a result and reports whether the pool must hear of it.
func (v *vote) next(ok bool, rise, fall int) bool {
	first := v.first
	v.first = false
	if ok != v.down {
		v.row = 0
		return first
	}
	v.row++
	if v.down && v.row >= rise || !v.down && v.row >= fall {
		v.down, v.row = !v.down, 0
		return true
	}
	return false
}

// Run checks and probes the nodes and compares them with each other until ctx
// ends, then waits for what it started and returns the context's cause. Call it
// once.
func (p *Pool) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if p.ask != nil && p.ProbeRate() > 0 {
		wg.Go(func() { p.probe(ctx) })
	}
	if p.outlier.Interval > 0 {
		wg.Go(func() { p.watchPeers(ctx) })
	}
	stop := make(map[*Node]context.CancelFunc)
	for {
		if p.check.Func != nil {
			p.superviseChecks(ctx, &wg, stop)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.changed:
		}
	}
}

// superviseChecks starts the checks of new nodes and stops those of nodes that
// left. stop is owned by Run.
func (p *Pool) superviseChecks(ctx context.Context, wg *sync.WaitGroup, stop map[*Node]context.CancelFunc) {
	p.mu.Lock()
	now := make(map[*Node]vote, len(p.members))
	for _, m := range p.members {
		now[m.Node()] = m.state.vote(p.check)
	}
	p.mu.Unlock()
	for n, cancel := range stop {
		if _, ok := now[n]; !ok {
			cancel()
			delete(stop, n)
		}
	}
	for n, v := range now {
		if stop[n] == nil {
			one, cancel := context.WithCancel(ctx)
			stop[n] = cancel
			wg.Go(func() { p.checkNode(one, n, v) })
		}
	}
}

// checkNode checks one node until ctx ends.
func (p *Pool) checkNode(ctx context.Context, n *Node, v vote) {
	c := p.check
	wait := c.Interval
	if v.first { // somebody may wait for it
		wait /= 10
	}
	timer := time.NewTimer(time.Duration(p.random() % uint64(wait+1)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		one, cancel := context.WithTimeout(ctx, c.Timeout)
		err := c.Func(one, n)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if v.next(err == nil, c.Rise, c.Fall) {
			if err != nil {
				p.log.Warn("lb: check failed", "node", n.ID, "err", err)
			}
			_ = p.SetHealthy(n.ID, err == nil) // it may have left just now
		}
		// A tenth of jitter, so that those that met once do not stay together.
		timer.Reset(c.Interval - time.Duration(p.random()%uint64(c.Interval/10+1)))
	}
}

const (
	probeTick    = 5 * time.Millisecond
	probeTimeout = time.Second
	probesAtOnce = 64
)

// probe asks as many nodes as the policy wants for the requests since the last
// tick. What cannot be asked since too many do not answer is not asked later.
func (p *Pool) probe(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, probesAtOnce)
	tick := time.NewTicker(probeTick)
	defer tick.Stop()
	rate, owed, before := p.ProbeRate(), 0.0, p.acquired()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := p.acquired()
		owed = min(owed+rate*float64(max(n-before, 0)), probesAtOnce)
		for before = n; owed >= 1; owed-- {
			target := p.ProbeTarget()
			if target == nil {
				break
			}
			select {
			case free <- struct{}{}:
			default:
				continue
			}
			wg.Go(func() {
				defer func() { <-free }()
				one, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				if r, err := p.ask(one, target); err == nil {
					_ = p.Report(target.ID, r) // it may have left just now
				}
			})
		}
	}
}

func (p *Pool) acquired() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for _, m := range p.members {
		n += int64(m.Acquired())
	}
	return n
}
