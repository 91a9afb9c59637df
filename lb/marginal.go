package lb

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// Marginal is the default: it sends each request where it delays least, itself
// and the others. It looks at all nodes: at what each one's reports said
// (requests in flight there, cores, slowness), as far as that still holds, at
// what this pool has in flight there, and at the latencies of its own requests.
//
// It needs no weights; a node's weight counts until its first reply. Nodes that
// do not report are judged by latency alone, as by [PeakEWMA] with Scan, and
// may be mixed with others. Failures make a node dearer, up to a hundredfold.
//
// docs/lb.md has its tables, and says when it loses.
type Marginal struct {
	// Probes is how many nodes are asked for a report for each request, so that
	// the state of those is known that have no requests from here; default 1,
	// negative none. It matters where a balancer sends each node few requests.
	// It needs somebody who asks: see [Pool.ProbeTarget].
	Probes float64
}

// Picker implements [Policy].
func (c Marginal) Picker() (Picker, error) {
	switch {
	case !(c.Probes <= 100):
		return nil, fmt.Errorf("lb: Marginal.Probes is %v, want at most 100", c.Probes)
	case c.Probes == 0:
		c.Probes = 1
	}
	p := &marginal{probes: max(c.Probes, 0)}
	p.table.Store(new(costTable))
	return p, nil
}

// marginal keeps the cost of each node in a table, so that a pick is one pass
// over a few cache lines. A cost is brought up to date when something happens
// to its node, and a few others with each pick, since time changes them too.
type marginal struct {
	probes float64
	table  atomic.Pointer[costTable]
}

// costTable is indexed by slot. The slices do not change, what they hold does.
type costTable struct {
	costs    []atomic.Uint32 // float32 bits
	outlooks []*outlook
	members  []*Member // nil where no member has the slot
}

// ProbeRate implements [Prober].
func (p *marginal) ProbeRate() float64 { return p.probes }

// Members implements [Joiner]. A new node's cost is 0: it is tried at once, by
// one request.
func (p *marginal) Members(all []*Member) {
	old := p.table.Load()
	known := make(map[string]int, len(old.members))
	for slot, m := range old.members {
		if m != nil {
			known[m.node.ID] = slot
		}
	}
	n := 0
	for _, m := range all {
		n = max(n, m.slot+1)
	}
	t := &costTable{
		costs:    make([]atomic.Uint32, n),
		outlooks: make([]*outlook, n),
		members:  make([]*Member, n),
	}
	for _, m := range all {
		t.members[m.slot], t.outlooks[m.slot] = m, new(outlook)
		if slot, ok := known[m.node.ID]; ok {
			t.outlooks[m.slot] = old.outlooks[slot]
			t.costs[m.slot].Store(old.costs[slot].Load())
		}
	}
	p.table.Store(t)
}

// update brings the cost of m up to date. Members that left are passed over.
// What has not changed is not written: other processors have it in their caches.
func (t *costTable) update(m *Member, now time.Duration) {
	if !t.has(m) {
		return
	}
	o := t.outlooks[m.slot]
	c, settled := o.cost(m, float32(m.InFlight()), now)
	if m.failRate.Load() != 0 {
		charge := float32(m.charge(now))
		c *= charge * charge
		settled = false
	}
	if at := o.settled.Load(); settled && at < int64(now) {
		o.settled.Store(int64(now + settledFor))
	} else if !settled && at != 0 {
		o.settled.Store(0)
	}
	if bits := math.Float32bits(c); bits != t.costs[m.slot].Load() {
		t.costs[m.slot].Store(bits)
	}
}

// refresh is update for when nothing happened but that time went by.
func (t *costTable) refresh(m *Member, now time.Duration) {
	if t.has(m) && t.outlooks[m.slot].settled.Load() < int64(now) {
		t.update(m, now)
	}
}

// cost is a node's entry, in ns: the table has squares.
func (t *costTable) cost(slot int) float64 {
	return math.Sqrt(float64(math.Float32frombits(t.costs[slot].Load())))
}

func (t *costTable) has(m *Member) bool { return m.slot < len(t.members) && t.members[m.slot] == m }

// Done implements [Learner].
func (p *marginal) Done(m *Member, e Event) {
	t := p.table.Load()
	if t.has(m) && e.Class == OK && e.Latency > 0 {
		t.outlooks[m.slot].latency.add(e.Now, e.Latency, outlookMemory)
	}
	t.update(m, e.Now)
}

// Reported implements [Learner].
func (p *marginal) Reported(m *Member, r Report, now time.Duration, asked bool) {
	t := p.table.Load()
	if !t.has(m) {
		return
	}
	t.outlooks[m.slot].reported(r, m.InFlight(), now)
	if asked {
		t.update(m, now)
	}
}

// Pick implements [Picker].
func (p *marginal) Pick(v *View, q Query) int { return p.brief(v, q.Now, q.Rand) }

func (p *marginal) brief(v *View, now time.Duration, r uint64) int {
	t := p.table.Load()
	n := len(v.members)
	start := below(r, n)
	// Time has changed the costs of two others, perhaps.
	t.refresh(v.members[start], now)
	t.refresh(v.members[wrap(start+n/2, n)], now)
	// Costs are not negative: such floats compare as their bits do. Place and
	// cost in one word make the least of them one instruction without a branch;
	// places count from start, so that it is the first among equals.
	least := uint64(math.MaxUint64)
	if v.dense && n <= len(t.costs) {
		costs := t.costs[:n]
		for i := range costs[start:] {
			least = min(least, uint64(costs[start+i].Load())<<32|uint64(i))
		}
		for i := range costs[:start] {
			least = min(least, uint64(costs[i].Load())<<32|uint64(n-start+i))
		}
	} else {
		for k := range n {
			slot := v.slots[wrap(start+k, n)]
			if int(slot) < len(t.costs) { // else the table is older than v
				least = min(least, uint64(t.costs[slot].Load())<<32|uint64(k))
			}
		}
	}
	return wrap(start+int(uint32(least)), n)
}

// wrap is i modulo n for i below 2n, without a division.
func wrap(i, n int) int {
	if i >= n {
		i -= n
	}
	return i
}

// sent implements sender: one more is in flight there.
func (p *marginal) sent(m *Member, now time.Duration) { p.table.Load().update(m, now) }
