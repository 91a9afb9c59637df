package lb

import "time"

// Random chooses at random, in proportion to the weights.
type Random struct{}

// Picker implements [Policy].
func (Random) Picker() (Picker, error) { return randomPicker{}, nil }

type randomPicker struct{}

func (randomPicker) Pick(v *View, q Query) int { return v.random(q.Rand) }

func (randomPicker) brief(v *View, _ time.Duration, r uint64) int { return v.random(r) }

// random draws one by weight: it proposes any, and accepts it in proportion.
// The proposals end after a while, for weights that differ a millionfold.
func (v *View) random(r uint64) int {
	i := below(r, len(v.members))
	if v.level {
		return i
	}
	for range 64 {
		r = mix(r)
		if float64(r>>11)/(1<<53)*v.heaviest < v.members[i].Weight() {
			return i
		}
		r = mix(r)
		i = below(r, len(v.members))
	}
	return v.byWeight(r)
}

// byWeight draws one by weight in one pass over all.
func (v *View) byWeight(r uint64) int {
	var sum float64
	for _, m := range v.members {
		sum += m.Weight()
	}
	x := float64(r>>11) / (1 << 53) * sum
	for i, m := range v.members {
		if x -= m.Weight(); x < 0 {
			return i
		}
	}
	return len(v.members) - 1
}
