package ha

import (
	"cmp"
	"slices"
	"time"
)

// perFrame bounds lines of claims and definitions in one frame, so that it fits
// into one packet of an Ethernet; the rest follows in the next.
const perFrame = 16

// extraGap is the least time between heartbeats out of turn.
func (c *Core) extraGap() time.Duration { return c.timing.Heartbeat / 8 }

// beat sends a heartbeat if one is due, or if others should hear news at once.
func (c *Core) beat() {
	switch {
	case c.now >= c.beatAt:
		c.beatAt = max(c.beatAt+c.timing.Heartbeat, c.now+c.timing.Heartbeat/2)
	case c.soon && c.now >= c.extraAt+c.extraGap():
	default:
		return
	}
	c.soon = false
	c.extraAt = c.now
	c.seq++
	c.sent[c.seq%uint64(len(c.sent))] = c.now
	h := &Heartbeat{
		from: c.self, boot: c.boot, seq: c.seq, clock: c.clock, view: c.view, config: c.config,
		version: c.version, base: c.version, upTo: c.version,
		near:   c.tell(),
		echoes: make([]echo, 0, len(c.peers)),
	}
	if c.now-c.began >= c.timing.Maturity {
		h.flags |= flagRipe
	}
	if c.eligible {
		h.flags |= flagEligible
	}
	if c.left && c.Idle() {
		h.flags |= flagLeaving
	}
	tellConfig := false
	for _, p := range c.peers {
		if p.boot == 0 {
			continue
		}
		h.echoes = append(h.echoes, echo{
			member: p.key, boot: p.boot, seq: p.seq, have: p.have, granted: p.grants,
			heard: p.alive && c.now <= p.heard+c.timing.window()/2,
		})
		if p.alive {
			h.base = min(h.base, p.knows)
			tellConfig = tellConfig || p.config != c.config
		}
	}
	if h.base < c.version {
		for _, l := range c.locals {
			if l.claim.version > h.base {
				h.changes = append(h.changes, l.claim)
			}
		}
		slices.SortFunc(h.changes, func(a, b claim) int { return cmp.Compare(a.version, b.version) })
		if len(h.changes) > perFrame {
			h.changes = h.changes[:perFrame]
			h.upTo = h.changes[perFrame-1].version
		}
	}
	if n := len(c.locals); tellConfig {
		for range min(n, perFrame) {
			c.defsAt = (c.defsAt + 1) % n
			h.defs = append(h.defs, definition{c.locals[c.defsAt].key, c.locals[c.defsAt].def})
		}
	}
	for _, o := range c.orders {
		if o.mine && c.now < o.at+2*c.timing.window() {
			h.orders = append(h.orders, o.order)
		}
	}
	c.out = append(c.out, Effect{Kind: Send, Heartbeat: h})
}
