package ha

import (
	"net/netip"
	"slices"
	"time"
)

// What members know of their networks' other hosts they tell each other, one in
// each heartbeat: whoever takes an address over then announces it also to those
// who only ever spoke to its last owner (the book's shared ARP caches).
type neighbour struct {
	iface uint64 // hash of its name, which is the same on all members
	addr  netip.Addr
}

const (
	sampleEvery    = 90 * time.Second
	neighbourFor   = 20 * time.Minute // a neighbour is remembered, as long as the caches of routers do
	neighboursMost = 2048
)

// near is what a machine knows of neighbours.
type near struct {
	mine  []neighbour
	next  int // of mine, to be told
	known map[neighbour]time.Duration
}

// sampled replaces what this host itself knows of an interface.
func (c *Core) sampled(iface string, addrs []netip.Addr) {
	key := hashOf(iface)
	c.near.mine = slices.DeleteFunc(c.near.mine, func(n neighbour) bool { return n.iface == key })
	for _, a := range addrs {
		if a.IsValid() && len(c.near.mine) < neighboursMost {
			n := neighbour{key, a.Unmap().WithZone("")}
			c.near.mine = append(c.near.mine, n)
			c.meet(n)
		}
	}
}

func (c *Core) meet(n neighbour) {
	if c.near.known == nil {
		c.near.known = make(map[neighbour]time.Duration)
	}
	if _, old := c.near.known[n]; !old && len(c.near.known) >= neighboursMost {
		for k, at := range c.near.known {
			if c.now-at > neighbourFor {
				delete(c.near.known, k)
			}
		}
		if len(c.near.known) >= neighboursMost {
			return
		}
	}
	c.near.known[n] = c.now
}

// tell chooses the neighbour that the next heartbeat names.
func (c *Core) tell() neighbour {
	if len(c.near.mine) == 0 {
		return neighbour{}
	}
	c.near.next = (c.near.next + 1) % len(c.near.mine)
	return c.near.mine[c.near.next]
}

// neighbours are the hosts that a group's addresses are announced to one by one,
// in order.
func (c *Core) neighbours(g Group) map[string][]netip.Addr {
	to := make(map[string][]netip.Addr)
	for _, v := range g.VIPs {
		if to[v.Iface] != nil {
			continue
		}
		key := hashOf(v.Iface)
		for n, at := range c.near.known {
			if n.iface == key && c.now-at <= neighbourFor {
				to[v.Iface] = append(to[v.Iface], n.addr)
			}
		}
		slices.SortFunc(to[v.Iface], netip.Addr.Compare)
	}
	return to
}
