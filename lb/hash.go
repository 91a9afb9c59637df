package lb

import (
	"math"
	"sync/atomic"
)

// Rendezvous chooses the node that Request.Key scores highest with, in
// proportion to the weights: one that leaves moves its own keys only. All
// balancers agree. It looks at every node.
type Rendezvous struct{}

// Picker implements [Policy].
func (Rendezvous) Picker() (Picker, error) { return rendezvous{}, nil }

type rendezvous struct{}

func (rendezvous) Pick(v *View, q Query) int {
	return v.highest(q.Request.Key, func(*Member) bool { return true })
}

// highest returns the place with the highest score for the key of those that
// may be chosen, or -1.
func (v *View) highest(key uint64, may func(*Member) bool) int {
	best, top := -1, 0.0
	for i, m := range v.members {
		if !may(m) {
			continue
		}
		u := (float64(mix(key^m.hash)>>11) + 0.5) / (1 << 53)
		if s := -m.Weight() / math.Log(u); best < 0 || s > top {
			best, top = i, s
		}
	}
	return best
}

// BoundedHash places keys as [Rendezvous] does, but passes over nodes that have
// more than their share of the requests in flight from this pool: a hot key
// spills to its next nodes (Mirrokni et al., Consistent Hashing with Bounded
// Loads).
type BoundedHash struct {
	// Over is by how much a node may be above the mean; default 0.25.
	Over float64
}

// Picker implements [Policy].
func (c BoundedHash) Picker() (Picker, error) {
	if !(c.Over >= 0) {
		return nil, errRange("BoundedHash.Over", c.Over)
	}
	if c.Over == 0 {
		c.Over = 0.25
	}
	return boundedHash{1 + c.Over}, nil
}

type boundedHash struct{ times float64 }

func (p boundedHash) Pick(v *View, q Query) int {
	sum, weights := 1, 0.0
	for _, m := range v.members {
		sum += m.InFlight()
		weights += m.Weight()
	}
	each := p.times * float64(sum) / weights
	return v.highest(q.Request.Key, func(m *Member) bool {
		return float64(m.InFlight()) < math.Ceil(each*m.Weight())
	})
}

// Maglev chooses by Request.Key from a table that all balancers build alike
// (Eisenbud et al., Maglev, NSDI 2016): one look-up, shares within a percent or
// so of the weights, and few keys that move when a node leaves.
type Maglev struct{}

// Picker implements [Policy].
func (Maglev) Picker() (Picker, error) {
	p := new(maglev)
	p.table.Store(new([]*Member))
	return p, nil
}

type maglev struct {
	table atomic.Pointer[[]*Member]
}

// maglevSize is a prime; a hundred times as many places as nodes keep shares
// within a percent.
const (
	maglevSize  = 65537
	maglevLarge = 655373
)

// Members implements [Joiner].
func (p *maglev) Members(all []*Member) {
	t := fillMaglev(all)
	p.table.Store(&t)
}

// fillMaglev lets each node in turn take the first free place of its own
// permutation of the table, lighter nodes not in every round.
func fillMaglev(all []*Member) []*Member {
	if len(all) == 0 {
		return nil
	}
	size := uint64(maglevSize)
	if len(all) > maglevSize/100 {
		size = maglevLarge
	}
	heaviest := 0.0
	for _, m := range all {
		heaviest = max(heaviest, m.Weight())
	}
	t := make([]*Member, size)
	at := make([]uint64, len(all))
	skip := make([]uint64, len(all))
	turns := make([]float64, len(all))
	for i, m := range all {
		at[i] = mix(m.hash) % size
		skip[i] = mix(m.hash+1)%(size-1) + 1
	}
	for filled := uint64(0); ; {
		for i, m := range all {
			if turns[i] += m.Weight() / heaviest; turns[i] < 1 {
				continue
			}
			turns[i]--
			for t[at[i]] != nil {
				at[i] = (at[i] + skip[i]) % size
			}
			t[at[i]] = m
			if filled++; filled == size {
				return t
			}
		}
	}
}

// Pick tries other places for keys whose node may not be chosen.
func (p *maglev) Pick(v *View, q Query) int {
	t := *p.table.Load()
	h := q.Request.Key
	for range 16 {
		h = mix(h)
		if len(t) == 0 {
			break
		}
		if i := v.Find(t[h%uint64(len(t))]); i >= 0 {
			return i
		}
	}
	return v.highest(q.Request.Key, func(*Member) bool { return true })
}

// hashID is FNV-1a, mixed: the same in every process.
func hashID(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return mix(h)
}
