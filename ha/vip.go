package ha

import (
	"net/netip"
	"strings"
)

// VIP is a virtual address: it belongs to the cluster, and is at any time on the
// member that serves it.
type VIP struct {
	Iface  string       // the network interface it appears on
	Prefix netip.Prefix // the address and its length, usually /32 or /128
}

// String writes the VIP as PREFIX@IFACE.
func (v VIP) String() string { return v.Prefix.String() + "@" + v.Iface }

// compare orders VIPs, so that their order in a list does not matter.
func (v VIP) compare(o VIP) int {
	if c := v.Prefix.Compare(o.Prefix); c != 0 {
		return c
	}
	return strings.Compare(v.Iface, o.Iface)
}
