package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Checksum is what an advertisement's checksum covers. RFC 9568 and most routers
// leave IPv4's pseudo-header out; keepalived, and FRRouting once, put it in.
type Checksum uint8

const (
	// AsHeard sends as the last router heard does, and Plain before one was heard.
	AsHeard Checksum = iota
	// Plain covers the message alone. Version 2 knows nothing else.
	Plain
	// Pseudo covers a pseudo-header too. IPv6 knows nothing else.
	Pseudo
)

// Advertisement is VRRP's one message, of version 2 (RFC 3768) or 3 (RFC 9568).
type Advertisement struct {
	Version  uint8
	VRID     uint8
	Priority uint8         // 0: gives up; 255: owns the addresses
	Interval time.Duration // between advertisements: seconds in version 2, hundredths in 3
	Addrs    []netip.Addr  // of one family, IPv4 in version 2
}

// What [Parse] refuses a message for.
var (
	ErrTTL      = errors.New("vrrp: came through a router: the TTL is not 255")
	ErrLength   = errors.New("vrrp: wrong length")
	ErrVersion  = errors.New("vrrp: unknown version or type")
	ErrAuth     = errors.New("vrrp: authentication, which RFC 3768 abolished")
	ErrChecksum = errors.New("vrrp: wrong checksum")
	ErrValue    = errors.New("vrrp: impossible value")
)

const (
	headLen = 8
	authLen = 8 // at the end of version 2: zeros
	maxV3   = 4095 * 10 * time.Millisecond
	maxV2   = 255 * time.Second
)

// check refuses what cannot be sent.
func (a Advertisement) check() error {
	unit, most := 10*time.Millisecond, maxV3
	switch a.Version {
	case 3:
	case 2:
		unit, most = time.Second, maxV2
	default:
		return fmt.Errorf("%w: version %d", ErrVersion, a.Version)
	}
	switch {
	case a.VRID == 0:
		return fmt.Errorf("%w: virtual router 0", ErrValue)
	case a.Interval < unit || a.Interval > most || a.Interval%unit != 0:
		return fmt.Errorf("%w: interval %v; version %d has multiples of %v up to %v", ErrValue, a.Interval, a.Version, unit, most)
	case len(a.Addrs) == 0 || len(a.Addrs) > 255:
		return fmt.Errorf("%w: %d addresses; at least 1, at most 255", ErrValue, len(a.Addrs))
	}
	for _, ip := range a.Addrs {
		if !ip.IsValid() || ip.Is4() != a.Addrs[0].Is4() || ip.Is4In6() || ip.Zone() != "" {
			return fmt.Errorf("%w: addresses of several families", ErrValue)
		}
		if a.Version == 2 && !ip.Is4() {
			return fmt.Errorf("%w: version 2 has no IPv6", ErrValue)
		}
	}
	return nil
}

// Marshal returns the message for a datagram from src to dst. Its errors are
// [ErrVersion] and [ErrValue].
func (a Advertisement) Marshal(src, dst netip.Addr, sum Checksum) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	b := make([]byte, headLen, headLen+len(a.Addrs)*16+authLen)
	b[0] = a.Version<<4 | 1
	b[1], b[2], b[3] = a.VRID, a.Priority, byte(len(a.Addrs))
	if a.Version == 2 {
		b[5] = byte(a.Interval / time.Second)
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(a.Interval/(10*time.Millisecond)))
	}
	for _, ip := range a.Addrs {
		b = append(b, ip.AsSlice()...)
	}
	if a.Version == 2 {
		b = append(b, make([]byte, authLen)...)
	}
	binary.BigEndian.PutUint16(b[6:], ^add(covers(a.Version, src, sum).begin(src, dst, len(b)), b))
	return b, nil
}

// Parse reads the message of a datagram from src to dst that arrived with this
// TTL, or hop limit, and says what its checksum covers. The errors are those
// above, and can be told apart with [errors.Is]. It allocates no more than the
// message is long.
func Parse(b []byte, src, dst netip.Addr, ttl int) (Advertisement, Checksum, error) {
	var a Advertisement
	if ttl != 255 { // RFC 9568, 7.1, in this order
		return a, 0, ErrTTL
	}
	if len(b) < headLen {
		return a, 0, ErrLength
	}
	a = Advertisement{Version: b[0] >> 4, VRID: b[1], Priority: b[2]}
	size, tail := 4, 0
	if src.Is6() {
		size = 16
	}
	switch {
	case b[0]&15 != 1 || a.Version != 2 && a.Version != 3 || a.Version == 2 && src.Is6():
		return a, 0, ErrVersion
	case a.Version == 2:
		a.Interval = time.Duration(b[5]) * time.Second
		tail = authLen
	default:
		a.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	}
	if len(b) != headLen+int(b[3])*size+tail {
		return a, 0, ErrLength
	}
	if a.Version == 2 && b[4] != 0 {
		return a, 0, ErrAuth
	}
	sum, ok := summed(a.Version, b, src, dst)
	if !ok {
		return a, 0, ErrChecksum
	}
	for rest := b[headLen : len(b)-tail]; len(rest) > 0; rest = rest[size:] {
		ip, _ := netip.AddrFromSlice(rest[:size])
		a.Addrs = append(a.Addrs, ip)
	}
	return a, sum, a.check()
}

// summed finds out what the checksum covers.
func summed(version uint8, b []byte, src, dst netip.Addr) (Checksum, bool) {
	for _, sum := range []Checksum{Plain, Pseudo} {
		if covers(version, src, sum) == sum && add(sum.begin(src, dst, len(b)), b) == 0xffff {
			return sum, true
		}
	}
	return 0, false
}

// covers returns what there is a choice of, and what there is not.
func covers(version uint8, src netip.Addr, sum Checksum) Checksum {
	switch {
	case src.Is6():
		return Pseudo
	case version == 2 || sum != Pseudo:
		return Plain
	}
	return Pseudo
}

// begin is the sum of the pseudo-header.
func (c Checksum) begin(src, dst netip.Addr, length int) uint16 {
	if c != Pseudo {
		return 0
	}
	return add(add(add(0, src.AsSlice()), dst.AsSlice()), []byte{byte(length >> 8), byte(length), 0, proto})
}

// add adds in one's complement (RFC 1071). All lengths here are even.
func add(sum uint16, b []byte) uint16 {
	s := uint32(sum)
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
