package lb

import (
	"slices"
	"sync"
	"time"
)

// JoinIdleQueue chooses a node that reported a free core, each report for one
// request, the newest first; without such at random (Lu et al., Join-Idle-Queue,
// 2011). Nodes should send a report for each core that gets free, to one of the
// balancers, drawn at random.
type JoinIdleQueue struct{}

// Picker implements [Policy].
func (JoinIdleQueue) Picker() (Picker, error) { return new(idleQueue), nil }

type idleQueue struct {
	mu    sync.Mutex
	queue []*Member // guarded by mu: newest last, since what it says holds longest
}

const idleQueueMax = 1024

// Done implements [Learner].
func (p *idleQueue) Done(*Member, Event) {}

// Reported implements [Learner].
func (p *idleQueue) Reported(m *Member, r Report, _ time.Duration, _ bool) {
	if float32(r.RIF) >= r.Cores {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == idleQueueMax {
		p.queue = slices.Delete(p.queue, 0, 1)
	}
	p.queue = append(p.queue, m)
}

func (p *idleQueue) Pick(v *View, q Query) int {
	for {
		m := p.next()
		if m == nil {
			return v.random(q.Rand)
		}
		if i := v.Find(m); i >= 0 {
			return i
		}
	}
}

func (p *idleQueue) next() *Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	last := len(p.queue) - 1
	m := p.queue[last]
	p.queue[last] = nil
	p.queue = p.queue[:last]
	return m
}
