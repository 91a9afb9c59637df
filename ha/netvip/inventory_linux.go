package netvip

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink"

	"github.com/ashlar-go/ashlar/ha"
)

// Attached returns the addresses with our mark that this host has, whichever
// process attached them. Bound does not say which LAN an address of another
// process is for: Iface is its TUN device.
func (p *Plumber) Attached(ctx context.Context) ([]ha.VIP, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	all, err := addresses()
	if err != nil {
		return nil, fmt.Errorf("netvip: attached: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var vips []ha.VIP
	for _, a := range all {
		if a.mark == p.cfg.Mark && a.bits == a.ip.BitLen() {
			vips = append(vips, p.name(a))
		}
	}
	return vips, nil
}

// name finds the LAN of an address.
func (p *Plumber) name(a address) ha.VIP {
	prefix := netip.PrefixFrom(a.ip, a.bits)
	for v := range p.held {
		if v.Prefix == prefix {
			return v
		}
	}
	link, err := netlink.LinkByIndex(a.index)
	if err != nil {
		return ha.VIP{Iface: strconv.Itoa(a.index), Prefix: prefix}
	}
	if link.Type() == "macvlan" {
		return ha.VIP{Iface: linkName(link.Attrs().ParentIndex), Prefix: prefix}
	}
	return ha.VIP{Iface: link.Attrs().Name, Prefix: prefix}
}

// Neighbours returns the hosts of the LAN that this host has spoken to, of both
// families: those whose caches may hold an address of ours.
func (p *Plumber) Neighbours(ctx context.Context, iface string) ([]netip.Addr, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	lan, err := linkByName(iface)
	if err != nil {
		return nil, fmt.Errorf("netvip: neighbours: %w", err)
	}
	known, err := neighbours(lan.Attrs().Index)
	if err != nil {
		return nil, fmt.Errorf("netvip: neighbours: %w", err)
	}
	var ips []netip.Addr
	for _, n := range known {
		ips = append(ips, n.ip)
	}
	return ips, nil
}
