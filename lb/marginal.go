package lb

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// Marginal is the default: it sends each request where it delays least, itself
// and the others. It looks at all nodes: at what each one's reports said
// (requests in flight there, cores, slowness), as far as that still holds, which
// it learns from the reports, at what this pool has in flight there, and at the
// latencies of its own requests.
//
// It needs no weights; a node's weight counts until its first reply. Nodes that
// do not report are judged by latency alone, as by [PeakEWMA] with Scan, and
// may be mixed with others. Failures make a node dearer, up to four hundredfold.
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
	p := &marginal{probes: max(c.Probes, 0), persists: newPersistence()}
	p.table.Store(new(costTable))
	return p, nil
}

// marginal keeps the cost of each node in a table, so that a pick is one pass
// over a few cache lines. A cost is brought up to date when something happens
// to its node, and a few others with each pick, since time changes them too.
type marginal struct {
	probes   float64
	persists *persistence
	table    atomic.Pointer[costTable]
}

// costTable has the costs by slot, as float32 bits << 32 | place; places are
// constant. A member that left may still write into the cell of the one that
// has its slot now: that is put right by what happens next to that one.
type costTable []atomic.Uint64

// ProbeRate implements [Prober].
func (p *marginal) ProbeRate() float64 { return p.probes }

// Members implements [Joiner]. A new node's cost is 0: it is tried at once, by
// one request.
func (p *marginal) Members(all []*Member) {
	n := 0
	for _, m := range all {
		n = max(n, m.slot+1)
	}
	t := make(costTable, n)
	for slot := range t {
		t[slot].Store(place(slot, n))
	}
	old := *p.table.Load()
	for _, m := range all {
		if m.outlook == nil {
			m.outlook = new(outlook)
		} else if m.slot < len(old) {
			t.set(m.slot, uint32(old[m.slot].Load()>>32))
		}
	}
	p.table.Store(&t)
}

// equal are the bits of a cost that do not count: costs within a fifth of each
// other, which is a tenth of the time, are the same, and the random turn of a
// pick decides. Otherwise all balancers would have the same favourites, for
// differences that are chance.
const equal = 1<<21 - 1

// update brings the cost of m up to date. What has not changed is not written:
// other processors have it in their caches.
func (p *marginal) update(t costTable, m *Member, now time.Duration) {
	if m.slot >= len(t) {
		return // left; m is older than the table
	}
	o := m.outlook
	c, settled := o.cost(m, float32(m.InFlight()), now, p.persists)
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
	t.set(m.slot, math.Float32bits(c)&^equal)
}

// refresh is update for when nothing happened but that time went by.
func (p *marginal) refresh(t costTable, m *Member, now time.Duration) {
	if m.outlook.settled.Load() < int64(now) {
		p.update(t, m, now)
	}
}

func (t costTable) set(slot int, bits uint32) {
	was := t[slot].Load()
	if w := uint64(bits)<<32 | was&math.MaxUint32; w != was {
		t[slot].Store(w)
	}
}

// cost is a node's entry, in ns: the table has squares.
func (t costTable) cost(slot int) float64 {
	return math.Sqrt(float64(math.Float32frombits(uint32(t[slot].Load() >> 32))))
}

// Done implements [Learner].
func (p *marginal) Done(m *Member, e Event) {
	if e.Class == OK && e.Latency > 0 {
		m.outlook.latency.add(e.Now, e.Latency, outlookMemory)
	}
	p.update(*p.table.Load(), m, e.Now)
}

// Reported implements [Learner].
func (p *marginal) Reported(m *Member, r Report, now time.Duration, asked bool) {
	m.outlook.reported(r, m.InFlight(), now, p.persists)
	if asked {
		p.update(*p.table.Load(), m, now)
	}
}

// Pick implements [Picker].
func (p *marginal) Pick(v *View, q Query) int { return p.brief(v, q.Now, q.Rand) }

func (p *marginal) brief(v *View, now time.Duration, r uint64) int {
	t := *p.table.Load()
	n := len(v.members)
	start := below(r, n)
	// Time has changed the costs of two others, perhaps.
	p.refresh(t, v.members[start], now)
	p.refresh(t, v.members[wrap(start+n/2, n)], now)
	if v.dense && n == len(t) {
		return t.least(r)
	}
	best, least := start, uint64(math.MaxUint64)
	for k := range n {
		i := wrap(start+k, n)
		if slot := v.slots[i]; int(slot) < len(t) { // else the table is older than v
			if w := t[slot].Load() >> 32; w < least {
				least, best = w, i
			}
		}
	}
	return best
}

// Slots have places on a circle, at equal distances. For each pick it is turned
// by a random angle, and halves, quarters and so on of it change sides or do
// not: the first of equals is any of them then. The turn alone would prefer the
// first of a cluster, the changes of sides one of three.
const circle = 1 << 31

func place(slot, n int) uint64 { return (uint64(slot)*circle + uint64(n) - 1) / uint64(n) }

// least returns the slot with the least cost. Costs are not negative: such
// floats compare as their bits do, and with the place below them the least is
// found without a branch. Four at a time do not wait for each other.
func (t costTable) least(r uint64) int {
	n, costs := uint64(len(t)), t
	turn, sides := r>>33, r%circle
	a := uint64(math.MaxUint64)
	b, c, d := a, a, a
	for ; len(costs) >= 4; costs = costs[4:] {
		a = min(a, (costs[0].Load()+turn)&^circle^sides)
		b = min(b, (costs[1].Load()+turn)&^circle^sides)
		c = min(c, (costs[2].Load()+turn)&^circle^sides)
		d = min(d, (costs[3].Load()+turn)&^circle^sides)
	}
	for i := range costs {
		a = min(a, (costs[i].Load()+turn)&^circle^sides)
	}
	at := (min(a, b, c, d) ^ sides - turn) % circle
	return int(at * n / circle)
}

// wrap is i modulo n for i below 2n, without a division.
func wrap(i, n int) int {
	if i >= n {
		i -= n
	}
	return i
}

// sent implements sender: one more is in flight there.
func (p *marginal) sent(m *Member, now time.Duration) { p.update(*p.table.Load(), m, now) }
