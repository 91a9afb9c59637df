package netvip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// Announce tells the LAN that the address is here, once: gratuitous ARP, or an
// unsolicited neighbour advertisement. Frames get lost and caches are stubborn,
// so that callers repeat it. Neighbours of to are told by frames of their own;
// those of the other family are left out.
func (p *Plumber) Announce(ctx context.Context, v ha.VIP, to []netip.Addr) error {
	return p.do(ctx, "announce", v, func(v ha.VIP) error { return p.announce(v, to) })
}

func (p *Plumber) announce(v ha.VIP, to []netip.Addr) error {
	lan, err := linkByName(v.Iface)
	if err != nil {
		return err
	}
	ip, mac := v.Prefix.Addr(), lan.Attrs().HardwareAddr
	if p.cfg.Mode == VMAC {
		mac = virtualMAC(p.cfg.VRID(v), ip)
	}
	if len(mac) != 6 {
		return fmt.Errorf("%s is no Ethernet: nobody there is told of addresses", v.Iface)
	}
	var told []neighbour
	if len(to) > 0 {
		if told, err = withMACs(lan.Attrs().Index, ip, to); err != nil {
			return err
		}
	}
	router := false
	if ip.Is6() {
		forwarding, err := sysctl("ipv6", "conf", v.Iface, "forwarding")
		router = err == nil && forwarding != 0
	}
	for _, frame := range announcement(mac, ip, router, told) {
		if err := p.send(lan.Attrs().Index, frame); err != nil {
			return err
		}
	}
	return nil
}

// withMACs looks up the neighbours of ip's family.
func withMACs(index int, ip netip.Addr, to []netip.Addr) ([]neighbour, error) {
	known, err := neighbours(index)
	if err != nil {
		return nil, err
	}
	macs := make(map[netip.Addr]net.HardwareAddr)
	for _, n := range known {
		macs[n.ip] = n.mac
	}
	var told []neighbour
	for _, a := range to {
		if a = a.Unmap(); a.Is4() == ip.Is4() && a != ip {
			told = append(told, neighbour{ip: a.WithZone(""), mac: macs[a.WithZone("")]})
		}
	}
	return told, nil
}

// neighbours returns the hosts on a link whose hardware addresses are known.
func neighbours(index int) ([]neighbour, error) {
	const usable = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT
	list, err := dump(func() ([]netlink.Neigh, error) { return netlink.NeighList(index, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var known []neighbour
	for _, n := range list {
		ip, ok := netip.AddrFromSlice(n.IP)
		if ip = ip.Unmap(); ok && !ip.IsMulticast() && n.State&usable != 0 && len(n.HardwareAddr) == 6 {
			known = append(known, neighbour{ip, n.HardwareAddr})
		}
	}
	return known, nil
}

// send sends a frame by the LAN's interface. Its socket is kept, since the kernel
// takes milliseconds to close one; it receives nothing.
func (p *Plumber) send(index int, frame []byte) error {
	if p.packet < 0 {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return needs("CAP_NET_RAW", os.NewSyscallError("socket", err))
		}
		p.packet = fd
	}
	err := unix.Sendto(p.packet, frame, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6})
	return os.NewSyscallError("send", err)
}
