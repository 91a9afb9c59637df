package ha

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// peer is another member as seen from here.
type peer struct {
	id   string
	key  uint64
	boot uint64
	seq  uint64

	heard      time.Duration  // when its last heartbeat came
	at         netip.AddrPort // where that came from
	alive      bool
	aliveSince time.Duration
	indirect   bool // alive only because others hear it
	gone       bool // its process is said to have ended
	goneAt     time.Duration
	met        bool          // it answered to a heartbeat of ours since it is alive: it is no recording
	hearsMe    time.Duration // when ours was sent that it last answered to
	hears      bool          // what its last heartbeat said of ours
	eligible   bool
	eligibleAt time.Duration
	ripe       bool
	view       uint64
	config     uint64
	defs       map[uint64]uint64 // its definitions, as far as config differs from ours
	echoes     []echo

	claims  map[uint64]claim // by group
	have    uint64           // version of its table that claims is
	version uint64           // newest version of its table
	knows   uint64           // version of our table that it has
	granted uint64           // of our table, by it
	grants  uint64           // of its table, by us
}

func (c *Core) peer(id string) *peer {
	if i, ok := slices.BinarySearchFunc(c.peers, id, comparePeer); ok {
		return c.peers[i]
	}
	return nil
}

func comparePeer(p *peer, id string) int { return strings.Compare(p.id, id) }

func (c *Core) peerByKey(key uint64) *peer {
	if i := slices.IndexFunc(c.peers, func(p *peer) bool { return p.key == key }); i >= 0 {
		return c.peers[i]
	}
	return nil
}

// hear takes in a heartbeat.
func (c *Core) hear(h *Heartbeat) {
	if h.from == c.self {
		c.hearSelf(h)
		return
	}
	p := c.peer(h.from)
	if p == nil {
		if c.members != nil && !slices.Contains(c.members, h.from) {
			if len(c.strangers) < 100 && !c.strangers[h.from] {
				c.strangers[h.from] = true
				c.report(Event{Kind: Stranger, Member: h.from})
			}
			return
		}
		p = &peer{id: h.from, key: hashOf(h.from)}
		i, _ := slices.BinarySearchFunc(c.peers, p.id, comparePeer)
		c.peers = slices.Insert(c.peers, i, p)
	}
	mine, answers := h.echo(c.key)
	answers = answers && mine.boot == c.boot
	if h.boot == p.boot && p.gone && answers {
		// It answers to what was sent since: whoever said so was wrong, such as a
		// firewall that refuses connections in its name.
		t, ok := c.sentAt(mine.seq)
		p.gone = !ok || t <= p.goneAt
	}
	switch {
	case h.boot == p.boot && (p.gone || h.seq <= p.seq):
		return // late, double, or of a process that has ended
	case h.boot > p.boot, h.boot < p.boot && answers && !p.alive:
		// A newer process; or one whose clock was set back, and that is no
		// recording, since it knows of us.
		c.reborn(p, h.boot)
	case h.boot < p.boot:
		return
	}
	p.seq = h.seq
	p.heard, p.at = c.now, h.at
	p.indirect = false
	p.echoes = h.echoes
	if h.flags&flagLeaving != 0 {
		c.lose(p, "left")
		p.gone, p.goneAt = true, c.now
		return
	}
	if !p.alive {
		p.alive, p.aliveSince, p.met = true, c.now, false
		c.dirty, c.soon = true, true
		c.report(Event{Kind: MemberUp, Member: p.id})
	}
	if answers {
		p.hears, p.knows, p.granted = mine.heard, mine.have, mine.granted
		if t, ok := c.sentAt(mine.seq); ok {
			p.hearsMe = max(p.hearsMe, t)
			if !p.met && t >= p.aliveSince {
				p.met = true
				c.dirty, c.soon = true, true
				c.announceAll()
			}
		}
	}
	c.clock = max(c.clock, h.clock)
	if e := h.flags&flagEligible != 0; e != p.eligible {
		p.eligible, p.eligibleAt = e, c.now
		c.dirty = true
	}
	if m := h.flags&flagRipe != 0; m != p.ripe || h.view != p.view {
		p.ripe, p.view = m, h.view
		c.dirty = true
	}
	if h.config != p.config {
		p.config, p.defs = h.config, nil
		c.dirty = true
	}
	if p.config != c.config {
		for _, d := range h.defs {
			if p.defs == nil {
				p.defs = make(map[uint64]uint64)
			}
			if p.defs[d.group] != d.hash {
				p.defs[d.group] = d.hash
				c.dirty = true
			}
		}
	}
	c.learn(p, h)
	if p.met && h.near.addr.IsValid() {
		c.meet(h.near)
	}
	for _, o := range h.orders {
		c.order(o, false)
	}
	if c.quorum != nil {
		c.regrant(p)
		c.renewLeases()
	}
}

