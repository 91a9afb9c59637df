package ha

import "time"

// announcements repeat, since one may be lost and old kernels ignore a second
// one within a second; later they keep switches from forgetting the way.
var announcements = []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond, 150 * time.Millisecond, 800 * time.Millisecond, 4 * time.Second}

const refresh = time.Minute

// announceFrom begins the announcements anew.
func (c *Core) announceFrom(l *local, i int) { l.announced, l.announceAt = i, c.now }

// announceAll is for when others come back: they may have believed somebody else
// to be the owner, and have told our clients.
func (c *Core) announceAll() {
	for _, l := range c.locals {
		if l.phase == owned {
			c.announceFrom(l, 0)
		}
	}
}

func (c *Core) announceDue() {
	for _, l := range c.locals {
		if l.phase != owned || c.now < l.announceAt {
			continue
		}
		if len(l.group.VIPs) > 0 {
			c.out = append(c.out, Effect{Kind: Announce, Group: l.group, Term: l.term, To: c.neighbours(l.group)})
		}
		wait := refresh
		if l.announced++; l.announced < len(announcements) {
			wait = announcements[l.announced]
		}
		l.announceAt = c.now + wait
	}
}
