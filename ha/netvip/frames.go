package netvip

import (
	"encoding/binary"
	"net"
	"net/netip"
)

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes  = netip.MustParseAddr("ff02::1")
)

// neighbour is a host of the LAN; mac is nil if it is not known.
type neighbour struct {
	ip  netip.Addr
	mac net.HardwareAddr
}

// virtualMAC returns VRRP's hardware address (RFC 9568, 7.3).
func virtualMAC(vrid uint8, ip netip.Addr) net.HardwareAddr {
	family := byte(1)
	if ip.Is6() {
		family = 2
	}
	return net.HardwareAddr{0, 0, 0x5e, 0, family, vrid}
}

// announcement returns the frames that tell a LAN that ip is at mac. The
// neighbours are of ip's family. Router is what IPv6 advertises besides.
func announcement(mac net.HardwareAddr, ip netip.Addr, router bool, to []neighbour) [][]byte {
	var frames [][]byte
	if ip.Is4() {
		frames = append(frames,
			arp(1, broadcast, mac, ip, nil, ip),
			arp(2, broadcast, mac, ip, broadcast, ip)) // some systems learn from replies only
	} else {
		frames = append(frames, advertisement(mac, ip, router))
	}
	for _, n := range to {
		if ip.Is4() {
			frames = append(frames, arp(1, or(n.mac, broadcast), mac, ip, nil, n.ip))
		} else {
			frames = append(frames, solicitation(mac, ip, n))
		}
	}
	return frames
}

func or(a, b net.HardwareAddr) net.HardwareAddr {
	if a != nil {
		return a
	}
	return b
}

// arp returns a frame of RFC 826: op 1 asks, op 2 answers.
func arp(op uint16, dst, mac net.HardwareAddr, sender netip.Addr, targetMAC net.HardwareAddr, target netip.Addr) []byte {
	b := ethernet(dst, mac, 0x0806)
	b = append(b, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, op)
	b = append(b, mac...)
	b = append(b, sender.AsSlice()...)
	if targetMAC == nil {
		targetMAC = make(net.HardwareAddr, 6)
	}
	b = append(b, targetMAC...)
	return append(b, target.AsSlice()...)
}

// advertisement returns an unsolicited neighbour advertisement that overrides
// (RFC 4861, 4.4 and 7.2.6).
func advertisement(mac net.HardwareAddr, ip netip.Addr, router bool) []byte {
	flags := byte(0x20)
	if router {
		flags |= 0x80
	}
	body := append([]byte{136, 0, 0, 0, flags, 0, 0, 0}, ip.AsSlice()...)
	body = append(append(body, 2, 1), mac...) // target link-layer address
	return icmp6(multicastMAC(allNodes), mac, ip, allNodes, body)
}

// solicitation asks a neighbour for its own address, in the name of ip, which
// the neighbour notes (RFC 4861, 7.2.3).
func solicitation(mac net.HardwareAddr, ip netip.Addr, n neighbour) []byte {
	dst := n.ip
	if n.mac == nil {
		a := n.ip.As16() // its solicited-node multicast address
		dst = netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
	}
	body := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, n.ip.AsSlice()...)
	body = append(append(body, 1, 1), mac...) // source link-layer address
	return icmp6(or(n.mac, multicastMAC(dst)), mac, ip, dst, body)
}

// multicastMAC is where IPv6 multicasts go (RFC 2464, 7).
func multicastMAC(ip netip.Addr) net.HardwareAddr {
	a := ip.As16()
	return net.HardwareAddr{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

func ethernet(dst, src net.HardwareAddr, kind uint16) []byte {
	b := make([]byte, 0, 86)
	b = append(append(b, dst...), src...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// icmp6 puts IPv6's header before body and the checksum into it.
func icmp6(dstMAC, srcMAC net.HardwareAddr, src, dst netip.Addr, body []byte) []byte {
	const proto, hops = 58, 255
	var sum uint32
	add := func(b []byte) {
		for i := 0; i < len(b); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
	}
	add(src.AsSlice())
	add(dst.AsSlice())
	add([]byte{0, byte(len(body)), 0, proto})
	add(body)
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(body[2:], ^uint16(sum))

	b := ethernet(dstMAC, srcMAC, 0x86dd)
	b = append(b, 0x60, 0, 0, 0, 0, byte(len(body)), proto, hops)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, body...)
}
