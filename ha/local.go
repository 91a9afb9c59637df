package ha

import (
	"slices"
	"strings"
	"time"
)

type phase uint8

const (
	idle      phase = iota
	asking          // for a quorum, or for the owner to let go
	taking          // Take runs
	owned           // the addresses are attached
	detaching       // Detach runs, or failed and is tried again
	demoting        // Demote runs
)

// local is a group as this member handles it.
type local struct {
	group Group
	key   uint64 // hash of its name
	def   uint64 // hash of its definition
	claim claim

	phase   phase
	op      uint64 // the effect that is waited for; 0 none
	term    Term
	askedAt time.Duration
	lease   time.Duration // with a quorum: the end of the right to act
	then    claimState    // after detaching
	removed bool          // no group of the cluster any more

	offeredAt  time.Duration
	failures   int           // in a row
	until      time.Duration // refused till then; detaching: tried again then
	announced  int
	announceAt time.Duration
	mismatched bool // reported
}

func (c *Core) local(key uint64) *local {
	if i := slices.IndexFunc(c.locals, func(l *local) bool { return l.key == key }); i >= 0 {
		return c.locals[i]
	}
	return nil
}

// setGroups replaces the list. Groups that stay keep their owner; addresses that
// were added or removed come and go where the group is.
func (c *Core) setGroups(groups []Group) {
	next := make(map[uint64]Group)
	for _, g := range groups {
		next[g.key()] = g
	}
	for _, l := range c.locals {
		g, stays := next[l.key]
		delete(next, l.key)
		if l.removed = !stays; l.removed {
			c.release(l, "not in the list any more", free)
			continue
		}
		old := l.group
		l.group, l.def = g, g.definition()
		if l.phase == owned {
			if gone := without(old.VIPs, g.VIPs); len(gone) > 0 {
				old.VIPs = gone
				c.out = append(c.out, Effect{Kind: Detach, Group: old, Term: l.term})
			}
			if len(without(g.VIPs, old.VIPs)) > 0 {
				c.do(l, Attach)
			}
		} else if l.phase == taking && !slices.Equal(old.VIPs, g.VIPs) {
			l.group = old
			c.release(l, "the list changed", free)
			l.group = g
		}
	}
	for key, g := range next {
		c.locals = append(c.locals, &local{group: g, key: key, def: g.definition(), claim: claim{group: key}})
	}
	slices.SortFunc(c.locals, func(a, b *local) int { return strings.Compare(a.group.Name, b.group.Name) })
	c.config = 0
	for _, l := range c.locals {
		if !l.removed {
			c.config ^= l.def
		}
	}
	c.forget()
	c.dirty, c.soon = true, true
}

func without(list, remove []VIP) []VIP {
	return slices.DeleteFunc(slices.Clone(list), func(v VIP) bool { return slices.Contains(remove, v) })
}

// forget drops groups that were removed and given up.
func (c *Core) forget() {
	c.locals = slices.DeleteFunc(c.locals, func(l *local) bool { return l.removed && l.phase == idle })
}

// set changes the line of the table that others hear of.
func (c *Core) set(l *local, s claimState) {
	l.claim.state = s
	c.touch(l)
}

func (c *Core) touch(l *local) {
	c.version++
	l.claim.version = c.version
	c.dirty, c.soon = true, true
}

func (c *Core) do(l *local, kind EffectKind) {
	c.ops++
	l.op = c.ops
	c.out = append(c.out, Effect{Kind: kind, Op: l.op, Group: l.group, Term: l.term})
}

// ask begins to take a group.
func (c *Core) ask(l *local, fixed bool) {
	l.phase, l.askedAt, l.lease = asking, c.now, 0
	l.claim.fixed = fixed
	c.stamp(l)
	l.claim.since = l.claim.epoch
	c.proceed(l)
}

// stamp makes the claim one of a new term.
func (c *Core) stamp(l *local) {
	c.clock = max(c.clock+1, c.wall())
	l.claim.epoch, l.claim.to = c.clock, 0
	c.set(l, wanting)
	l.claim.asked = l.claim.version
	l.term = Term{Group: l.group.Name, Member: c.self, Epoch: c.clock}
	if c.quorum != nil {
		c.grant(l.key, c.key, c.boot, c.clock)
	}
}

