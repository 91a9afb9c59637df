package netvip

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// macvlan returns the macvlan of an address; 0 if there is none and none is to
// be made. It has the virtual hardware address and only takes in: the host sends
// by the LAN's interface, as its routes say.
func (p *Plumber) macvlan(v ha.VIP, lan netlink.Link, create bool) (index int, err error) {
	ip, vrid := v.Prefix.Addr(), p.cfg.VRID(v)
	family := 4
	if ip.Is6() {
		family = 6
	}
	parent := lan.Attrs()
	name := fmt.Sprintf("vrrp%d-%d.%d", family, vrid, parent.Index)
	link, err := netlink.LinkByName(name)
	switch {
	case err == nil && link.Type() == "macvlan" && link.Attrs().ParentIndex == parent.Index:
		if !create {
			return link.Attrs().Index, nil
		}
		// Perhaps left by somebody who died half-way.
		return link.Attrs().Index, setUpMacvlan(link, parent.Name, ip.Is6())
	case err == nil:
		return 0, fmt.Errorf("%s is there and is no macvlan over %s", name, parent.Name)
	case !isNoLink(err) || !create:
		if isNoLink(err) {
			err = nil
		}
		return 0, err
	}
	// Mode VEPA, for in mode private the driver hides from the LAN's interface all
	// that comes from the virtual address, and so the advertisements of another
	// owner of it.
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr = name, parent.Index, virtualMAC(vrid, ip)
	link = &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_VEPA}
	if err := netlink.LinkAdd(link); err != nil {
		return 0, needs("CAP_NET_ADMIN", fmt.Errorf("make the macvlan %s: %w", name, err))
	}
	if link, err = netlink.LinkByName(name); err != nil {
		return 0, err
	}
	if err := setUpMacvlan(link, parent.Name, ip.Is6()); err != nil {
		return 0, errors.Join(err, netlink.LinkDel(link))
	}
	return link.Attrs().Index, nil
}

func setUpMacvlan(link netlink.Link, parent string, v6 bool) error {
	type setting struct {
		value              int
		family, iface, key string
	}
	name := link.Attrs().Name
	settings := []setting{
		// The LAN's interface hears requests for the address too, and would answer
		// with its own hardware address.
		{1, "ipv4", parent, "arp_ignore"},
		{1, "ipv4", name, "arp_ignore"},
		// What comes in here is answered by the LAN's interface.
		{2, "ipv4", name, "rp_filter"},
	}
	if v6 {
		settings = []setting{
			{1, "ipv6", name, "addr_gen_mode"}, // no link-local address of its own
			{0, "ipv6", name, "accept_ra"},
		}
	} else {
		_ = setSysctl(1, "ipv6", "conf", name, "disable_ipv6") // a kernel without IPv6 has no such setting
	}
	for _, s := range settings {
		now, err := sysctl(s.family, "conf", s.iface, s.key)
		if err == nil && now != s.value && (s.key != "arp_ignore" || now == 0) {
			err = setSysctl(s.value, s.family, "conf", s.iface, s.key)
		}
		if err != nil {
			return fmt.Errorf("net.%s.conf.%s.%s must be %d: %w", s.family, s.iface, s.key, s.value, err)
		}
	}
	return needs("CAP_NET_ADMIN", netlink.LinkSetUp(link))
}

// dropEmpty removes a macvlan without addresses.
func dropEmpty(index int) error {
	all, err := addresses()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.index == index {
			return nil
		}
	}
	link, err := netlink.LinkByIndex(index)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if isNoLink(err) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return needs("CAP_NET_ADMIN", err)
}
