package vrrp

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// socket hears VRRP on one interface, and sends there.
type socket struct {
	iface *net.Interface
	src   netip.Addr
	mac   net.HardwareAddr // source of what is sent
	conn  net.PacketConn
	read  func(b []byte) (n int, src net.Addr, dst net.IP, ttl, iface int, err error)
	fd    int // sends frames
}

// open joins the group. Its sockets belong to the network namespace of the
// calling thread.
func open(c Config) (*socket, error) {
	s := &socket{fd: -1}
	err := s.open(c)
	if err != nil {
		s.close()
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (needs CAP_NET_RAW)", err)
		}
		return nil, fmt.Errorf("vrrp: %s: %w", c.Iface, err)
	}
	return s, nil
}

func (s *socket) open(c Config) (err error) {
	if s.iface, err = net.InterfaceByName(c.Iface); err != nil {
		return err
	}
	if s.src, err = source(s.iface, c); err != nil {
		return err
	}
	s.mac = s.iface.HardwareAddr
	if len(s.mac) != 6 {
		return errors.New("is no Ethernet")
	}
	if c.VMAC {
		s.mac = virtualMAC(c.VRID, s.src)
	}
	group := &net.IPAddr{IP: groupOf(s.src).AsSlice()}
	if s.src.Is4() {
		if s.conn, err = net.ListenPacket("ip4:"+strconv.Itoa(proto), "0.0.0.0"); err != nil {
			return err
		}
		p := ipv4.NewPacketConn(s.conn)
		s.read = func(b []byte) (int, net.Addr, net.IP, int, int, error) {
			n, cm, src, err := p.ReadFrom(b)
			if cm == nil {
				cm = &ipv4.ControlMessage{}
			}
			return n, src, cm.Dst, cm.TTL, cm.IfIndex, err
		}
		err = errors.Join(p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true), p.JoinGroup(s.iface, group))
	} else {
		if s.conn, err = net.ListenPacket("ip6:"+strconv.Itoa(proto), "::"); err != nil {
			return err
		}
		p := ipv6.NewPacketConn(s.conn)
		s.read = func(b []byte) (int, net.Addr, net.IP, int, int, error) {
			n, cm, src, err := p.ReadFrom(b)
			if cm == nil {
				cm = &ipv6.ControlMessage{}
			}
			return n, src, cm.Dst, cm.HopLimit, cm.IfIndex, err
		}
		err = errors.Join(p.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface, true), p.JoinGroup(s.iface, group))
	}
	if err != nil {
		return err
	}
	s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return os.NewSyscallError("socket", err)
}

// source finds the address to send from.
func source(iface *net.Interface, c Config) (netip.Addr, error) {
	if c.Source.IsValid() {
		return c.Source, nil
	}
	addrs, err := iface.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	v4 := c.Addrs[0].Is4()
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr()
		if ip.Is4() == v4 && (v4 || ip.IsLinkLocalUnicast()) && !slices.Contains(c.Addrs, ip) {
			return ip, nil
		}
	}
	if v4 {
		return netip.Addr{}, errors.New("has no IPv4 address to send from")
	}
	return netip.Addr{}, errors.New("has no link-local address to send from")
}

// send sends a message to the group.
func (s *socket) send(message []byte) error {
	to := &unix.SockaddrLinklayer{Ifindex: s.iface.Index, Halen: 6}
	return os.NewSyscallError("send", unix.Sendto(s.fd, frame(s.mac, s.src, message), 0, to))
}

// receive waits for the next message that came in by the interface. Sockets of
// protocol 112 get what comes to others, too.
func (s *socket) receive(b []byte) (n int, src, dst netip.Addr, ttl int, err error) {
	for {
		n, from, to, ttl, iface, err := s.read(b)
		if err != nil {
			return 0, src, dst, 0, err
		}
		ip, ok := from.(*net.IPAddr)
		if !ok || iface != s.iface.Index {
			continue
		}
		src, _ := netip.AddrFromSlice(ip.IP)
		dst, _ := netip.AddrFromSlice(to)
		if src, dst = src.Unmap(), dst.Unmap(); dst == groupOf(s.src) && src != s.src {
			return n, src, dst, ttl, nil
		}
	}
}

func (s *socket) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
}