// proceed takes the group once all that has to let go did.
func (c *Core) proceed(l *local) {
	if l.phase != asking {
		return
	}
	if l.group.BreakFirst || c.quorum != nil {
		for _, p := range c.peers {
			if cl := p.claims[l.key]; p.alive && (cl.state == owning || cl.state == leaving) {
				c.pendingAt(c.timing.Heartbeat)
				c.giveUpAsking(l)
				return
			}
		}
	}
	if c.quorum != nil {
		c.renewLeases()
		if c.now >= l.lease {
			c.pendingAt(c.timing.Heartbeat)
			if c.clock > l.claim.epoch && c.now-l.askedAt > 4*c.timing.Heartbeat && c.now-l.askedAt < 2*c.timing.Lease {
				c.stamp(l) // somebody may have granted a higher epoch before
			}
			c.giveUpAsking(l)
			return
		}
	}
	l.phase = taking
	c.do(l, Take)
}

// giveUpAsking ends what did not come about, for a time that differs between
// members that are in each other's way.
func (c *Core) giveUpAsking(l *local) {
	if c.now-l.askedAt > 4*c.timing.Lease+c.timing.Hook*2 || c.quorum != nil && c.now-l.askedAt > 4*c.timing.Lease {
		pause := c.timing.Heartbeat * time.Duration(4+mix(c.key^l.claim.epoch)%16)
		c.release(l, "nobody let go of it", refused)
		l.until = c.now + pause
	}
}

// release gives a group up; then is what the claim is after that. Addresses go
// first, so that no client reaches what is being demoted.
func (c *Core) release(l *local, why string, then claimState) {
	switch l.phase {
	case idle:
		if l.claim.state != then {
			c.set(l, then)
		}
	case asking:
		l.phase = idle
		l.claim.to, l.claim.fixed = 0, false
		c.set(l, then)
	case taking, owned:
		l.phase, l.then = detaching, then
		l.claim.to, l.claim.fixed = 0, false
		c.set(l, leaving)
		c.do(l, Detach)
		c.report(Event{Kind: Given, Group: l.group.Name, Term: l.term, Reason: why})
	default:
		l.then = then
	}
}

// refuse gives a group up and does not take it again for a while.
func (c *Core) refuse(l *local, why string) {
	l.failures++
	l.until = c.now + min(c.timing.Backoff<<min(l.failures-1, 6), 60*c.timing.Backoff)
	c.release(l, why, refused)
}

// done takes in the end of an effect.
func (c *Core) done(op uint64, err error) {
	i := slices.IndexFunc(c.locals, func(l *local) bool { return l.op == op && op != 0 })
	if i < 0 {
		return
	}
	l := c.locals[i]
	l.op = 0
	switch l.phase {
	case taking:
		if err != nil {
			c.report(Event{Kind: Refused, Group: l.group.Name, Term: l.term, Err: err})
			l.phase = idle
			c.refuse(l, "refused")
			return
		}
		l.phase, l.failures = owned, 0
		c.movedAt = c.now
		c.set(l, owning)
		c.announceFrom(l, 0)
		c.report(Event{Kind: Taken, Group: l.group.Name, Term: l.term})
	case owned: // attached again
		if err != nil {
			c.report(Event{Kind: Refused, Group: l.group.Name, Term: l.term, Err: err})
			c.refuse(l, "an address could not be attached again")
			return
		}
		c.announceFrom(l, 0)
	case detaching:
		if err != nil {
			l.until = c.now + max(c.timing.Backoff, c.timing.Heartbeat)
			c.report(Event{Kind: Stuck, Group: l.group.Name, Term: l.term, Err: err})
			return
		}
		l.phase = demoting
		if !l.group.BreakFirst && c.quorum == nil {
			c.set(l, l.then)
		}
		c.do(l, Demote)
	case demoting:
		if err != nil {
			c.report(Event{Kind: Stuck, Group: l.group.Name, Term: l.term, Err: err})
		}
		l.phase = idle
		if l.claim.state != l.then {
			c.set(l, l.then)
		}
		c.dirty = true
		c.forget()
	}
}
