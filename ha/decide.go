package ha

import (
	"slices"
	"time"
)

// decide looks at everything that is known, and acts. It is called when something
// changed, and when pendingAt asked for it.
func (c *Core) decide() {
	c.dirty = false
	c.lookAt = c.now + 10*c.timing.Heartbeat
	before := c.version
	c.judgeRole()
	for _, l := range c.locals {
		c.retry(l)
		c.settleConflicts(l)
		c.superviseOffer(l)
		c.proceed(l)
	}
	c.takeOffers()
	c.obey()
	c.drain()
	c.takeOrphans()
	c.rebalance()
	if c.version != before || c.dirty {
		c.dirty = false
		c.pendingAt(c.timing.Heartbeat / 4)
	}
}

// pendingAt makes decide look again soon.
func (c *Core) pendingAt(d time.Duration) { c.lookAt = min(c.lookAt, c.now+d) }

// judgeRole finds what this member may do, and which members it believes in.
func (c *Core) judgeRole() {
	t := c.timing
	present := []string{c.self}
	judges, deaf := 0, 0
	waiting, unripe, served := false, false, false
	for _, p := range c.peers {
		if !p.alive {
			continue
		}
		if !p.indirect {
			present = append(present, p.id)
		}
		if c.now-p.aliveSince > 2*t.window() {
			judges++
			if c.now-p.hearsMe > 2*t.window() {
				deaf++
			}
		}
		waiting = waiting || !p.met && c.now-p.aliveSince < t.window() || p.met && p.have != p.version
		unripe = unripe || p.met && !p.ripe
		for _, cl := range p.claims {
			served = served || cl.active()
		}
	}
	if u := 2*deaf > judges; u != c.unheard {
		if c.unheard = u; u {
			c.report(Event{Kind: Unheard})
		}
	}
	quorate := c.quorum == nil || c.quorum.Reached(present, c.members)
	if age := c.now - c.began; !c.mature && age >= t.Maturity {
		// At the birth of a cluster, the first does not take everything while
		// others are about to be ready.
		birth := unripe && !served && age < t.Maturity+t.Maturity/2
		twin := c.duplicate != 0 && c.now-c.duplicate <= t.Maturity
		if !waiting && !birth && !twin {
			c.mature, c.soon = true, true
			c.report(Event{Kind: Matured})
		} else {
			c.pendingAt(t.Heartbeat)
		}
	} else if !c.mature {
		c.pendingAt(max(t.Maturity-age, t.Heartbeat))
	}
	if !c.mature || c.unheard || c.left {
		for _, l := range c.locals {
			if l.phase == asking || l.phase == taking || l.phase == owned {
				c.release(l, "this member may not own groups", free)
			}
		}
	}
	if e := c.mature && !c.unheard && !c.left && !c.draining && quorate; e != c.eligible {
		c.eligible, c.eligibleAt, c.soon = e, c.now, true
	}
	view := believed(c.key, c.boot, c.eligible)
	for _, p := range c.peers {
		if p.alive && p.met {
			view ^= believed(p.key, p.boot, p.eligible)
		}
	}
	if view != c.view {
		c.view, c.viewAt, c.soon = view, c.now, true
	}
}

func believed(key, boot uint64, eligible bool) uint64 {
	if eligible {
		key = mix(key)
	}
	return mix(key ^ mix(boot))
}

// retry ends a refusal, and tries again to remove addresses.
func (c *Core) retry(l *local) {
	switch {
	case l.phase == idle && l.claim.state == refused && c.now >= l.until && !c.blocked(l):
		c.set(l, free)
	case l.phase == idle && l.claim.state == free && c.blocked(l):
		c.set(l, refused)
	case l.phase == detaching && l.op == 0 && c.now >= l.until:
		c.do(l, Detach)
	}
	if l.claim.state == refused || l.phase == detaching {
		c.pendingAt(max(l.until-c.now, c.timing.Heartbeat))
	}
}

// takeOrphans takes groups that nobody serves, as far as the assignment gives
// them to this member. It does not wait for agreement for longer than a heartbeat.
func (c *Core) takeOrphans() {
	if !c.eligible || !slices.ContainsFunc(c.locals, func(l *local) bool {
		_, key := c.claimant(l)
		return key == 0 && l.phase == idle
	}) {
		return
	}
	views, tables := c.agreed()
	if !tables || !views && c.now < c.viewAt+c.timing.Heartbeat {
		c.pendingAt(max(c.timing.Heartbeat/8, time.Microsecond))
		return
	}
	p := c.plan()
	p.urgent()
	for i := range p.items {
		it := &p.items[i]
		l := c.local(it.key)
		if it.at != 0 || it.owner < 0 || p.keys[it.owner] != c.key || l.phase != idle || l.claim.state == refused {
			continue
		}
		if c.quorum != nil && c.held(l.key, c.key) {
			c.pendingAt(c.timing.Heartbeat / 2)
			continue
		}
		c.ask(l, false)
	}
	c.pendingAt(c.timing.Heartbeat)
}

// rebalance offers a few groups to where they belong, if all is quiet.
func (c *Core) rebalance() {
	t := c.timing
	if !c.eligible {
		return
	}
	if views, tables := c.agreed(); !views || !tables || c.now < c.viewAt+t.Settle || c.now < c.movedAt+t.Pace {
		return // looked at again in a while anyway
	}
	for _, l := range c.locals {
		cl, key := c.claimant(l)
		if key != 0 && (cl.state != owning || cl.to != 0) {
			return
		}
	}
	p := c.plan()
	before := make([]int, len(p.items))
	for i, it := range p.items {
		before[i] = it.owner
	}
	p.urgent()
	p.balance()
	moves := 0
	for i := range p.items {
		it := &p.items[i]
		if before[i] < 0 || it.owner == before[i] {
			continue
		}
		if l := c.local(it.key); it.at == c.key && l.phase == owned {
			c.offer(l, p.keys[it.owner], false)
		}
		if moves++; moves == t.Moves {
			break
		}
	}
}
