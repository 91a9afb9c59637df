package lbmemcached

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// placement chooses the node for a key. It is an lb policy, and its picker.
type placement struct {
	cluster  *layout
	stay     bool          // a key whose node is out has none
	times    float64       // 1 + Config.Over; 0: no bound
	window   time.Duration // over which picks are counted
	entries  atomic.Pointer[[]*entry]
	counting atomic.Pointer[count]
}

// entry is one member, at the place of its slot.
type entry struct {
	m        *lb.Member
	hash     uint64
	segments uint64 // bits of those that it belongs to; bit 0: keys without one
	state    *state
}

// count is the picks of one window, by slot.
type count struct {
	begin time.Duration
	total atomic.Int64
	picks []atomic.Int64
}

// least is how many picks a node may always have in a window: of so few, some
// are many by chance.
const least = 32

func (p *placement) Picker() (lb.Picker, error) { return p, nil }

// Members implements lb.Joiner.
func (p *placement) Members(all []*lb.Member) {
	var table []*entry
	for _, m := range all {
		for len(table) <= m.Slot() {
			table = append(table, nil)
		}
		id := m.Node().ID
		table[m.Slot()] = &entry{m: m, hash: hash(id), segments: p.cluster.segmentsOf(id), state: p.cluster.states[id]}
	}
	p.entries.Store(&table)
	p.counting.Store(&count{begin: math.MinInt64 / 2, picks: make([]atomic.Int64, len(table))})
}

// Pick implements lb.Picker. The request's Any is the segment.
func (p *placement) Pick(v *lb.View, q lb.Query) int {
	segment, _ := q.Request.Any.(uint8)
	table := *p.entries.Load()
	if p.stay {
		// The home of the key, whether it can be used or not.
		best := p.highest(q.Request.Key, segment, len(table), func(i int) *entry { return table[i] }, always)
		if best < 0 || table[best].state.out.Load() {
			return -1
		}
		return v.Find(table[best].m)
	}
	at := func(i int) *entry {
		m := v.At(i)
		// Membership may have changed since v was made.
		if m.Slot() >= len(table) || table[m.Slot()] == nil || table[m.Slot()].m != m || table[m.Slot()].state.out.Load() {
			return nil
		}
		return table[m.Slot()]
	}
	if p.times == 0 {
		return p.highest(q.Request.Key, segment, v.Len(), at, always)
	}
	return p.bounded(v, q, segment, at)
}

func always(*entry) bool { return true }

// highest returns which of n entries has the highest score for the key among
// those of the segment that may have it, or -1.
func (p *placement) highest(key uint64, segment uint8, n int, at func(int) *entry, may func(*entry) bool) int {
	best, top := -1, 0.0
	for i := range n {
		e := at(i)
		if e == nil || e.segments>>segment&1 == 0 || !may(e) {
			continue
		}
		u := (float64(mix(key^e.hash)>>11) + 0.5) / (1 << 53)
		if s := -e.m.Weight() / math.Log(u); best < 0 || s > top {
			best, top = i, s
		}
	}
	return best
}

// bounded passes over nodes that have had more than their share of the picks of
// this window (after Mirrokni, Thorup and Zadimoghaddam, 2017; they bound what
// is in flight, which a selector does not know).
func (p *placement) bounded(v *lb.View, q lb.Query, segment uint8, at func(int) *entry) int {
	c := p.counting.Load()
	if q.Now-c.begin >= p.window {
		next := &count{begin: q.Now, picks: make([]atomic.Int64, len(c.picks))}
		if p.counting.CompareAndSwap(c, next) {
			c = next
		} else {
			c = p.counting.Load()
		}
	}
	weights := 0.0
	for i := range v.Len() {
		if e := at(i); e != nil && e.segments>>segment&1 == 1 {
			weights += e.m.Weight()
		}
	}
	total := float64(c.total.Load() + 1)
	i := p.highest(q.Request.Key, segment, v.Len(), at, func(e *entry) bool {
		s := e.m.Slot()
		return s >= len(c.picks) || c.picks[s].Load() < max(least, int64(math.Ceil(p.times*total*e.m.Weight()/weights)))
	})
	if i < 0 { // others took the last places meanwhile
		i = p.highest(q.Request.Key, segment, v.Len(), at, always)
	}
	if i >= 0 {
		c.total.Add(1)
		if s := v.At(i).Slot(); s < len(c.picks) {
			c.picks[s].Add(1)
		}
	}
	return i
}

// hash is FNV-1a with its bits mixed: the same in every process, since all
// clients must agree. It must never change.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
