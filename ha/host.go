package ha

import "slices"

// plumbing takes in what somebody else did to the host's network.
func (c *Core) plumbing(e PlumberEvent) {
	switch e.What {
	case Lost:
		for _, l := range c.locals {
			if l.phase == owned && l.op == 0 && slices.Contains(l.group.VIPs, e.VIP) {
				c.report(Event{Kind: Restored, Group: l.group.Name, Term: l.term, Reason: e.VIP.String()})
				c.do(l, Attach)
			}
		}
	case CarrierDown:
		c.down[e.Iface] = true
		for _, l := range c.locals {
			if l.uses(e.Iface) {
				c.release(l, "no carrier on "+e.Iface, refused)
			}
		}
	case CarrierUp:
		if !c.down[e.Iface] {
			return
		}
		delete(c.down, e.Iface)
		for _, l := range c.locals {
			if l.uses(e.Iface) {
				l.until = max(l.until, c.now+c.timing.Maturity/4) // one that flaps does no harm
			}
		}
	}
	c.dirty = true
}

func (l *local) uses(iface string) bool {
	return slices.ContainsFunc(l.group.VIPs, func(v VIP) bool { return v.Iface == iface })
}

// blocked reports whether this host cannot serve the group now.
func (c *Core) blocked(l *local) bool {
	return slices.ContainsFunc(l.group.VIPs, func(v VIP) bool { return c.down[v.Iface] })
}
