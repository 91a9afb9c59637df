package ha

import "slices"

// settleConflicts gives a group up if another member has it by better right, or
// took it over. Each of the two comes to the same result.
func (c *Core) settleConflicts(l *local) {
	for _, p := range c.peers {
		cl := p.claims[l.key]
		if l.phase != asking && l.phase != taking && l.phase != owned {
			return
		}
		if !p.alive || !cl.active() || cl.to == c.key {
			continue
		}
		if l.claim.to == p.key {
			if cl.state == owning || l.group.BreakFirst || c.quorum != nil {
				c.movedAt = c.now
				c.release(l, "handed over to "+p.id, free)
			}
			continue
		}
		if !p.met && c.now-p.aliveSince < c.timing.window() {
			continue
		}
		if c.loses(l, p, cl) {
			c.release(l, p.id+" has it by better right", free)
		}
	}
}

func (c *Core) loses(l *local, p *peer, cl claim) bool {
	mine := l.claim
	if c.quorum != nil {
		if mine.state != cl.state {
			return cl.state == owning
		}
		if mine.state == owning {
			return mine.epoch < cl.epoch
		}
	} else if !p.met || !p.hears {
		return true // it will never know of us
	} else if a, b := l.group.rank(c.self), l.group.rank(p.id); a != b && l.group.Failback >= 0 {
		return a > b
	}
	if mine.since != cl.since {
		return mine.since > cl.since
	}
	return c.self > p.id
}

// offer asks another member to take the group over.
func (c *Core) offer(l *local, to uint64, fixed bool) {
	l.claim.to, l.claim.fixed = to, fixed
	l.offeredAt = c.now
	c.touch(l)
}

// superviseOffer takes an offer back that is not taken.
func (c *Core) superviseOffer(l *local) {
	if l.phase != owned || l.claim.to == 0 {
		return
	}
	c.pendingAt(c.timing.Heartbeat)
	p := c.peerByKey(l.claim.to)
	waited := c.now - l.offeredAt
	if p != nil && p.alive && waited < c.timing.Hook+4*c.timing.window() {
		cl := p.claims[l.key]
		heard := p.knows >= l.claim.version
		if cl.active() || !heard || waited < c.timing.window() && cl.state == free {
			return
		}
	}
	l.claim.to, l.claim.fixed = 0, false
	c.touch(l)
	c.movedAt = c.now // a pause, not the next offer at once
}

func (c *Core) takeOffers() {
	for _, p := range c.peers {
		if !p.alive || !p.met {
			continue
		}
		for _, l := range c.locals {
			cl := p.claims[l.key]
			if cl.to != c.key || cl.state != owning || l.phase != idle || l.removed {
				continue
			}
			if knows, _ := c.knows(p, l); knows && c.eligible && l.claim.state == free && l.group.allows(c.self) {
				c.ask(l, cl.fixed)
			}
		}
	}
}

// order notes what an operator wants; the last word on a group counts.
func (c *Core) order(o order, mine bool) {
	if slices.ContainsFunc(c.orders, func(p pendingOrder) bool { return p.id == o.id }) {
		return
	}
	for i := range c.orders {
		if p := &c.orders[i]; p.group == o.group {
			p.done = true
		}
	}
	c.orders = append(c.orders, pendingOrder{order: o, mine: mine, at: c.now})
	c.dirty, c.soon = true, c.soon || mine
}

// obey executes orders for groups that are here. Those of a group that is about to
// come here wait for it.
func (c *Core) obey() {
	window := c.timing.window()
	c.orders = slices.DeleteFunc(c.orders, func(o pendingOrder) bool { return c.now > o.at+8*window })
	for i := range c.orders {
		o := &c.orders[i]
		if o.done || c.now > o.at+4*window {
			continue
		}
		l := c.local(o.group)
		if l == nil || l.phase != owned || l.claim.to != 0 {
			c.pendingAt(c.timing.Heartbeat)
			continue
		}
		o.done = true
		if p := c.peerByKey(o.to); p != nil && p.alive && p.eligible && c.mayTake(p, l) {
			c.offer(l, o.to, true)
		}
	}
}

// drain offers all groups to others, if there are any.
func (c *Core) drain() {
	if !c.draining || c.left {
		return
	}
	p := c.plan()
	for i := range p.items {
		if it := &p.items[i]; it.at == c.key {
			it.owner = -1
		}
	}
	p.urgent()
	for i := range p.items {
		it := &p.items[i]
		if l := c.local(it.key); it.at == c.key && it.owner >= 0 && l.phase == owned && l.claim.to == 0 && c.now >= l.until {
			l.until = c.now + c.timing.window() // if it is refused, another try
			c.offer(l, p.keys[it.owner], false)
		}
	}
	c.pendingAt(c.timing.Heartbeat)
}