// hearSelf is for heartbeats with our ID: our own that come back, or those of
// another process. Then we never mature: the other one was here before.
func (c *Core) hearSelf(h *Heartbeat) {
	if h.boot == c.boot {
		return
	}
	if c.duplicate == 0 || c.now-c.duplicate > c.timing.window() {
		c.report(Event{Kind: DuplicateID, Member: c.self})
	}
	c.duplicate = c.now
}

// learn applies what changed in the sender's table of claims.
func (c *Core) learn(p *peer, h *Heartbeat) {
	if h.version != p.version {
		p.version = h.version
		c.dirty = true
	}
	if h.upTo <= p.have || h.base > p.have {
		return
	}
	for _, cl := range h.changes {
		if cl.version <= p.have {
			continue
		}
		was := p.claims[cl.group]
		if cl.state == owning && was.state != owning {
			c.movedAt = c.now
		}
		if g, held := c.grants[cl.group]; held && g.holder == p.key && (cl.state == free || cl.state == refused) {
			g.holder = 0
			c.grants[cl.group] = g
		}
		if l := c.local(cl.group); l != nil && l.phase == owned && (was.active() || was.state == leaving) && !cl.active() {
			c.announceFrom(l, 0) // it may have answered for the addresses till now
		}
		p.claims[cl.group] = cl
	}
	p.have = h.upTo
	c.dirty = true
}

// reborn forgets what an earlier process of the same member was.
func (c *Core) reborn(p *peer, boot uint64) {
	if p.alive {
		c.lose(p, "began again")
	}
	c.freeze(p)
	*p = peer{id: p.id, key: p.key, boot: boot, claims: make(map[uint64]claim)}
}

func (c *Core) lose(p *peer, why string) {
	if !p.alive {
		return
	}
	p.alive, p.met, p.indirect, p.eligible, p.hears = false, false, false, false, false
	c.dirty, c.soon = true, true
	c.report(Event{Kind: MemberDown, Member: p.id, Reason: why})
}

// expire finds what ended by time alone.
func (c *Core) expire() {
	for _, p := range c.peers {
		if p.alive && c.now > p.heard+c.timing.window() {
			// Others that hear it are believed more than our own ears.
			if p.indirect = c.heardByOthers(p); !p.indirect {
				c.lose(p, "silent")
			}
		}
	}
	if c.quorum == nil {
		return
	}
	if c.now >= c.beatAt {
		c.renewLeases() // this member alone may be a quorum
	}
	for _, l := range c.locals {
		if (l.phase == taking || l.phase == owned) && c.now >= l.lease {
			c.release(l, "no quorum", free)
		}
	}
}

func (c *Core) heardByOthers(p *peer) bool {
	return slices.ContainsFunc(c.peers, func(q *peer) bool {
		return q != p && q.alive && c.now <= q.heard+c.timing.window() &&
			slices.ContainsFunc(q.echoes, func(e echo) bool { return e.member == p.key && e.boot == p.boot && e.heard })
	})
}

// sentAt is when the heartbeat of that number was sent, if that is remembered.
func (c *Core) sentAt(seq uint64) (time.Duration, bool) {
	if seq == 0 || seq > c.seq || seq+uint64(len(c.sent)) <= c.seq {
		return 0, false
	}
	return c.sent[seq%uint64(len(c.sent))], true
}

func (h *Heartbeat) echo(member uint64) (echo, bool) {
	if i := slices.IndexFunc(h.echoes, func(e echo) bool { return e.member == member }); i >= 0 {
		return h.echoes[i], true
	}
	return echo{}, false
}

// knows reports whether the member has the same definition of the group; and
// differs whether it has another one.
func (c *Core) knows(p *peer, l *local) (knows, differs bool) {
	if p.config == c.config {
		return true, false
	}
	d, has := p.defs[l.key]
	return has && d == l.def, has && d != l.def
}
