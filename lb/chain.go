package lb

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Step narrows down or reorders the nodes for one request, before the policy
// chooses among those that are left: a candidacy function as mod_backhand had
// them. Steps run on the caller's goroutine, in order, and must not block or
// keep c. A panic goes on to the caller of Acquire; nothing is held then.
type Step func(r *Request, c *Candidates)

// Candidates are the nodes that may still be chosen for a request.
type Candidates struct {
	v      *View
	usable *View // what may be chosen at all
	now    time.Duration
	rnd    uint64
}

// Len returns how many are left.
func (c *Candidates) Len() int { return len(c.v.members) }

// At returns candidate i.
func (c *Candidates) At(i int) *Member { return c.v.members[i] }

// Now returns the pool's time, as in Member.Report.
func (c *Candidates) Now() time.Duration { return c.now }

// Keep drops the candidates for which f is false.
func (c *Candidates) Keep(f func(*Member) bool) {
	c.v.members = slices.DeleteFunc(c.v.members, func(m *Member) bool { return !f(m) })
}

// Truncate drops all but the first n.
func (c *Candidates) Truncate(n int) {
	if n = max(n, 0); n < len(c.v.members) {
		clear(c.v.members[n:])
		c.v.members = c.v.members[:n]
	}
}

// Sort orders the candidates by cost, the cheapest first; equals stay in order.
func (c *Candidates) Sort(cost func(*Member) float64) {
	slices.SortStableFunc(c.v.members, func(a, b *Member) int { return cmp.Compare(cost(a), cost(b)) })
}

// Shuffle puts the candidates in random order.
func (c *Candidates) Shuffle() {
	l := c.v.members
	for i := len(l) - 1; i > 0; i-- {
		c.rnd = mix(c.rnd)
		j := below(c.rnd, i+1)
		l[i], l[j] = l[j], l[i]
	}
}

// ByAge keeps the nodes whose report is not older than age; if there are none,
// all.
func ByAge(age time.Duration) Step {
	return func(_ *Request, c *Candidates) {
		c.keepSome(func(m *Member) bool {
			_, at, ok := m.Report()
			return ok && c.now-at <= age
		})
	}
}

// ByAttr keeps the nodes that have the attribute with that value.
func ByAttr(name, value string) Step {
	return func(_ *Request, c *Candidates) {
		c.Keep(func(m *Member) bool { return m.Node().Attr[name] == value })
	}
}

// ByTier keeps the nodes whose attribute "tier" is the request's tier, in
// digits, and those that have no such attribute and serve all.
func ByTier() Step {
	return func(r *Request, c *Candidates) {
		c.Keep(func(m *Member) bool {
			t, has := m.Node().Attr["tier"]
			return !has || t == strconv.Itoa(int(r.Tier))
		})
	}
}

// ByPriority keeps the nodes whose attribute "priority" is the lowest number
// among the candidates: others are for when these are down. Without the
// attribute, or with one that is no number, it is 0.
func ByPriority() Step {
	return func(_ *Request, c *Candidates) {
		if c.Len() == 0 {
			return
		}
		lowest := c.At(0).priority()
		for _, m := range c.v.members {
			lowest = min(lowest, m.priority())
		}
		c.Keep(func(m *Member) bool { return m.priority() == lowest })
	}
}

// Shuffle puts the nodes in random order.
func Shuffle() Step { return func(_ *Request, c *Candidates) { c.Shuffle() } }

// LogWindow keeps the first log2 n nodes, rounded up: after Shuffle and before
// ByCost it keeps balancers that all hear the same from doing the same, which
// mod_backhand's authors found.
func LogWindow() Step {
	return func(_ *Request, c *Candidates) {
		n := 0
		for 1<<n < c.Len() {
			n++
		}
		c.Truncate(max(n, 1))
	}
}

// ByCost keeps the one node that costs least, the first among equals.
func ByCost(cost func(*Member) float64) Step {
	return func(_ *Request, c *Candidates) {
		if c.Len() == 0 {
			return
		}
		best, least := 0, cost(c.At(0))
		for i, m := range c.v.members {
			if x := cost(m); x < least {
				best, least = i, x
			}
		}
		c.v.members[0] = c.v.members[best]
		c.Truncate(1)
	}
}

// keepSome is Keep unless that leaves none.
func (c *Candidates) keepSome(f func(*Member) bool) {
	if slices.ContainsFunc(c.v.members, f) {
		c.Keep(f)
	}
}
