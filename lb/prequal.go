package lb

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Prequal is the rule of Wydrowski et al., Load is not what you should balance
// (NSDI 2024): nodes are asked for reports at random, the newest of which are
// in a pool. A node is hot when it has more requests in flight than the
// quantile of those seen. The cold node of least latency is chosen, or if all
// are hot the one with the fewest in flight.
type Prequal struct {
	Quantile float64       // of hot; default 0.84, the paper's; 0.6 serves better where nodes are equal; negative: all are hot
	Size     int           // of the pool of reports; default 16
	MaxAge   time.Duration // of a report; default 1s
	Probes   float64       // asked for each request; default 3
}

// Picker implements [Policy].
func (c Prequal) Picker() (Picker, error) {
	if !(c.Quantile <= 1) || c.Size < 0 || c.MaxAge < 0 || !(c.Probes >= 0) {
		return nil, fmt.Errorf("lb: Prequal%+v is out of range", c)
	}
	if c.Quantile == 0 {
		c.Quantile = 0.84
	}
	if c.Size == 0 {
		c.Size = 16
	}
	if c.MaxAge == 0 {
		c.MaxAge = time.Second
	}
	if c.Probes == 0 {
		c.Probes = 3
	}
	return &prequal{Prequal: c}, nil
}

type prequal struct {
	Prequal

	mu     sync.Mutex
	pool   []probe     // guarded by mu: oldest first
	seen   [128]uint32 // guarded by mu: ring of RIFs
	heard  int         // guarded by mu
	sorted []uint32    // guarded by mu: of seen
	nodes  int         // guarded by mu
	odd    bool        // guarded by mu: removes the worst rather than the oldest
	hot    uint32      // guarded by mu: more is hot
}

type probe struct {
	m    *Member
	rif  uint32
	lat  time.Duration
	at   time.Duration
	left float64 // uses
}

// ProbeRate implements [Prober].
func (p *prequal) ProbeRate() float64 { return p.Probes }

// Done implements [Learner].
func (p *prequal) Done(*Member, Event) {}

// Reported implements [Learner]: the report replaces the node's older one.
// Reports with replies do not count: they come from where requests were sent,
// and a node that has many would make many look normal.
func (p *prequal) Reported(m *Member, r Report, now time.Duration, asked bool) {
	if !asked {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[p.heard%len(p.seen)] = r.RIF
	if p.heard++; p.heard%16 == 1 {
		p.sorted = append(p.sorted[:0], p.seen[:min(p.heard, len(p.seen))]...)
		slices.Sort(p.sorted)
		p.hot = p.sorted[int(max(p.Quantile, 0)*float64(len(p.sorted)-1))]
	}
	p.pool = slices.DeleteFunc(p.pool, func(o probe) bool { return o.m == m })
	if len(p.pool) >= p.Size {
		p.pool = slices.Delete(p.pool, 0, 1)
	}
	p.pool = append(p.pool, probe{m: m, rif: r.RIF, lat: r.Latency, at: now, left: p.uses()})
}

// Pick chooses by the rule; without reports at random.
func (p *prequal) Pick(v *View, q Query) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pool = slices.DeleteFunc(p.pool, func(o probe) bool { return q.Now-o.at > p.MaxAge })
	best := -1
	for i := range p.pool {
		if (v.all || v.Find(p.pool[i].m) >= 0) && (best < 0 || p.better(&p.pool[i], &p.pool[best])) {
			best = i
		}
	}
	if best < 0 || len(p.pool) < 2 {
		return v.random(q.Rand)
	}
	o := &p.pool[best]
	place := v.Find(o.m)
	o.rif++
	// What is left of a use is left to chance.
	if o.left--; o.left < float64(q.Rand>>11)/(1<<53) {
		p.pool = slices.Delete(p.pool, best, best+1)
	}
	p.removeOne()
	if place < 0 {
		return v.random(q.Rand)
	}
	return place
}

// Members implements [Joiner].
func (p *prequal) Members(all []*Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = len(all)
}

// uses is how often a report may be used: as often as needed so that the pool
// neither empties nor keeps what is old (the paper's equation 1, with its delta
// of 1). With few nodes that has no answer, or one that serves badly: twice is
// enough then. mu is held.
func (p *prequal) uses() float64 {
	part := float64(p.Size) / float64(max(p.nodes, 1))
	net := (1-part)*p.Probes - 1
	if net <= 1 {
		return 2
	}
	return max(2/net, 1)
}

// better is the hot-cold rule. A node at the quantile is hot: with few requests
// in flight many are just there, and as cold ones they would get more of them.
func (p *prequal) better(a, b *probe) bool {
	hotA, hotB := p.Quantile < 0 || a.rif >= p.hot, p.Quantile < 0 || b.rif >= p.hot
	switch {
	case hotA != hotB:
		return hotB
	case hotA:
		return a.rif < b.rif
	}
	return a.lat < b.lat
}

// removeOne removes the oldest and the worst in turns, one a request, so that
// the pool does not come to hold only what nobody wants.
func (p *prequal) removeOne() {
	if len(p.pool) < 3 {
		return
	}
	k := 0
	if p.odd = !p.odd; p.odd {
		for i := range p.pool {
			if p.better(&p.pool[k], &p.pool[i]) {
				k = i
			}
		}
	}
	p.pool = slices.Delete(p.pool, k, k+1)
}
