package lb

import (
	"context"
	"slices"
)

// Choice is how one node fared in the choice of a node for a request.
type Choice struct {
	Node   *Node
	Chosen bool
	// Why says in a word what became of it: "chosen", "candidate" (it could have
	// been), "excluded", "limit", "step" (a candidacy step dropped it), or why it
	// may not be used now: "draining", "unchecked", "down", "ejected"; "starting" if it is new
	// and had its share for the moment.
	Why string
	// Cost is what the policy went by, less is better, in units of its own; 0 if
	// it has no such thing.
	Cost float64
	// InFlight and FailRate are what they were.
	InFlight int
	FailRate float64
}

// coster is an optional ability of our own pickers: to say what they go by.
type coster interface {
	costOf(m *Member, q Query) float64
}

// Explain chooses a node for a request like r, sends nothing and gives no
// lease, and says how each node fared, in order of their IDs. The real request
// may go elsewhere: things change, and chance has a part. It is for people who
// ask why, not for each request.
func (p *Pool) Explain(ctx context.Context, r Request) ([]Choice, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	now := p.now()
	q := Query{Now: now, Rand: p.random(), Request: r}
	p.change(func() {})
	v := p.view.Load()
	c := new(View)
	var could []*Member
	chosen := -1
	if p.narrow(c, v, &q, func(c *View) { could = slices.Clone(c.members) }) == nil {
		c.weigh()
		chosen = p.policy.Pick(c, q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Choice, len(p.members))
	for i, m := range p.members {
		ch := Choice{Node: m.Node(), InFlight: m.InFlight(), FailRate: m.FailRate(now)}
		if k, ok := p.policy.(coster); ok {
			ch.Cost = k.costOf(m, q)
		}
		switch {
		case chosen >= 0 && c.members[chosen] == m:
			ch.Chosen, ch.Why = true, "chosen"
		case chosen >= 0 && slices.Contains(c.members, m):
			ch.Why = "candidate"
		case slices.Contains(could, m):
			ch.Why = "step"
		case excluded(r.Exclude, m.Node()):
			ch.Why = "excluded"
		case v.Find(m) >= 0 && p.full(m):
			ch.Why = "limit"
		default:
			ch.Why = m.status(now)
		}
		list[i] = ch
	}
	return list, nil
}

func (p *marginal) costOf(m *Member, _ Query) float64 {
	t := *p.table.Load()
	if m.slot >= len(t) {
		return 0
	}
	return t.cost(m.slot)
}

func (ewmaTwo) costOf(m *Member, q Query) float64  { return m.ewmaCost(q.Now) }
func (ewmaScan) costOf(m *Member, q Query) float64 { return m.ewmaCost(q.Now) }

func (leastInFlight) costOf(m *Member, _ Query) float64 {
	return float64(m.InFlight()+1) / m.Weight()
}

func (twoChoices) costOf(m *Member, _ Query) float64 {
	return float64(m.InFlight()+1) / m.Weight()
}
