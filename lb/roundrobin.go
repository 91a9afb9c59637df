package lb

import (
	"sync/atomic"
	"time"
)

// RoundRobin takes the nodes in turn, each as often as its weight says and
// evenly spread. A change of membership does not begin anew. It knows nothing
// of load: one slow node fills up.
type RoundRobin struct{}

// Picker implements [Policy].
func (RoundRobin) Picker() (Picker, error) { return new(roundRobin), nil }

type roundRobin struct {
	turn atomic.Uint64
}

func (p *roundRobin) Pick(v *View, _ Query) int { return p.brief(v, 0, 0) }

// brief passes over a node in as many of its turns as its weight is smaller
// than the heaviest: in round g a node of weight w out of h has its turn when
// g*w/h passes a whole number (a stride scheduler without state). A node's
// place shifts its turns, so that equal nodes do not rest in the same round.
func (p *roundRobin) brief(v *View, _ time.Duration, _ uint64) int {
	n := uint64(len(v.members))
	if v.level {
		return int((p.turn.Add(1) - 1) % n)
	}
	const scale = 1 << 16
	for {
		k := p.turn.Add(1) - 1
		i := k % n
		w := max(uint64(v.members[i].Weight()/v.heaviest*scale), 1)
		at := (k/n*w + i*(scale/2)) % scale
		if at+w >= scale {
			return int(i)
		}
	}
}
