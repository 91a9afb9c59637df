package ha

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// Group is a set of addresses that moves as one: whoever takes it takes all of it
// or none (the book's virtual interface, such as a router's three legs). A group
// without addresses stands for a service that has to run once.
type Group struct {
	Name string // unique in the cluster; required
	VIPs []VIP
	// Prefer lists members that should own the group, best first. Default: any.
	Prefer []string
	// Failback is how long a preferred member must have been back before the
	// group returns to it; default at once; negative never.
	Failback time.Duration
	// Allowed are the members that may own the group; default all.
	Allowed []string
	// Weight is the group's share of the load, against others; default 1.
	Weight int
	// BreakFirst makes a planned move release the group before the next owner
	// takes it: for services that must not run twice. Default: the next owner is
	// ready first, and no packet is lost. With Config.Quorum all groups are moved
	// this way.
	BreakFirst bool
}

func (g Group) check() error {
	switch {
	case g.Name == "":
		return fmt.Errorf("ha: a group has no name")
	case len(g.Name) > 255:
		return fmt.Errorf("ha: the name of group %.20q... is longer than 255 bytes", g.Name)
	case g.Weight < 0 || g.Weight > 1<<20:
		return fmt.Errorf("ha: group %s: weight %d is out of range", g.Name, g.Weight)
	}
	for _, v := range g.VIPs {
		if !v.Prefix.IsValid() || v.Iface == "" {
			return fmt.Errorf("ha: group %s: %v is no address on an interface", g.Name, v)
		}
	}
	return nil
}

// checkGroups also finds what two groups may not share.
func checkGroups(groups []Group) error {
	names := make(map[uint64]string)
	addresses := make(map[VIP]string)
	for _, g := range groups {
		if err := g.check(); err != nil {
			return err
		}
		if other, taken := names[g.key()]; taken {
			return fmt.Errorf("ha: groups %s and %s have the same name or the same hash of it", other, g.Name)
		}
		names[g.key()] = g.Name
		for _, v := range g.VIPs {
			if other, taken := addresses[v]; taken {
				return fmt.Errorf("ha: %v is in group %s and in group %s", v, other, g.Name)
			}
			addresses[v] = g.Name
		}
	}
	return nil
}

// key stands for the group's name on the wire.
func (g Group) key() uint64 { return hashOf(g.Name) }

func (g Group) weight() int { return max(g.Weight, 1) }

// definition is equal on two members if their groups are.
func (g Group) definition() uint64 {
	vips := slices.Clone(g.VIPs)
	slices.SortFunc(vips, VIP.compare)
	allowed := slices.Sorted(slices.Values(g.Allowed))
	return hashOf(fmt.Sprintf("%q %v %q %d %q %d %t", g.Name, vips, g.Prefer, g.Failback, allowed, g.weight(), g.BreakFirst))
}

func (g Group) allows(member string) bool {
	return len(g.Allowed) == 0 || slices.Contains(g.Allowed, member)
}

// rank is how much the member is preferred: lower is better.
func (g Group) rank(member string) int {
	if i := slices.Index(g.Prefer, member); i >= 0 {
		return i
	}
	return len(g.Prefer)
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return mix(h.Sum64())
}

// mix spreads the bits of x over all of the result (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
