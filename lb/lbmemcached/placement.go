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
	entries  atomic.Pointer[table]
	counting atomic.Pointer[count]
}

// table is the members, each at the place of its slot.
type table struct {
	entries []*entry
	level   bool // all weights are equal
}

// entry is one member.
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
	t := &table{level: true}
	for _, m := range all {
		for len(t.entries) <= m.Slot() {
			t.entries = append(t.entries, nil)
		}
		id := m.Node().ID
		t.entries[m.Slot()] = &entry{m: m, hash: hash(id), segments: p.cluster.segmentsOf(id), state: p.cluster.states[id]}
		t.level = t.level && m.Weight() == all[0].Weight()
	}
	p.entries.Store(t)
	p.counting.Store(&count{begin: math.MinInt64 / 2, picks: make([]atomic.Int64, len(t.entries))})
}

// Pick implements lb.Picker. The request's Any is the segment.
func (p *placement) Pick(v *lb.View, q lb.Query) int {
	segment, _ := q.Request.Any.(uint8)
	t := p.entries.Load()
	if p.stay {
		// The home of the key, whether it can be used or not.
		best := highest{key: q.Request.Key, segment: segment, level: t.level, at: -1}
		for i, e := range t.entries {
			best.see(i, e)
		}
		if best.at < 0 || t.entries[best.at].state.out.Load() {
			return -1
		}
		return v.Find(t.entries[best.at].m)
	}
	if p.times > 0 {
		return p.bounded(t, v, q, segment)
	}
	best := highest{key: q.Request.Key, segment: segment, level: t.level, at: -1}
	for i := range v.Len() {
		best.see(i, t.usable(v.At(i)))
	}
	return best.at
}

// usable returns the entry of a member that may have keys, or nil.
func (t *table) usable(m *lb.Member) *entry {
	i := m.Slot()
	// Membership may have changed since the view was made.
	if i >= len(t.entries) || t.entries[i] == nil || t.entries[i].m != m || t.entries[i].state.out.Load() {
		return nil
	}
	return t.entries[i]
}

// highest finds the entry with the highest score for a key among those of its
// segment.
type highest struct {
	key     uint64
	segment uint8
	level   bool // the weights do not matter
	at      int  // of the best that was seen; -1: none
	word    uint64
	score   float64
}

// see looks at entry e, which may be nil, at the place i. Score is -w/ln(u) for
// a number u that the key and the ID give: for equal weights it has the order of
// u itself.
func (h *highest) see(i int, e *entry) {
	if e == nil || e.segments>>h.segment&1 == 0 {
		return
	}
	word := mix(h.key^e.hash) >> 11
	if h.level {
		if h.at < 0 || word > h.word {
			h.at, h.word = i, word
		}
		return
	}
	if s := -e.m.Weight() / math.Log((float64(word)+0.5)/(1<<53)); h.at < 0 || s > h.score {
		h.at, h.score = i, s
	}
}

// bounded passes over nodes that have had more than their share of the picks of
// this window (after Mirrokni, Thorup and Zadimoghaddam, 2017; they bound what
// is in flight, which a selector does not know).
func (p *placement) bounded(t *table, v *lb.View, q lb.Query, segment uint8) int {
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
		if e := t.usable(v.At(i)); e != nil && e.segments>>segment&1 == 1 {
			weights += e.m.Weight()
		}
	}
	share := p.times * float64(c.total.Load()+1) / weights
	home := highest{key: q.Request.Key, segment: segment, level: t.level, at: -1}
	best := home
	for i := range v.Len() {
		e := t.usable(v.At(i))
		home.see(i, e)
		if e == nil {
			continue
		}
		if s := e.m.Slot(); s >= len(c.picks) || c.picks[s].Load() < max(least, int64(math.Ceil(share*e.m.Weight()))) {
			best.see(i, e)
		}
	}
	if best.at < 0 { // others took the last places meanwhile
		best = home
	}
	if best.at >= 0 {
		c.total.Add(1)
		if s := v.At(best.at).Slot(); s < len(c.picks) {
			c.picks[s].Add(1)
		}
	}
	return best.at
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
