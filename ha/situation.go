package ha

import "slices"

// plan is the assignment as it is now.
func (c *Core) plan() *plan {
	var ids []string
	if c.eligible {
		ids = append(ids, c.self)
	}
	for _, p := range c.peers {
		if p.alive && p.met && p.eligible {
			ids = append(ids, p.id)
		}
	}
	var groups []Group
	for _, l := range c.locals {
		if !l.removed && !c.mismatch(l) {
			groups = append(groups, l.group)
		}
	}
	p := newPlan(groups, ids)
	for i := range p.items {
		it := &p.items[i]
		l := c.local(it.key)
		var cl claim
		cl, it.at = c.claimant(l)
		if it.at != 0 {
			it.owner = slices.Index(p.keys, it.at)
		}
		it.fixed = cl.fixed
		it.may = make([]bool, len(p.ids))
		for m, id := range p.ids {
			if q := c.peer(id); q != nil {
				it.may[m] = c.mayTake(q, l)
			} else {
				it.may[m] = l.group.allows(id) && (l.claim.state != refused && !c.blocked(l))
			}
			it.may[m] = it.may[m] || m == it.owner
		}
		for _, id := range l.group.Prefer {
			if m := p.index(id); m >= 0 && it.may[m] {
				it.pin = m
				break
			}
		}
		if it.owner >= 0 && it.pin >= 0 && it.pin != it.owner {
			back := c.now - c.eligibleAt
			if q := c.peer(p.ids[it.pin]); q != nil {
				back = c.now - q.eligibleAt
			}
			if it.fixed || l.group.Failback < 0 || back < l.group.Failback {
				it.pin, it.fixed = -1, true
			}
		}
	}
	return p
}

func (c *Core) mayTake(p *peer, l *local) bool {
	knows, _ := c.knows(p, l)
	return knows && l.group.allows(p.id) && p.claims[l.key].state != refused
}

// mismatch reports whether a member has another definition of the group.
func (c *Core) mismatch(l *local) bool {
	for _, p := range c.peers {
		if !p.alive || !p.met {
			continue
		}
		if _, differs := c.knows(p, l); differs {
			if !l.mismatched {
				l.mismatched = true
				c.report(Event{Kind: Mismatch, Group: l.group.Name, Member: p.id})
			}
			return true
		}
	}
	l.mismatched = false
	return false
}

// claimant is who serves the group, or is about to: the newest term if it is
// being handed over. Key 0 means nobody.
func (c *Core) claimant(l *local) (best claim, key uint64) {
	see := func(cl claim, who uint64) {
		serves := cl.active() || cl.state == leaving && (l.group.BreakFirst || c.quorum != nil)
		if serves && (key == 0 || cl.epoch > best.epoch) {
			best, key = cl, who
		}
	}
	see(l.claim, c.key)
	for _, p := range c.peers {
		if p.alive {
			see(p.claims[l.key], p.key)
		}
	}
	return best, key
}

// agreed reports whether all members believe in the same ones, and all tables of
// claims are known here.
func (c *Core) agreed() (views, tables bool) {
	views, tables = true, true
	for _, p := range c.peers {
		switch {
		case !p.alive:
		case p.met:
			views = views && p.view == c.view
			tables = tables && p.have == p.version
		case c.now-p.aliveSince < c.timing.window():
			tables = false
		}
	}
	return views, tables
}
