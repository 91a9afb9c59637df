package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const proto = 112

var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

func groupOf(src netip.Addr) netip.Addr {
	if src.Is4() {
		return group4
	}
	return group6
}

// virtualMAC is the hardware address of a virtual router (RFC 9568, 7.3).
func virtualMAC(vrid uint8, ip netip.Addr) net.HardwareAddr {
	if ip.Is4() {
		return net.HardwareAddr{0, 0, 0x5e, 0, 1, vrid}
	}
	return net.HardwareAddr{0, 0, 0x5e, 0, 2, vrid}
}

// frame puts the headers of Ethernet and IP before a message: frames are sent
// whole, since the virtual router's hardware address must be their source.
func frame(mac net.HardwareAddr, src netip.Addr, message []byte) []byte {
	dst := groupOf(src)
	b := make([]byte, 0, 14+40+len(message))
	if src.Is4() {
		b = append(b, 0x01, 0x00, 0x5e, 0, 0, 18)
		b = append(append(b, mac...), 0x08, 0x00)
		head := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, proto, 0, 0}
		binary.BigEndian.PutUint16(head[2:], uint16(20+len(message)))
		sum := add(add(add(0, head), src.AsSlice()), dst.AsSlice())
		binary.BigEndian.PutUint16(head[10:], ^sum)
		b = append(b, head...)
	} else {
		b = append(b, 0x33, 0x33, 0, 0, 0, 0x12)
		b = append(append(b, mac...), 0x86, 0xdd)
		b = append(b, 0x6c, 0, 0, 0) // internetwork control, as IPv4's 0xc0
		b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
		b = append(b, proto, 255)
	}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, message...)
}
