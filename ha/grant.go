package ha

import (
	"cmp"
	"slices"
	"time"
)

// With a quorum, a claim is served only while a quorum grants it. Each member
// grants a group to one member at a time, and takes the grant back only when the
// holder says that it gave the group up, or when the holder was not heard for more
// than a Lease. The holder counts its lease from when it sent the heartbeat that
// was answered, the others from when they heard it, which is later; so the old
// term has ended before any quorum, which shares a member with every other, grants
// a new one. (Gray and Cheriton 1989; the drift of the clocks is covered by the
// quarter that graceful adds.)
type grant struct {
	holder uint64 // hash of the member's ID; 0 none
	boot   uint64
	until  time.Duration // of a holder whose process is not there any more
	epoch  uint64        // the highest granted
}

// graceful is how long a silent holder keeps its grants.
func graceful(lease time.Duration) time.Duration { return lease + lease/4 }

// held reports whether somebody else than the asker may still act on the grant.
func (c *Core) held(group, asker uint64) bool {
	g := c.grants[group]
	if g.holder == 0 || g.holder == asker && asker != c.key && c.peerByKey(asker).boot == g.boot {
		return false
	}
	if g.holder == c.key {
		l := c.local(group)
		return asker != c.key && l != nil && l.phase != idle
	}
	if p := c.peerByKey(g.holder); p != nil && p.boot == g.boot {
		return c.now < p.heard+graceful(c.timing.Lease)
	}
	return c.now < g.until
}

// grant gives the group away. Who had it before, and was silent for too long, is
// told so: it may still be asking, for a term that is none any more.
func (c *Core) grant(group, to, boot, epoch uint64) {
	if p := c.peerByKey(c.grants[group].holder); p != nil && p.key != to {
		p.grants = 0 // regrant finds what is left
	}
	c.grants[group] = grant{holder: to, boot: boot, epoch: epoch}
}

// regrant looks through a member's claims: p.grants is then the version of its
// table up to which all terms asked for are granted.
func (c *Core) regrant(p *peer) {
	if p.grants == p.have || c.now < c.grantFrom {
		return
	}
	var asking []claim
	for _, cl := range p.claims {
		if cl.active() || cl.state == leaving {
			asking = append(asking, cl)
		}
	}
	slices.SortFunc(asking, func(a, b claim) int { return cmp.Compare(a.asked, b.asked) })
	for _, cl := range asking {
		g := c.grants[cl.group]
		switch {
		case g.holder == p.key && g.boot == p.boot:
			g.epoch = max(g.epoch, cl.epoch)
			c.grants[cl.group] = g
		case cl.epoch <= g.epoch || c.held(cl.group, p.key):
			p.grants = cl.asked - 1
			return
		default:
			c.grant(cl.group, p.key, p.boot, cl.epoch)
		}
	}
	if p.grants != p.have {
		p.grants = p.have
		c.soon = true
	}
}

// freeze keeps the grants of a process that ended, which may have started
// something that lives on.
func (c *Core) freeze(p *peer) {
	for group, g := range c.grants {
		if g.holder == p.key && g.boot == p.boot {
			g.until = p.heard + graceful(c.timing.Lease)
			c.grants[group] = g
		}
	}
}

// renewLeases finds how long a quorum has granted what is claimed here.
func (c *Core) renewLeases() {
	var sorted []*peer
	for _, l := range c.locals {
		if l.phase != asking && l.phase != taking && l.phase != owned {
			continue
		}
		if sorted == nil {
			sorted = slices.Clone(c.peers)
			slices.SortStableFunc(sorted, func(a, b *peer) int { return cmp.Compare(b.hearsMe, a.hearsMe) })
		}
		with := []string{c.self}
		if c.quorum.Reached(with, c.members) {
			l.lease = c.now + c.timing.Lease
			continue
		}
		for _, p := range sorted {
			if p.hearsMe == 0 || p.granted < l.claim.asked {
				continue
			}
			if with = append(with, p.id); c.quorum.Reached(with, c.members) {
				if end := p.hearsMe + c.timing.Lease; end > l.lease {
					l.lease = end
					c.dirty = c.dirty || l.phase == asking
				}
				break
			}
		}
	}
}
