package lb

import (
	"math"
	"strconv"
)

// Overflow is [ByPriority] that does not wait until all nodes of a priority are
// down: as soon as too few of them are usable, the next priority gets a part of
// the requests, so that the rest is not overloaded (Envoy's priority levels).
// A priority is given as much as the share of its nodes that are usable times
// factor; what is left goes to the next. With a factor of 1.4 the second
// priority gets something when less than 71 % of the first can be used, and all
// when none can. A factor below 1 counts as 1.
//
// The nodes that drain count neither as usable nor as nodes. While the nodes of
// the priority that was drawn are at their limit or excluded, the next one
// serves, and if there is none, one before it.
func Overflow(factor float64) Step {
	if !(factor >= 1) {
		factor = 1
	}
	return func(_ *Request, c *Candidates) {
		if c.Len() == 0 {
			return
		}
		c.rnd = mix(c.rnd)
		at := draw(c.usable.byPriority, factor, float64(c.rnd>>11)/(1<<53))
		// The first at or after the one that was drawn that has candidates, else
		// the last before it.
		best := math.MinInt
		for _, m := range c.v.members {
			n := m.priority()
			if best == math.MinInt || n >= at && (best < at || n < best) || n < at && best < at && n > best {
				best = n
			}
		}
		c.Keep(func(m *Member) bool { return m.priority() == best })
	}
}

// level is the nodes of one priority.
type level struct {
	priority      int
	usable, nodes int
}

// draw returns the priority that x, from 0 to 1, falls to. Levels are in order.
func draw(levels []level, factor, x float64) int {
	sum := 0.0
	for _, l := range levels {
		sum += l.can(factor)
	}
	scale := min(sum, 1) // all together too weak: in proportion
	for _, l := range levels {
		if x -= l.can(factor) / max(scale, 1e-9); x < 0 {
			return l.priority
		}
	}
	return levels[len(levels)-1].priority
}

func (l level) can(factor float64) float64 {
	return min(float64(l.usable)/float64(l.nodes)*factor, 1)
}

// priority is the attribute of that name; 0 if it is none, or no number.
func (m *Member) priority() int {
	n, _ := strconv.Atoi(m.Node().Attr["priority"])
	return n
}
