package lb

import (
	"fmt"
	"time"
)

// LeastInFlight chooses the node with the fewest requests in flight from this
// pool, in proportion to its weight; among equals the first after a random
// place. With several balancers each sees only its own requests, and all
// together pile up on slow nodes.
type LeastInFlight struct{}

// Picker implements [Policy].
func (LeastInFlight) Picker() (Picker, error) { return leastInFlight{}, nil }

type leastInFlight struct{}

func (p leastInFlight) Pick(v *View, q Query) int { return p.brief(v, q.Now, q.Rand) }

func (leastInFlight) brief(v *View, _ time.Duration, r uint64) int {
	n := len(v.members)
	start := below(r, n)
	best, least := -1, 0.0
	for k := range n {
		i := start + k
		if i >= n {
			i -= n
		}
		m := v.members[i]
		if c := float64(m.InFlight()+1) / m.Weight(); best < 0 || c < least {
			best, least = i, c
		}
	}
	return best
}

// PowerOfD looks at D nodes drawn at random and chooses the one with the fewest
// requests in flight from this pool, in proportion to its weight (Mitzenmacher,
// The Power of Two Choices).
type PowerOfD struct {
	D int // how many to look at; default 2
}

// Picker implements [Policy].
func (c PowerOfD) Picker() (Picker, error) {
	switch {
	case c.D < 0:
		return nil, fmt.Errorf("lb: PowerOfD.D is %d, want at least 1", c.D)
	case c.D == 0 || c.D == 2:
		return twoChoices{}, nil
	}
	return dChoices{c.D}, nil
}

// twoOf draws two different places out of n, which is at least 2.
func twoOf(r uint64, n int) (int, int) {
	i := below(r<<32, n)
	j := below(r&^(1<<32-1), n-1)
	if j >= i {
		j++
	}
	return i, j
}

type twoChoices struct{}

func (p twoChoices) Pick(v *View, q Query) int { return p.brief(v, q.Now, q.Rand) }

func (twoChoices) brief(v *View, _ time.Duration, r uint64) int {
	if len(v.members) == 1 {
		return 0
	}
	i, j := twoOf(r, len(v.members))
	a, b := v.members[i], v.members[j]
	if v.level {
		if b.InFlight() < a.InFlight() {
			return j
		}
		return i
	}
	if float64(b.InFlight()+1)*a.Weight() < float64(a.InFlight()+1)*b.Weight() {
		return j
	}
	return i
}

type dChoices struct{ d int }

func (p dChoices) Pick(v *View, q Query) int {
	n := len(v.members)
	r := q.Rand
	best, least := -1, 0.0
	for range min(p.d, n) {
		i := below(r, n)
		r = mix(r)
		m := v.members[i]
		if c := float64(m.InFlight()+1) / m.Weight(); best < 0 || c < least {
			best, least = i, c
		}
	}
	return best
}
